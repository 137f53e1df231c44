"""Storing what a study is: its name, originals, regimes, spaces, populations, protocol and plan.

Every function stores once: storing the same again changes nothing and returns the same id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from prunestats.db import schema
from prunestats.db.records import SubnetworkRow
from prunestats.db.types import json_text, plain
from prunestats.errors import DatabaseError

_CHUNK = 10_000


def store_study(connection: Connection, *, name: str, text: str, fingerprint: str, seed: int) -> int:
    """Store a study; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    name : str
        One name, one fingerprint.
    text : str
        The study as it was written.
    fingerprint : str
        Hash of everything that decides its results.
    seed : int

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If another study has this name.
    """
    study_id = get_or_insert(
        connection, schema.study, {"name": name}, {"text": text, "fingerprint": fingerprint, "seed": seed}
    )
    stored = connection.scalar(select(schema.study.c.fingerprint).where(schema.study.c.id == study_id))
    if stored != fingerprint:
        raise DatabaseError(
            f"expected the study {_short(name)} as it is stored; found it changed: rename the study in its file "
            "(runs that are stored already are used again under the new name)"
        )
    return study_id


def store_original(
    connection: Connection,
    *,
    key: str,
    network: str,
    dataset: str,
    seed: int | None,
    recipe: Mapping[str, Any],
    group_names: Sequence[str] | None,
    group_sizes: Sequence[int] | None,
    cost: Mapping[str, Any] | None,
    flops: int,
    params: int,
    val_error: float | None = None,
    test_error: float | None = None,
    val_loss: float | None = None,
    test_loss: float | None = None,
    wall_s: float | None = None,
    weights_sha256: str | None = None,
    environment_id: int | None = None,
    flops_convention: str = "multiply-adds",
) -> int:
    """Store an original network; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    key : str
        Hash of everything that decides it.
    network, dataset : str
    seed : int or None
    recipe : mapping
        How it was trained.
    group_names, group_sizes, cost
        Its groups and its cost model (`CostModel.to_dict`); None for an import without.
    flops : int
        Multiply-adds for one input.
    params : int
    val_error, test_error : float or None
        Fractions.
    val_loss, test_loss : float or None
        Nats.
    wall_s : float or None
        Seconds of training.
    weights_sha256 : str or None
    environment_id : int or None
        From `store_environment`.
    flops_convention : str
        What `flops` counts.

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If another original has this key, or weights of another hash are stored for it.
    """
    values = {
        "network": network,
        "dataset": dataset,
        "seed": seed,
        "recipe": recipe,
        "group_names": None if group_names is None else list(group_names),
        "group_sizes": None if group_sizes is None else list(group_sizes),
        "cost": cost,
        "flops_convention": flops_convention,
        "flops": flops,
        "params": params,
        "val_error": val_error,
        "test_error": test_error,
        "val_loss": val_loss,
        "test_loss": test_loss,
        "wall_s": wall_s,
        "weights_sha256": weights_sha256,
        "environment_id": environment_id,
    }
    original_id = get_or_insert(connection, schema.original, {"key": key}, values)
    fixed = ("network", "dataset", "seed", "group_sizes", "flops", "params", "weights_sha256")
    _expect_same(
        connection, schema.original, original_id, {name: values[name] for name in fixed}, f"original {_short(key)}"
    )
    return original_id


def find_original(connection: Connection, key: str) -> dict[str, Any] | None:
    """Return the columns of an original by its key, or None.

    Parameters
    ----------
    connection : Connection
        From `read` or `write`.
    key : str

    Returns
    -------
    dict or None
        As `store_original` took them, with id and created_at.
    """
    row = connection.execute(select(schema.original).where(schema.original.c.key == key)).mappings().one_or_none()
    return None if row is None else dict(row)


def store_regime(connection: Connection, *, study_id: int, flops_fraction: float, tolerance: float) -> int:
    """Store a regime of a study; return its id.

    Raises
    ------
    DatabaseError
        If the study has a regime of this target with another tolerance.
    """
    regime_id = get_or_insert(
        connection, schema.regime, {"study_id": study_id, "flops_fraction": flops_fraction}, {"tolerance": tolerance}
    )
    _expect_same(connection, schema.regime, regime_id, {"tolerance": tolerance}, f"regime {flops_fraction}")
    return regime_id


def store_space(
    connection: Connection, *, study_id: int, name: str, sampler: str, parameters: Mapping[str, Any], law: str
) -> int:
    """Store a space of a study; return its id. The first that is stored is the initial space.

    Raises
    ------
    DatabaseError
        If the study has another space of this name.
    """
    taken = select(func.count()).select_from(schema.space).where(schema.space.c.study_id == study_id)
    values = {"sampler": sampler, "parameters": parameters, "law": law}
    space_id = get_or_insert(
        connection,
        schema.space,
        {"study_id": study_id, "name": name},
        {**values, "position": connection.scalar(taken)},
    )
    _expect_same(connection, schema.space, space_id, values, f"space {_short(name)}")
    return space_id


def store_population(
    connection: Connection,
    *,
    study_id: int,
    original_id: int,
    regime_id: int,
    space_id: int,
    attempts: int,
    accepted: int,
    duplicates: int,
    subnetworks: Sequence[SubnetworkRow],
) -> int:
    """Store a population with its subnetworks in the order of drawing; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id, original_id, regime_id, space_id : int
        Rows that say which population it is.
    attempts, accepted, duplicates : int
        Proposals drawn, those inside the band, and those of them that repeated an earlier one.
    subnetworks : sequence of SubnetworkRow
        Each once.

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If this population is stored with other subnetworks, or a subnetwork with another cost.
    """
    keys = [row.key for row in subnetworks]
    if len(set(keys)) < len(keys):
        raise DatabaseError(
            f"expected each subnetwork of a population once; found {len(keys) - len(set(keys))} twice: drop the copies"
        )
    identity = {"study_id": study_id, "original_id": original_id, "regime_id": regime_id, "space_id": space_id}
    counts = {"attempts": attempts, "accepted": accepted, "duplicates": duplicates}
    known = _find(connection, schema.population, identity)
    if known is not None:
        _expect_same(connection, schema.population, known, counts, "population")
        if _drawn_keys(connection, known) != keys:
            raise DatabaseError(
                "expected the population as it is stored; found other subnetworks drawn (another version of numpy or "
                "prunestats?): rename the study in its file"
            )
        return known
    ids = _store_subnetworks(connection, original_id, subnetworks)
    population_id = get_or_insert(connection, schema.population, identity, counts)
    draws = [
        {"population_id": population_id, "subnetwork_id": ids[key], "position": position}
        for position, key in enumerate(keys)
    ]
    insert_new(connection, schema.draw, draws)
    return population_id


def store_protocol(connection: Connection, *, key: str, name: str, parameters: Mapping[str, Any]) -> int:
    """Store a protocol; return its id. The first name that is given to a key stays.

    Raises
    ------
    DatabaseError
        If other parameters are stored under this key.
    """
    values = {"parameters": parameters}
    protocol_id = get_or_insert(connection, schema.protocol, {"key": key}, {**values, "name": name})
    _expect_same(connection, schema.protocol, protocol_id, values, f"protocol {_short(name)}")
    return protocol_id


def store_plan(connection: Connection, *, study_id: int, protocol_id: int, seeds: Sequence[int]) -> None:
    """Store which runs a study asks for: each of its subnetworks, with this protocol and each of these seeds.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id, protocol_id : int
    seeds : sequence of int

    Notes
    -----
    Studies may share subnetworks. With its plan, a study's results are the runs that it asked for, however many runs
    other studies add to the same subnetworks; and what is missing is known without the study's file.
    """
    rows = [{"study_id": study_id, "protocol_id": protocol_id, "seed": seed} for seed in seeds]
    insert_new(connection, schema.plan, rows)


def store_environment(
    connection: Connection, *, host: str, platform: str, python: str, versions: Mapping[str, Any]
) -> int:
    """Store a machine and its software; return its id."""
    values = {"host": host, "platform": platform, "python": python, "versions": dict(versions)}
    return get_or_insert(connection, schema.environment, {"key": content_hash(values)}, values)


def content_hash(content: Any) -> str:
    """Return the SHA-256 of anything that JSON can hold.

    Examples
    --------
    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json_text(plain(content)).encode()).hexdigest()


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose keys are not there yet, in bulk; return how many were."""
    if not rows:
        return 0
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # without RETURNING, and with the count kept, which is otherwise thrown away
    statement = dialect.insert(table).on_conflict_do_nothing().inline()
    return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Cut a sequence into parts that a database takes as the parameters of one statement."""
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))


def _find(connection: Connection, table: Table, identity: Mapping[str, Any]) -> int | None:
    found = select(table.c.id).where(*(table.c[name] == value for name, value in identity.items()))
    return connection.scalar(found)


def get_or_insert(connection: Connection, table: Table, identity: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Return the id of the row that `identity` names; `values` complete it where it is new."""
    known = _find(connection, table, identity)
    if known is None:
        insert_new(connection, table, [{**identity, **values}])
        known = _find(connection, table, identity)
    if known is None:
        raise DatabaseError(f"expected to store a row of {table.name}; found its place taken by another: report this")
    return known


def _expect_same(connection: Connection, table: Table, row: int, values: Mapping[str, Any], what: str) -> None:
    """Refuse to go on where what is stored is not what was to be stored."""
    stored = connection.execute(select(*(table.c[name] for name in values)).where(table.c.id == row)).one()
    for name, value, found in zip(values, values.values(), stored, strict=True):
        if plain(value) != found:
            raise DatabaseError(
                f"expected {what} as it is stored, with {name} {_short(found)}; found {_short(plain(value))}: "
                "rename it, or use another database"
            )


def _drawn_keys(connection: Connection, population_id: int) -> list[str]:
    draw, subnetwork = schema.draw, schema.subnetwork
    drawn = select(subnetwork.c.key).join(draw, draw.c.subnetwork_id == subnetwork.c.id)
    ordered = drawn.where(draw.c.population_id == population_id).order_by(draw.c.position)
    return list(connection.scalars(ordered))


def _store_subnetworks(
    connection: Connection, original_id: int, subnetworks: Sequence[SubnetworkRow]
) -> dict[str, int]:
    """Store subnetworks of one original; return their ids by key."""
    rows = [
        {
            "original_id": original_id,
            "key": row.key,
            "widths": None if row.widths is None else list(row.widths),
            "flops": row.flops,
            "params": row.params,
        }
        # one order for all writers: two that insert the same keys cannot wait for each other
        for row in sorted(subnetworks, key=lambda row: row.key)
    ]
    insert_new(connection, schema.subnetwork, rows)
    table = schema.subnetwork
    costs = {row.key: (row.flops, row.params) for row in subnetworks}
    ids: dict[str, int] = {}
    for keys in chunks(list(costs)):
        chosen = select(table.c.id, table.c.key, table.c.flops, table.c.params).where(
            table.c.original_id == original_id, table.c.key.in_(keys)
        )
        for row, key, flops, params in connection.execute(chosen):
            if (flops, params) != costs[key]:
                raise DatabaseError(
                    f"expected subnetwork {_short(key)} with {flops} FLOPs and {params} parameters, as stored; found "
                    f"{costs[key][0]} and {costs[key][1]}: keys must tell subnetworks apart"
                )
            ids[key] = row
    return ids


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
