"""Storing of the runs of an external table: new ones are inserted, contradicting ones are returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from prunestats.db.connection.plain_values import json_text, now
from prunestats.db.exchange.refused_rows import Refusal, Run
from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import batches, insert_new, short
from prunestats.db.storing.records import RESULT
from prunestats.db.storing.study import store_environment

_UNKNOWN = "not recorded"


def store_external_runs(
    connection: Connection,
    runs: Sequence[Run],
    protocols: Mapping[str, int],
    subnetworks: Mapping[tuple[str, str], int],
) -> tuple[list[Refusal], int]:
    """Store the runs; return those that are stored with another result, and the number of new runs."""
    known = _known_runs(connection, sorted(set(subnetworks.values())))
    conflicts: list[Refusal] = []
    rows: dict[tuple[int, int, int], dict[str, Any]] = {}
    environments = {key: _environment(connection, run) for key, run in _environments(runs).items()}
    for run in runs:
        key = (subnetworks[run["original"], run["subnetwork"]], protocols[run["protocol_key"]], run["seed"])
        result = tuple(run.get(name) for name in RESULT)
        if key not in known:
            row: dict[str, Any] = dict(zip(("subnetwork_id", "protocol_id", "seed"), key, strict=True))
            row |= {name: run.get(name) for name in (*RESULT, "metrics", "wall_s", *schema.OPTIONAL_METRICS)}
            row["created_at"] = run.get("created_at") or now()
            rows[key] = row | {"environment_id": environments[_machine(run)]}
        elif known[key] != result:
            column, value, stored = next(
                (name, value, stored)
                for name, value, stored in zip(RESULT, result, known[key], strict=True)
                if value != stored
            )
            conflicts.append(
                Refusal(run["row"], "the result that is stored", f"{column} {short(value)}, not {short(stored)}")
            )
    return conflicts, insert_new(connection, schema.run, list(rows.values()))


def _known_runs(connection: Connection, subnetwork_ids: Sequence[int]) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    table = schema.run
    columns = [table.c[name] for name in ("subnetwork_id", "protocol_id", "seed", *RESULT)]
    found: dict[tuple[int, int, int], tuple[Any, ...]] = {}
    for batch in batches(subnetwork_ids):
        rows = connection.execute(select(*columns).where(table.c.subnetwork_id.in_(batch)))
        found |= {(row[0], row[1], row[2]): tuple(row[3:]) for row in rows}
    return found


def _machine(run: Run) -> str:
    return json_text([run.get(name) for name in ("host", "platform", "python", "versions")])


def _environments(runs: Sequence[Run]) -> dict[str, Run]:
    found: dict[str, Run] = {}
    for run in runs:
        found.setdefault(_machine(run), run)
    return found


def _environment(connection: Connection, run: Run) -> int | None:
    if run.get("host") is None:
        return None
    software = {name: run.get(name) or _UNKNOWN for name in ("platform", "python")}
    return store_environment(connection, host=run["host"], versions=run.get("versions") or {}, **software)
