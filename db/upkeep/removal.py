"""Removal of a study, a population or an original, with the rows that nothing else uses, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import find_row, unknown_name
from prunestats.db.upkeep.deletion import (
    Removed,
    delete_originals,
    delete_populations,
    delete_protocols,
    delete_rows,
    delete_studies,
    members,
    populations_of,
    remove_unused,
    total,
)
from prunestats.errors import InputError

_SHOWN = 10
"""Originals that a message lists: as many as `unknown_name` lists names."""


def remove_study(connection: Connection, name: str, *, keep_originals: bool = False) -> Removed:
    """Delete a study, and the subnetworks, runs and originals that no other study uses.

    Parameters
    ----------
    connection : Connection
        From `write`.
    name : str
        Name of the study.
    keep_originals : bool
        Whether originals stay that no population is sampled from any longer.

    Returns
    -------
    Removed

    Raises
    ------
    InputError
        If there is no such study; the message lists the studies.

    Notes
    -----
    A subnetwork stays if a population of another study contains it, and a run if another study owns it: one that
    plans its protocol and seed for this subnetwork, or has no plan and owns every run of its subnetworks. Stored
    analyses of the study go with it; those of several studies stay, with the hash of their rows. A protocol goes with
    the last run and plan that name it. Environments stay: another process may be about to store a run on one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from prunestats.db import open_database, store_study, write
    >>> with TemporaryDirectory() as folder:
    ...     engine = open_database(f"{folder}/results.db")
    ...     with write(engine) as connection:
    ...         study = store_study(connection, name="digits", text="", fingerprint="f", seed=0)
    ...         removed = remove_study(connection, "digits")
    ...     engine.dispose()
    >>> removed.words, removed.studies
    ('1 study', ('digits',))
    """
    study_id = _named(connection, schema.study, "name", name)
    return _remove(connection, populations_of(connection, study_id=study_id), [study_id], keep_originals)


def remove_original(connection: Connection, key: str) -> Removed:
    """Delete an original with all its populations, subnetworks and runs, whichever studies use them.

    Parameters
    ----------
    connection : Connection
        From `write`.
    key : str
        Key of the original, or the name of its network where no other original has that network.

    Returns
    -------
    Removed

    Raises
    ------
    InputError
        If there is no such original, or several of this network; the message lists keys.

    Notes
    -----
    A study that is left without populations goes as well, with its analyses.
    """
    original_id, key = _original(connection, key)
    sampled = _remove(connection, populations_of(connection, original_id=original_id), [], keep_originals=True)
    cut = list(connection.scalars(select(schema.subnetwork.c.id).where(schema.subnetwork.c.original_id == original_id)))
    unused = remove_unused(connection, cut)
    alone = delete_rows(connection, schema.original, schema.original.c.id, [original_id])
    return total([sampled, unused, Removed({"original": alone}, originals=(key,))])


def remove_population(
    connection: Connection, *, study: str, space: str, regime: float, original: str | None = None
) -> Removed:
    """Delete a population of a study, and the subnetworks and runs that no other population uses.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study, space : str
        Names of the study and of its space.
    regime : float
        FLOPs target as a fraction of the original's.
    original : str, optional
        Key of the original, or the name of its network; by default the populations of all originals are deleted.

    Returns
    -------
    Removed

    Raises
    ------
    InputError
        If there is no such population; the message lists the study's spaces, regimes or originals.

    Notes
    -----
    The study's spaces, regimes and plan stay, so that running it again samples the population again; with its last
    population the study goes, as `remove_study` deletes it.
    """
    study_id = _named(connection, schema.study, "name", study)
    identity = {
        "study_id": study_id,
        "space_id": _named(connection, schema.space, "name", space, study_id=study_id),
        "regime_id": _named(connection, schema.regime, "flops_fraction", regime, study_id=study_id),
    }
    if original is not None:
        identity["original_id"], _ = _original(connection, original)
    populations = populations_of(connection, **identity)
    if not populations:
        raise InputError(
            f"expected a population of study {study!r}, space {space!r} and regime {regime:g}; found none"
            f"{'' if original is None else f' of original {original!r}'}: `prunestats status` lists the populations"
        )
    return _remove(connection, populations, [], keep_originals=False)


def _remove(
    connection: Connection, populations: Sequence[int], studies: Sequence[int], keep_originals: bool
) -> Removed:
    """Delete populations, with these studies, those left without populations, and what nothing else uses."""
    table = schema.population
    used = connection.execute(select(table.c.study_id, table.c.original_id).where(table.c.id.in_(populations))).all()
    subnetworks = members(connection, populations)
    sampled = delete_populations(connection, populations)
    left = set(connection.scalars(select(table.c.study_id)))
    emptied = sorted({*studies, *(row.study_id for row in used)} - left)
    plans = list(connection.scalars(select(schema.plan.c.protocol_id).where(schema.plan.c.study_id.in_(emptied))))
    declared = delete_studies(connection, emptied)
    unused = remove_unused(connection, subnetworks)
    protocols = Removed({"protocol": delete_protocols(connection, plans)})
    candidates = {row.original_id for row in used} if emptied and not keep_originals else set()
    return total([sampled, declared, unused, protocols, delete_originals(connection, candidates)])


def _named(connection: Connection, table: Table, column: str, value: Any, **within: int) -> int:
    """Return the row number of a study, space or regime by its name."""
    found = find_row(connection, table, {column: value, **within})
    if found is None:
        mine = (table.c[name] == row for name, row in within.items())
        names = connection.scalars(select(table.c[column]).where(*mine).order_by(table.c.id))
        raise unknown_name(table.name, value, list(names))
    return found


def _original(connection: Connection, name: str) -> tuple[int, str]:
    """Return row number and key of the original with this key, or the only one of the network of this name."""
    table = schema.original
    known = connection.execute(select(table.c.id, table.c.key, table.c.network).order_by(table.c.id)).all()
    found = [row for row in known if row.key == name] or [row for row in known if row.network == name]
    if len(found) == 1:
        return found[0].id, found[0].key
    what = f"{len(found)} originals of the network {name!r}" if found else f"{name!r}"
    shown = ", ".join(f"{row.key} ({row.network})" for row in (found or known)[:_SHOWN]) or "none"
    raise InputError(f"expected the key of one original; found {what}: the database has {shown}")
