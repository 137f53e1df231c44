"""Storing of studies, regimes, spaces, protocols and plans.

Every insert is idempotent: storing the same row again changes nothing and returns the same id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import content_hash, expect_same, find_row, get_or_insert, insert_new, short
from prunestats.errors import DatabaseError


def store_study(
    connection: Connection,
    *,
    name: str,
    text: str,
    fingerprint: str,
    seed: int,
    metric: Mapping[str, Any] | None = None,
) -> int:
    """Store a study; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    name : str
        Unique: a name has one fingerprint.
    text : str
        Content of the study file.
    fingerprint : str
        Hash of everything that determines the results.
    seed : int
        Seed from which all random numbers of the study derive.
    metric : mapping, optional
        Fields of its `prunestats.metric.Metric`; None for the error.

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If another study has this name.
    """
    values = {"text": text, "fingerprint": fingerprint, "seed": seed, "metric": metric}
    study_id = get_or_insert(connection, schema.study, {"name": name}, values)
    stored = connection.scalar(select(schema.study.c.fingerprint).where(schema.study.c.id == study_id))
    if stored != fingerprint:
        raise DatabaseError(
            f"expected the study {short(name)} as it is stored; found it changed: rename the study in its file "
            "(stored runs are reused under the new name)"
        )
    return study_id


def study_id(connection: Connection, name: str) -> int | None:
    """Return the id of the study of a name; None if there is none."""
    return find_row(connection, schema.study, {"name": name})


def store_regime(connection: Connection, *, study_id: int, flops_fraction: float | None, tolerance: float) -> int:
    """Store a regime (a band of FLOPs) of a study; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id : int
        Row number of the study.
    flops_fraction : float or None
        Target: FLOPs as a fraction of the original's, in (0, 1]; None for results without FLOPs. A study has one such
        regime.
    tolerance : float
        Relative tolerance, in [0, 1].

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If the study has a regime with this target and another tolerance.
    """
    if flops_fraction is None:
        # a unique constraint does not hold for NULL: writers of PostgreSQL take turns, as those of SQLite always do
        connection.execute(select(schema.study.c.id).where(schema.study.c.id == study_id).with_for_update())
    regime_id = get_or_insert(
        connection, schema.regime, {"study_id": study_id, "flops_fraction": flops_fraction}, {"tolerance": tolerance}
    )
    expect_same(connection, schema.regime, regime_id, {"tolerance": tolerance}, f"regime {flops_fraction}")
    return regime_id


def store_space(
    connection: Connection, *, study_id: int, name: str, sampler: str, parameters: Mapping[str, Any], law: str
) -> int:
    """Store a space (a distribution over widths) of a study; return its id.

    The first space that is stored is the initial space.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id : int
        Row number of the study.
    name : str
        Unique within the study.
    sampler : str
        Family of the distribution.
    parameters : mapping
        Its parameters, and constraints on the widths.
    law : str
        Description of the distribution.

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If the study has a different space of this name.
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
    """Store a protocol; return its id.

    The first name that is stored for a key is kept.

    Parameters
    ----------
    connection : Connection
        From `write`.
    key : str
        Hash of the parameters.
    name : str
        Name for tables and reports.
    parameters : mapping
        How subnetworks are pruned, trained and evaluated.

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If other parameters are stored for this key.
    """
    values = {"parameters": parameters}
    protocol_id = get_or_insert(connection, schema.protocol, {"key": key}, {**values, "name": name})
    expect_same(connection, schema.protocol, protocol_id, values, f"protocol {short(name)}")
    return protocol_id


def store_plan(connection: Connection, *, study_id: int, protocol_id: int, seeds: Sequence[int]) -> None:
    """Store the plan of a study: each of its subnetworks is run with this protocol and each of these seeds.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id, protocol_id : int
        Row numbers of study and protocol.
    seeds : sequence of int
        Training seeds.

    Notes
    -----
    Studies may share subnetworks. The results of a study with a plan are its planned runs, whatever runs other studies
    add to the same subnetworks; and the missing runs are known without the study file.
    """
    rows = [{"study_id": study_id, "protocol_id": protocol_id, "seed": seed} for seed in seeds]
    insert_new(connection, schema.plan, rows)


def planned_protocols(connection: Connection, study: str) -> list[dict[str, Any]]:
    """Return the parameters of the protocols of a study's planned runs."""
    plan, protocol = schema.plan, schema.protocol
    mine = select(plan.c.protocol_id).join(schema.study).where(schema.study.c.name == study)
    return list(
        connection.scalars(select(protocol.c.parameters).where(protocol.c.id.in_(mine)).order_by(protocol.c.id))
    )


def store_environment(
    connection: Connection, *, host: str, platform: str, python: str, versions: Mapping[str, Any]
) -> int:
    """Store an environment (a machine and its software); return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    host, platform, python : str
        Name of the machine; its operating system and processor; version of Python.
    versions : mapping
        Versions of packages and names of devices.

    Returns
    -------
    int
    """
    values = {"host": host, "platform": platform, "python": python, "versions": dict(versions)}
    return get_or_insert(connection, schema.environment, {"key": content_hash(values)}, values)
