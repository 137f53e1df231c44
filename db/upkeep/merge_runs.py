"""Merging of runs in batches, so that a million of them need not fit into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, tuple_

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import batches, insert_new, short
from prunestats.db.storing.records import RESULT

_KEY = ("subnetwork_id", "protocol_id", "seed")


def merge_runs(
    source: Connection, target: Connection, ids: Mapping[str, Mapping[int, int]]
) -> tuple[list[str], dict[int, int]]:
    """Add runs with their metrics per epoch; return conflicts, and the numbers of runs whose weights may be taken.

    Parameters
    ----------
    source, target : Connection
    ids : mapping
        For each table that runs refer to: row numbers in the target by those in the source.

    Returns
    -------
    list of str
        One line per run that both have with different results.
    dict of int to int
        Row numbers in the target by those in the source, of the runs with kept weights and without a conflict.
    """
    conflicts: list[str] = []
    weighted, numbered = set(source.scalars(select(schema.weights.c.run_id))), dict[int, int]()
    numbers = source.scalars(select(schema.run.c.id).order_by(schema.run.c.id)).all()
    for batch in batches(numbers):
        rows = source.execute(select(schema.run).where(schema.run.c.id.between(batch[0], batch[-1]))).mappings()
        runs = {row["id"]: _translated(dict(row), ids) for row in rows}
        known = _known(target, [_key(run) for run in runs.values()])
        new = {old: run for old, run in runs.items() if _key(run) not in known}
        insert_new(target, schema.run, list(new.values()))
        differing = {
            old: _conflict(source, old, run, known[_key(run)][1:])
            for old, run in runs.items()
            if _key(run) in known and tuple(run[name] for name in RESULT) != known[_key(run)][1:]
        }
        conflicts += differing.values()
        _merge_epochs(source, target, new, batch)
        same = {old: run for old, run in runs.items() if old in weighted and old not in differing}
        after = _known(target, [_key(run) for run in same.values()])
        numbered |= {old: after[_key(run)][0] for old, run in same.items()}
    return conflicts, numbered


def _merge_epochs(
    source: Connection, target: Connection, new: Mapping[int, Mapping[str, Any]], numbers: Sequence[int]
) -> None:
    table = schema.epoch_metric
    numbered = {key: row[0] for key, row in _known(target, [_key(run) for run in new.values()]).items()}
    found = source.execute(select(table).where(table.c.run_id.between(numbers[0], numbers[-1]))).mappings()
    rows = [{**row, "run_id": numbered[_key(new[row["run_id"]])]} for row in found if row["run_id"] in new]
    for batch in batches(rows):
        insert_new(target, table, batch)


def _translated(row: dict[str, Any], ids: Mapping[str, Mapping[int, int]]) -> dict[str, Any]:
    del row["id"]
    for name in ("subnetwork", "protocol", "environment"):
        if row[f"{name}_id"] is not None:
            row[f"{name}_id"] = ids[name][row[f"{name}_id"]]
    return row


def _key(run: Mapping[str, Any]) -> tuple[int, int, int]:
    return run["subnetwork_id"], run["protocol_id"], run["seed"]


def _known(connection: Connection, keys: Sequence[tuple[int, int, int]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return row number and result of the stored runs, by key."""
    table = schema.run
    identity = tuple_(*(table.c[name] for name in _KEY))
    columns = [table.c[name] for name in (*_KEY, "id", *RESULT)]
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for batch in batches(keys):
        rows = connection.execute(select(*columns).where(identity.in_(batch)))
        found |= {tuple(row[:3]): tuple(row[3:]) for row in rows}
    return found


def _conflict(source: Connection, number: int, run: Mapping[str, Any], here: tuple[Any, ...]) -> str:
    column = next(column for column, name in enumerate(RESULT) if run[name] != here[column])
    query = (
        select(schema.subnetwork.c.key, schema.protocol.c.name)
        .select_from(schema.run.join(schema.subnetwork).join(schema.protocol))
        .where(schema.run.c.id == number)
    )
    subnetwork, protocol = source.execute(query).one()
    name = RESULT[column]
    return (
        f"run of subnetwork {short(subnetwork)}, protocol {short(protocol)}, seed {run['seed']}: {name} is "
        f"{short(here[column])} here and {short(run[name])} there"
    )
