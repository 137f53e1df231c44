"""Merging of two databases: rows that the target lacks are added, and no row is replaced."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, select

from prunestats.db.connection.address import file_of, parse_address
from prunestats.db.connection.engine import write
from prunestats.db.schema import tables as schema
from prunestats.db.schema.opening import Source, open_database, reading
from prunestats.db.storing.insert_once import content_hash, insert_new, short
from prunestats.db.upkeep.merge_runs import merge_runs
from prunestats.db.upkeep.weight_files import copy_weights
from prunestats.errors import DatabaseError, InputError

# For each table: the columns that identify a row, and the columns that must agree where both databases have the row.
_TABLES: tuple[tuple[Table, tuple[str, ...], tuple[str, ...]], ...] = (
    (schema.environment, ("key",), ()),
    (schema.original, ("key",), ("dataset", "seed", "group_sizes", "flops", "params", "weights_sha256")),
    (schema.study, ("name",), ("fingerprint",)),
    (schema.regime, ("study_id", "flops_fraction"), ("tolerance",)),
    (schema.space, ("study_id", "name"), ("sampler", "parameters", "law")),
    (schema.subnetwork, ("original_id", "key"), ("widths", "flops", "params")),
    (schema.population, ("study_id", "original_id", "regime_id", "space_id"), ("attempts", "accepted", "duplicates")),
    (schema.protocol, ("key",), ("parameters",)),
)
Ids = dict[str, dict[int, int]]


@dataclass(frozen=True)
class MergeSummary:
    """Rows that a merge added, and conflicts between the databases.

    Parameters
    ----------
    added : dict of str to int
        Number of new rows per table.
    conflicts : tuple of str
        One line each; the target keeps its own values.
    lost_weights : int
        Kept weights of the other database that were not taken, as there is no file with the stored hash.
    """

    added: dict[str, int]
    conflicts: tuple[str, ...]
    lost_weights: int = 0


def merge_database(target: Engine | str | os.PathLike[str], other: Source) -> MergeSummary:
    """Add to a database the rows of another that it lacks, in one transaction.

    Parameters
    ----------
    target : Engine, str or Path
        Database to add to; it is created if it does not exist.
    other : Engine, str or Path
        Database to read; it is not changed.

    Returns
    -------
    MergeSummary

    Raises
    ------
    InputError
        If both are the same database.
    DatabaseError
        If two different studies have one name, or a database cannot be used; then nothing is changed.

    Notes
    -----
    Rows are identified by content: originals, subnetworks and protocols by their keys, studies by name and fingerprint,
    runs by subnetwork, protocol and seed, latencies by subnetwork and setting. A run that both have is kept as in the
    target, and is reported as a conflict if its result differs. Inserts are idempotent: merging again changes nothing.
    Files of kept weights are copied to the folder beside the target with the rows that are taken, and where both
    databases have the run with one result.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from prunestats.db import store_study, write
    >>> with TemporaryDirectory() as folder:
    ...     other = open_database(f"{folder}/other.db")
    ...     with write(other) as connection:
    ...         study = store_study(connection, name="digits", text="", fingerprint="f", seed=0)
    ...     summary = merge_database(f"{folder}/results.db", other)
    ...     other.dispose()
    >>> summary.added["study"], summary.conflicts
    (1, ())
    """
    _refuse_same_file(target, other)
    engine = target if isinstance(target, Engine) else open_database(target)
    try:
        with reading(other) as source, write(engine) as connection:
            return _merge(source, connection)
    finally:
        if engine is not target:
            engine.dispose()


def _merge(source: Connection, target: Connection) -> MergeSummary:
    before = _counts(target)
    _refuse_other_studies(source, target)
    ids: Ids = {}
    conflicts: list[str] = []
    for table, identity, fixed in _TABLES:
        ids[table.name], found = _merge_table(source, target, table, identity, fixed, ids)
        conflicts += found
    conflicts += _merge_draws(source, target, ids)
    plans = [_translated(dict(row), schema.plan, ids) for row in source.execute(select(schema.plan)).mappings()]
    insert_new(target, schema.plan, plans)
    found, numbers = merge_runs(source, target, ids)
    lost = copy_weights(source, target, numbers)
    conflicts += found
    # a latency that both have is kept as it is here: two measurements never agree exactly
    latencies = [
        _translated(dict(row), schema.latency, ids) for row in source.execute(select(schema.latency)).mappings()
    ]
    insert_new(target, schema.latency, latencies)
    _merge_analyses(source, target, ids)
    after = _counts(target)
    return MergeSummary({name: after[name] - before[name] for name in after}, tuple(conflicts), lost)


def _refuse_same_file(target: Any, other: Any) -> None:
    urls = [source.url if isinstance(source, Engine) else parse_address(source) for source in (target, other)]
    files = [file_of(url) for url in urls if url.get_backend_name() == "sqlite"]
    same = len(files) == 2 and all(file.exists() for file in files) and files[0].samefile(files[1])
    if same or (not files and urls[0] == urls[1]):
        raise InputError(f"expected two databases; found {urls[0].database!r} twice: name another")


def _refuse_other_studies(source: Connection, target: Connection) -> None:
    known = select(schema.study.c.name, schema.study.c.fingerprint)
    here, there = ({row.name: row.fingerprint for row in c.execute(known)} for c in (target, source))
    for name, fingerprint in there.items():
        if here.get(name, fingerprint) != fingerprint:
            raise DatabaseError(
                f"expected the study {short(name)} to be one study in both databases; found two of this name: nothing "
                "was merged, rename one of them"
            )


def _merge_table(
    source: Connection,
    target: Connection,
    table: Table,
    identity: Sequence[str],
    fixed: Sequence[str],
    ids: Ids,
) -> tuple[dict[int, int], list[str]]:
    """Add the missing rows; return row numbers in the target by those in the source, and conflicts."""
    rows = {row["id"]: _translated(dict(row), table, ids) for row in source.execute(select(table)).mappings()}
    key_of = {old: tuple(row[name] for name in identity) for old, row in rows.items()}
    known = _known(target, table, identity, fixed)
    new = [row for old, row in rows.items() if key_of[old] not in known]
    if table is schema.space:
        _insert_spaces(target, new)
    else:
        insert_new(target, table, new)
    differing = [
        f"{table.name} {short(key[-1])}: {name} is {short(kept)} here and {short(rows[old][name])} there"
        for old, key in key_of.items()
        if key in known
        for name, kept in zip(fixed, known[key][1:], strict=True)
        if rows[old][name] != kept
    ]
    after = _known(target, table, identity, ())
    return {old: after[key][0] for old, key in key_of.items()}, differing


def _known(
    connection: Connection, table: Table, identity: Sequence[str], fixed: Sequence[str]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    columns = [table.c[name] for name in (*identity, "id", *fixed)]
    rows = connection.execute(select(*columns))
    return {tuple(row[: len(identity)]): tuple(row[len(identity) :]) for row in rows}


def _translated(row: dict[str, Any], table: Table, ids: Ids) -> dict[str, Any]:
    """Return a row without its number, with references to rows of the target."""
    row.pop("id", None)
    for name, found in ids.items():
        reference = f"{name}_id"
        if reference in row and row[reference] is not None:
            row[reference] = found[row[reference]]
    return row


def _insert_spaces(target: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add spaces; one whose position is taken is appended to those of the study."""
    for row in rows:
        mine = schema.space.c.study_id == row["study_id"]
        taken = set(target.scalars(select(schema.space.c.position).where(mine)))
        position = row["position"] if row["position"] not in taken else max(taken) + 1
        insert_new(target, schema.space, [{**row, "position": position}])


def _merge_draws(source: Connection, target: Connection, ids: Ids) -> list[str]:
    """Add the members of populations; imported populations may grow, sampled ones must have the same members."""
    theirs: dict[int, list[int]] = {}
    drawn = select(schema.draw).order_by(schema.draw.c.population_id, schema.draw.c.position)
    positions: dict[tuple[int, int], int] = {}
    for row in source.execute(drawn):
        population, subnetwork = ids["population"][row.population_id], ids["subnetwork"][row.subnetwork_id]
        theirs.setdefault(population, []).append(subnetwork)
        positions[population, subnetwork] = row.position
    ours: dict[int, dict[int, int]] = {}
    for row in target.execute(drawn):
        ours.setdefault(row.population_id, {})[row.subnetwork_id] = row.position
    attempts = {
        row.id: row.attempts for row in target.execute(select(schema.population.c.id, schema.population.c.attempts))
    }
    rows, conflicts = [], []
    for population, members in theirs.items():
        known = ours.get(population, {})
        new = [member for member in members if member not in known]
        if known and new and attempts[population]:
            conflicts.append(
                f"population {population}: {len(new)} subnetworks were sampled there that were not sampled here"
            )
            continue
        following = max(known.values(), default=-1) + 1
        for offset, member in enumerate(new):
            position = positions[population, member] if not known else following + offset
            rows.append({"population_id": population, "subnetwork_id": member, "position": position})
    insert_new(target, schema.draw, rows)
    return conflicts


def _merge_analyses(source: Connection, target: Connection, ids: Ids) -> None:
    rows = [_translated(dict(row), schema.analysis, ids) for row in source.execute(select(schema.analysis)).mappings()]
    for row in rows:
        identity = [row[name] for name in ("study_id", "kind", "parameters", "rows_hash", "versions")]
        row["key"] = content_hash(identity)
    insert_new(target, schema.analysis, rows)


def _counts(connection: Connection) -> dict[str, int]:
    tables: Mapping[str, Table] = schema.metadata.tables
    return {name: connection.scalar(select(func.count()).select_from(table)) or 0 for name, table in tables.items()}
