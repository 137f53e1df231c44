"""Export of results to CSV, JSON or parquet, which `import_results` reads back unchanged."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select, text

from prunestats.db.connection.plain_values import json_text
from prunestats.db.exchange.table_files import check_suffix, write_table
from prunestats.db.reading.selection import SAME_TARGET, check_names
from prunestats.db.schema import tables as schema
from prunestats.db.schema.opening import Source, reading
from prunestats.db.schema.tables import OPTIONAL_METRICS
from prunestats.db.schema.types import Json, utc
from prunestats.errors import InputError

COLUMNS = {
    "study": "text",
    "original": "text",
    "network": "text",
    "dataset": "text",
    "original_seed": "integer",
    "original_flops": "integer",
    "original_params": "integer",
    "flops_convention": "text",
    "space": "text",
    "regime": "float",
    "tolerance": "float",
    "draw": "integer",
    "subnetwork": "text",
    "widths": "widths",
    "flops": "integer",
    "params": "integer",
    "protocol": "text",
    "protocol_key": "text",
    "planned": "boolean",
    "seed": "integer",
    "state": "text",
    "val_error": "float",
    "test_error": "float",
    "val_loss": "float",
    "test_loss": "float",
    "train_loss": "float",
    "epochs": "integer",
    "wall_s": "float",
    "failure": "text",
    "host": "text",
    "platform": "text",
    "python": "text",
    "versions": "json",
    "created_at": "text",
    **dict.fromkeys(OPTIONAL_METRICS, "float"),
}
"""Type of each column of a file; names are the roles of an import."""

_OF_OWN_METRICS = {"metric": "json", "val_metric": "float", "test_metric": "float", "metrics": "json"}
"""Columns that a file has where a study has a metric of its own."""

# Columns that the view `results` lacks; every other column is one of the view.
_EXPRESSIONS = {
    "flops_convention": "o.flops_convention",
    "tolerance": "g.tolerance",
    "planned": "EXISTS (SELECT 1 FROM plan w WHERE w.study_id = p.study_id)",
    "platform": "e.platform",
    "python": "e.python",
    "versions": "e.versions",
    "metric": "q.metric",
    **{name: f"u.{name}" for name in (*OPTIONAL_METRICS, "val_metric", "test_metric", "metrics")},
}
_ORDER = ("p.study_id", "sp.position", "p.id", "r.draw", "r.protocol_key", "r.seed")
_JOINED = """
FROM results r
JOIN population p ON p.id = r.population_id
JOIN study q ON q.id = p.study_id
JOIN original o ON o.id = p.original_id
JOIN regime g ON g.id = p.regime_id
JOIN space sp ON sp.id = p.space_id
JOIN run u ON u.id = r.run_id
LEFT JOIN environment e ON e.id = u.environment_id
"""


def export_results(
    source: Source,
    file: str | os.PathLike[str],
    *,
    study: str | Sequence[str] | None = None,
    space: str | Sequence[str] | None = None,
    regime: float | Sequence[float] | None = None,
    state: Literal["done", "failed"] | None = None,
) -> int:
    """Write results to a file, one row per run and population; return the number of rows.

    Parameters
    ----------
    source : Engine, str or Path
        The database.
    file : str or Path
        ``.csv``, ``.json`` or ``.parquet``; an existing file is replaced atomically.
    study, space : str or sequence of str, optional
        Names; all by default.
    regime : float or sequence of float, optional
        FLOPs targets as fractions of the original's; all by default.
    state : {"done", "failed"}, optional
        Both by default.

    Returns
    -------
    int

    Raises
    ------
    InputError
        For a name that is not in the database, another suffix, or a path that cannot be written.
    DatabaseError
        If the database cannot be read.

    Notes
    -----
    `import_results` reads such a file without options, and exporting again gives the same content: every number bit for
    bit, and every name. A file lacks the cost models and training recipes of originals, the distributions of spaces,
    the parameters of protocols and the metrics per epoch; so a study cannot be resumed from it. `backup` and `merge`
    keep everything.

    Examples
    --------
    >>> export_results("results.db", "results.csv", study="digits", regime=0.25)     # doctest: +SKIP
    """
    check_suffix(file)
    if state not in ("done", "failed", None):
        raise InputError(f"state must be 'done', 'failed' or None for both; found {state!r}")
    filters: dict[str, Any] = {"study": study, "space": space, "regime": regime}
    given = {name: _listed(value) for name, value in filters.items() if value is not None}
    with reading(source) as connection:
        check_names(connection, given)
        own = connection.scalar(select(schema.study.c.id).where(schema.study.c.metric.is_not(None)).limit(1))
        columns = COLUMNS if own is None else {**COLUMNS, **_OF_OWN_METRICS}
        rows = _select(connection, given, state, columns)
    if own is not None and not any(row[len(COLUMNS)] for row in rows):
        columns, rows = COLUMNS, [row[: len(COLUMNS)] for row in rows]
    write_table(file, columns, rows)
    return len(rows)


def _select(
    connection: Connection, given: dict[str, list[Any]], state: str | None, names: Mapping[str, str]
) -> list[list[Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, wanted in given.items():
        if name == "regime":
            conditions.append(
                f"({' OR '.join(f'abs(r.regime - :regime_{n}) <= {SAME_TARGET}' for n in range(len(wanted)))})"
            )
            values |= {f"regime_{n}": value for n, value in enumerate(wanted)}
        else:
            conditions.append(f"r.{name} IN :{name}")
            values[name] = wanted
    if state is not None:
        conditions.append("r.state = :state")
        values["state"] = state
    columns = [f"{_EXPRESSIONS.get(name, f'r.{name}')} AS {name}" for name in names]
    columns += [f"{key} AS order_{number}" for number, key in enumerate(_ORDER)]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    query = text(f"SELECT {', '.join(columns)} {_JOINED} {where}")
    query = query.bindparams(*(bindparam(name, expanding=True) for name in given if name != "regime"))
    nested = {name: Json() for name, kind in names.items() if kind in ("widths", "json")}
    typed = query.columns(**nested, created_at=utc())
    # sorted here: SQLite and PostgreSQL collate text differently
    found = sorted(connection.execute(typed, values), key=lambda row: tuple(row)[len(names) :])
    planned, created = list(names).index("planned"), list(names).index("created_at")
    rows = [list(row)[: len(names)] for row in found]
    # SQLite keeps the order of keys in which they were stored, PostgreSQL does not
    by_key = [list(names).index(name) for name in ("metric", "metrics") if name in names]
    for row in rows:
        row[planned] = bool(row[planned])
        row[created] = str(row[created])
        for column in by_key:
            row[column] = json.loads(json_text(row[column]))
    return rows


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | float | int) else list(value)
