"""Storing what a study is: its name, originals, regimes, spaces, protocol and plan.

Every function stores once: storing the same again changes nothing and returns the same id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import content_hash, expect_same, get_or_insert, insert_new, short
from prunestats.errors import DatabaseError


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
            f"expected the study {short(name)} as it is stored; found it changed: rename the study in its file "
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
    expect_same(
        connection, schema.original, original_id, {name: values[name] for name in fixed}, f"original {short(key)}"
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
    expect_same(connection, schema.regime, regime_id, {"tolerance": tolerance}, f"regime {flops_fraction}")
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
    expect_same(connection, schema.space, space_id, values, f"space {short(name)}")
    return space_id


def store_protocol(connection: Connection, *, key: str, name: str, parameters: Mapping[str, Any]) -> int:
    """Store a protocol; return its id. The first name that is given to a key stays.

    Raises
    ------
    DatabaseError
        If other parameters are stored under this key.
    """
    values = {"parameters": parameters}
    protocol_id = get_or_insert(connection, schema.protocol, {"key": key}, {**values, "name": name})
    expect_same(connection, schema.protocol, protocol_id, values, f"protocol {short(name)}")
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
