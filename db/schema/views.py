"""The views: the SQL interface of the results database, with the same text for SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Connection

from prunestats.db.schema.tables import OPTIONAL_METRICS

# A run belongs to the studies that planned it; a study without a plan (an import) owns every run of its subnetworks.
_PLANNED = """(
    EXISTS (SELECT 1 FROM plan w WHERE w.study_id = p.study_id AND w.protocol_id = r.protocol_id AND w.seed = r.seed)
    OR NOT EXISTS (SELECT 1 FROM plan w WHERE w.study_id = p.study_id)
)"""

# The metric that counts: the study's own, else the error.
_VALIDATION = "COALESCE(r.val_metric, r.val_error)"
_TEST = "COALESCE(r.test_metric, r.test_error)"
_METRIC_NAMES = """
    COALESCE(st.metric ->> 'name', 'error') AS metric,
    COALESCE(st.metric ->> 'direction', 'minimize') AS direction,
"""

_RESULTS = f"""
SELECT
    st.name AS study,
    o.key AS original,
    o.network AS network,
    o.dataset AS dataset,
    o.seed AS original_seed,
    o.flops AS original_flops,
    o.params AS original_params,
    CAST(o.flops AS DOUBLE PRECISION) / o.params AS original_ratio,
    g.flops_fraction AS regime,
    sp.name AS space,
    d.position AS draw,
    s.key AS subnetwork,
    s.widths AS widths,
    s.flops AS flops,
    s.params AS params,
    CAST(s.flops AS DOUBLE PRECISION) / o.flops AS flops_fraction,
    CAST(s.flops AS DOUBLE PRECISION) / s.params AS ratio,
    pr.name AS protocol,
    r.seed AS seed,
    r.state AS state,
    r.val_error AS val_error,
    r.test_error AS test_error,
    r.val_loss AS val_loss,
    r.test_loss AS test_loss,
    r.train_loss AS train_loss,
    r.epochs AS epochs,
    r.wall_s AS wall_s,
    r.failure AS failure,
    e.host AS host,
    r.created_at AS created_at,
    pr.key AS protocol_key,
    p.id AS population_id,
    s.id AS subnetwork_id,
    pr.id AS protocol_id,
    r.id AS run_id,
    {", ".join(f"r.{name} AS {name}" for name in OPTIONAL_METRICS)},
    {_METRIC_NAMES}
    {_VALIDATION} AS val_metric,
    {_TEST} AS test_metric,
    r.metrics AS metrics
FROM population p
JOIN study st ON st.id = p.study_id
JOIN original o ON o.id = p.original_id
JOIN regime g ON g.id = p.regime_id
JOIN space sp ON sp.id = p.space_id
JOIN draw d ON d.population_id = p.id
JOIN subnetwork s ON s.id = d.subnetwork_id
JOIN run r ON r.subnetwork_id = s.id
JOIN protocol pr ON pr.id = r.protocol_id
LEFT JOIN environment e ON e.id = r.environment_id
WHERE {_PLANNED}
"""


_METRICS = ("test_error", "val_loss", "test_loss")

# 1 where lower values are better, -1 where higher ones are; one value in each group, as a population has one study
_SIGN = "max(CASE WHEN q.metric ->> 'direction' = 'maximize' THEN -1 ELSE 1 END)"


def _means(*extra: str, condition: str = "") -> str:
    """Return the query of means over the runs of each subnetwork; the subnetwork is the unit, seeds are replications.

    Only the columns that a view shows are selected: SQLite computes every column of an inner query, used or not.
    """
    return f"""
    SELECT
        p.id AS population_id,
        p.study_id AS study_id,
        p.original_id AS original_id,
        p.regime_id AS regime_id,
        d.subnetwork_id AS subnetwork_id,
        r.protocol_id AS protocol_id,
        min(d.position) AS draw,
        count({_VALIDATION}) AS n_done,
        avg(r.val_error) AS val_error,
        avg({_VALIDATION}) AS val_metric,
        avg({_TEST}) AS test_metric,
        {_SIGN} * avg({_VALIDATION}) AS ranked,
        {", ".join([*(f"avg(r.{name}) AS {name}" for name in _METRICS), *extra])}
    FROM population p
    JOIN draw d ON d.population_id = p.id
    JOIN run r ON r.subnetwork_id = d.subnetwork_id
    JOIN study q ON q.id = p.study_id
    WHERE {_PLANNED} {condition}
    GROUP BY p.id, d.subnetwork_id, r.protocol_id
"""


_RUN_SUMMARIES = (
    "count(r.failure) AS n_failed",
    "min(r.val_error) AS val_error_min",
    "max(r.val_error) AS val_error_max",
    "avg(r.val_error * r.val_error) AS square",
    f"avg({_VALIDATION} * {_VALIDATION}) AS metric_square",
    "avg(r.train_loss) AS train_loss",
    "avg(r.wall_s) AS wall_s",
    *(f"avg(r.{name}) AS {name}" for name in OPTIONAL_METRICS),
)

# The means of a subnetwork are equal in all populations of a study: the first population is kept.
_FIRST_POPULATION = """
    AND NOT EXISTS (
        SELECT 1 FROM draw e JOIN population q ON q.id = e.population_id
        WHERE e.subnetwork_id = d.subnetwork_id AND q.study_id = p.study_id AND q.id < p.id
    )
"""

_NAME_JOINS = """
JOIN population p ON p.id = m.population_id
JOIN study st ON st.id = p.study_id
JOIN original o ON o.id = p.original_id
JOIN regime g ON g.id = p.regime_id
JOIN space sp ON sp.id = p.space_id
JOIN subnetwork s ON s.id = m.subnetwork_id
JOIN protocol pr ON pr.id = m.protocol_id
"""

_ORIGINAL_COLUMNS = """
    st.name AS study,
    o.key AS original,
    o.network AS network,
    o.dataset AS dataset,
    o.seed AS original_seed,
"""

_POPULATION_COLUMNS = """
    g.flops_fraction AS regime,
    sp.name AS space,
    m.draw AS draw,
"""

_SUBNETWORK_COLUMNS = """
    s.key AS subnetwork,
    s.widths AS widths,
    s.flops AS flops,
    s.params AS params,
    CAST(s.flops AS DOUBLE PRECISION) / o.flops AS flops_fraction,
    CAST(s.flops AS DOUBLE PRECISION) / s.params AS ratio,
    pr.name AS protocol,
    m.n_done AS n_done,
"""

_MEAN_METRICS = """
    m.val_error AS val_error,
    m.test_error AS test_error,
    m.val_loss AS val_loss,
    m.test_loss AS test_loss,
"""

_OWN_METRICS = f"""
    {_METRIC_NAMES}
    m.val_metric AS val_metric,
    m.test_metric AS test_metric
"""

_KEY_COLUMNS = """
    pr.key AS protocol_key,
    m.population_id AS population_id,
    m.subnetwork_id AS subnetwork_id
"""

_POPULATIONS = f"""
SELECT {_ORIGINAL_COLUMNS} {_POPULATION_COLUMNS} {_SUBNETWORK_COLUMNS}
    m.n_failed AS n_failed,
    {_MEAN_METRICS}
    m.train_loss AS train_loss,
    m.val_error_min AS val_error_min,
    m.val_error_max AS val_error_max,
    CASE WHEN m.n_done > 1 AND m.square > m.val_error * m.val_error
         THEN (m.square - m.val_error * m.val_error) * m.n_done / (m.n_done - 1)
         WHEN m.n_done > 1 THEN 0.0 END AS val_error_variance,
    m.wall_s AS wall_s, {_KEY_COLUMNS},
    {", ".join(f"m.{name} AS {name}" for name in OPTIONAL_METRICS)}, {_OWN_METRICS},
    CASE WHEN m.n_done > 1 AND m.metric_square > m.val_metric * m.val_metric
         THEN (m.metric_square - m.val_metric * m.val_metric) * m.n_done / (m.n_done - 1)
         WHEN m.n_done > 1 THEN 0.0 END AS val_metric_variance
FROM ({_means(*_RUN_SUMMARIES)}) AS m {_NAME_JOINS}
"""

_EDF = f"""
SELECT {_ORIGINAL_COLUMNS} {_POPULATION_COLUMNS} {_SUBNETWORK_COLUMNS} {_MEAN_METRICS}
    m.edf AS edf,
    m.n AS n, {_KEY_COLUMNS}, {_OWN_METRICS}
FROM (
    SELECT
        means.*,
        cume_dist() OVER one AS edf,
        count(*) OVER (one ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS n
    FROM ({_means()}) AS means
    WHERE ranked IS NOT NULL
    WINDOW one AS (PARTITION BY population_id, protocol_id ORDER BY ranked)
) AS m {_NAME_JOINS}
"""

_LEADERBOARD = f"""
SELECT {_ORIGINAL_COLUMNS} {_POPULATION_COLUMNS}
    m.place AS place, {_SUBNETWORK_COLUMNS} {_MEAN_METRICS} {_KEY_COLUMNS}, {_OWN_METRICS}
FROM (
    SELECT
        means.*,
        rank() OVER (PARTITION BY regime_id, original_id, protocol_id ORDER BY ranked) AS place
    FROM ({_means()}) AS means
    WHERE ranked IS NOT NULL
) AS m {_NAME_JOINS}
"""

# A window has an order on both databases, which the argument of an aggregate function has only on recent SQLite.
_REGIMES_OF_SUBNETWORK = """
    (
        SELECT string_agg(CAST(target AS TEXT), ', ') OVER (
            ORDER BY target DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
        FROM (
            SELECT DISTINCT band.flops_fraction AS target
            FROM draw e
            JOIN population q ON q.id = e.population_id
            JOIN regime band ON band.id = q.regime_id
            WHERE e.subnetwork_id = m.subnetwork_id AND q.study_id = m.study_id
        ) AS targets
        LIMIT 1
    ) AS regimes,
"""

# Not dominated: no subnetwork with fewer FLOPs has an equal or better metric, and none with equal FLOPs a better one.
_PARETO = f"""
SELECT {_ORIGINAL_COLUMNS} {_REGIMES_OF_SUBNETWORK} {_SUBNETWORK_COLUMNS} {_MEAN_METRICS} {_KEY_COLUMNS}, {_OWN_METRICS}
FROM (
    SELECT
        candidates.*,
        min(ranked) OVER (one GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS best_of_smaller,
        min(ranked) OVER (one GROUPS BETWEEN CURRENT ROW AND CURRENT ROW) AS best_of_same
    FROM (
        SELECT means.*, cost.flops AS flops
        FROM ({_means(condition=_FIRST_POPULATION)}) AS means
        JOIN subnetwork cost ON cost.id = means.subnetwork_id
        WHERE ranked IS NOT NULL
    ) AS candidates
    WINDOW one AS (PARTITION BY study_id, original_id, protocol_id ORDER BY flops)
) AS m {_NAME_JOINS}
WHERE m.ranked = m.best_of_same AND (m.best_of_smaller IS NULL OR m.ranked < m.best_of_smaller)
"""

_FAILURES = """
SELECT
    study, original, network, dataset, original_seed, regime, space, draw, subnetwork, widths, flops, params, ratio,
    protocol, seed, failure, epochs, wall_s, host, created_at, population_id, subnetwork_id, run_id
FROM results
WHERE state = 'failed'
"""

VIEWS = {
    "results": _RESULTS,
    "populations": _POPULATIONS,
    "edf": _EDF,
    "leaderboard": _LEADERBOARD,
    "pareto": _PARETO,
    "failures": _FAILURES,
}


def drop_views(connection: Connection) -> None:
    """Drop every view, so that a migration can change the tables."""
    for name in reversed(VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def create_views(connection: Connection) -> None:
    """Create every view as defined in this version."""
    for name, body in VIEWS.items():
        text = "\n".join(line for line in body.splitlines() if line.strip())
        if connection.dialect.name == "sqlite":
            # the standard's name of the function is known to SQLite from 3.44 on only
            text = text.replace("string_agg(", "group_concat(")
        connection.exec_driver_sql(f"CREATE VIEW {name} AS\n{text}")
