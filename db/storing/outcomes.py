"""Runs: the missing ones of a study, and storing of outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select, tuple_

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import batches, insert_new
from prunestats.db.storing.records import EpochMetric, MissingRun, Outcome
from prunestats.errors import DatabaseError

_METRICS = (
    *("val_error", "test_error", "val_loss", "test_loss", "train_loss", "wall_s", *schema.OPTIONAL_METRICS),
    *("val_metric", "test_metric"),
)


def missing_runs(connection: Connection, *, study_id: int, protocol_id: int, seeds: Sequence[int]) -> list[MissingRun]:
    """Return the runs of a study that are not stored, in the order in which to execute them.

    Parameters
    ----------
    connection : Connection
        From `read` or `write`.
    study_id, protocol_id : int
    seeds : sequence of int
        Training seeds of each subnetwork.

    Returns
    -------
    list of MissingRun
        Sorted by seed, and within a seed alternating between populations: wherever a study is stopped, its populations
        are about equally complete. A subnetwork of two populations comes once.
    """
    population, draw, subnetwork, original, run = (
        schema.population,
        schema.draw,
        schema.subnetwork,
        schema.original,
        schema.run,
    )
    drawn = (
        select(subnetwork.c.id, subnetwork.c.key, subnetwork.c.original_id, original.c.key, subnetwork.c.widths)
        .join(draw, draw.c.subnetwork_id == subnetwork.c.id)
        .join(population, population.c.id == draw.c.population_id)
        .join(original, original.c.id == subnetwork.c.original_id)
        .where(population.c.study_id == study_id, subnetwork.c.widths.is_not(None))
        .order_by(draw.c.position, population.c.id)
    )
    members = select(draw.c.subnetwork_id).join(population).where(population.c.study_id == study_id)
    stored = select(run.c.subnetwork_id, run.c.seed).where(
        run.c.protocol_id == protocol_id, run.c.subnetwork_id.in_(members)
    )
    known = {(subnetwork_id, seed) for subnetwork_id, seed in connection.execute(stored)}
    subnetworks: dict[int, MissingRun] = {}
    for row_id, key, original_id, original_key, widths in connection.execute(drawn):
        # a subnetwork of two populations keeps its earlier position
        subnetworks.setdefault(row_id, MissingRun(row_id, key, original_id, original_key, tuple(widths), 0))
    return [
        replace(run, seed=int(seed))
        for seed in seeds
        for run in subnetworks.values()
        if (run.subnetwork_id, seed) not in known
    ]


def has_run(connection: Connection, run: MissingRun, protocol_id: int) -> bool:
    """Return whether a run is stored by now."""
    table = schema.run
    mine = (table.c.subnetwork_id == run.subnetwork_id, table.c.protocol_id == protocol_id, table.c.seed == run.seed)
    return connection.scalar(select(table.c.id).where(*mine)) is not None


def store_outcome(
    connection: Connection,
    *,
    subnetwork_id: int,
    protocol_id: int,
    seed: int,
    environment_id: int | None,
    outcome: Outcome,
) -> bool:
    """Store the outcome of a run; return whether the run is new.

    Parameters
    ----------
    connection : Connection
        From `write`.
    subnetwork_id, protocol_id, seed : int
        Key of the run; the first outcome that is stored for a key is kept.
    environment_id : int or None
        Machine and software, from `store_environment`; None if unknown.
    outcome : Outcome

    Returns
    -------
    bool
        False if the run was stored already.

    Raises
    ------
    DatabaseError
        For a run in state "done" without finite metrics, or a failed run without a reason.
    """
    key = {"subnetwork_id": subnetwork_id, "protocol_id": protocol_id, "seed": seed}
    return store_outcomes(connection, [({**key, "environment_id": environment_id}, outcome)]) == 1


def store_outcomes(connection: Connection, outcomes: Sequence[tuple[dict[str, Any], Outcome]]) -> int:
    """Store the outcomes of many runs in bulk; return the number of new runs.

    Parameters
    ----------
    connection : Connection
        From `write`.
    outcomes : sequence of (dict, Outcome)
        The dict holds subnetwork_id, protocol_id, seed and environment_id of the run.

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        As `store_outcome`.
    """
    values = [{**key, **_run_values(outcome)} for key, outcome in outcomes]
    logged = [(_key(key), outcome) for key, outcome in outcomes if outcome.epochs_log]
    before = _run_ids(connection, [key for key, _ in logged])
    new = insert_new(connection, schema.run, values)
    _store_logs(connection, [(key, outcome) for key, outcome in logged if key not in before])
    return new


def _run_values(outcome: Outcome) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(outcome, name) for name in _METRICS}
    values |= {"state": outcome.state, "epochs": outcome.epochs, "failure": outcome.failure}
    values["metrics"] = outcome.metrics
    if outcome.state == "failed":
        if not outcome.failure:
            raise DatabaseError("expected the reason of a failed run; found none: set Outcome.failure")
        # a diverged run may have losses that are NaN or infinite
        return {**values, **{name: _finite(values[name]) for name in _METRICS}}
    if outcome.state == "done" and outcome.val_error is None and outcome.val_metric is None:
        raise DatabaseError(
            "expected val_error or val_metric of a run in state 'done'; found none: store it as failed, with the reason"
        )
    return values


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _key(key: dict[str, Any]) -> tuple[int, int, int]:
    return int(key["subnetwork_id"]), int(key["protocol_id"]), int(key["seed"])


def _run_ids(connection: Connection, keys: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int, int], int]:
    run = schema.run
    identity = tuple_(run.c.subnetwork_id, run.c.protocol_id, run.c.seed)
    found: dict[tuple[int, int, int], int] = {}
    for batch in batches(keys):
        rows = connection.execute(
            select(run.c.id, run.c.subnetwork_id, run.c.protocol_id, run.c.seed).where(identity.in_(batch))
        )
        found |= {(row[1], row[2], row[3]): row[0] for row in rows}
    return found


def _store_logs(connection: Connection, logged: Sequence[tuple[tuple[int, int, int], Outcome]]) -> None:
    ids = _run_ids(connection, [key for key, _ in logged])
    rows = [_epoch_values(ids[key], epoch) for key, outcome in logged for epoch in outcome.epochs_log]
    insert_new(connection, schema.epoch_metric, rows)


def _epoch_values(run_id: int, metric: EpochMetric) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "epoch": metric.epoch,
        "train_loss": _finite(metric.train_loss),
        "val_error": _finite(metric.val_error),
        "val_loss": _finite(metric.val_loss),
        "metrics": metric.metrics,
    }
