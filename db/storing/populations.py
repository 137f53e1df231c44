"""Storing of populations: the subnetworks of an original that were sampled from a space in a regime."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import batches, expect_same, find_row, get_or_insert, insert_new, short
from prunestats.db.storing.records import SubnetworkRow
from prunestats.errors import DatabaseError


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
    """Store a population with its subnetworks in sampling order; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id, original_id, regime_id, space_id : int
        Row numbers that identify the population.
    attempts, accepted, duplicates : int
        Numbers of proposals, of proposals inside the band, and of the latter that repeated an earlier subnetwork.
    subnetworks : sequence of SubnetworkRow
        Without repetitions.

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If the population is stored with other subnetworks, or a subnetwork with another cost.
    """
    keys = [row.key for row in subnetworks]
    if len(set(keys)) < len(keys):
        raise DatabaseError(
            f"expected each subnetwork of a population once; found {len(keys) - len(set(keys))} twice: drop the repeats"
        )
    identity = {"study_id": study_id, "original_id": original_id, "regime_id": regime_id, "space_id": space_id}
    counts = {"attempts": attempts, "accepted": accepted, "duplicates": duplicates}
    known = find_row(connection, schema.population, identity)
    if known is not None:
        expect_same(connection, schema.population, known, counts, "population")
        if _drawn_keys(connection, known) != keys:
            raise DatabaseError(
                "expected the population as it is stored; found other subnetworks sampled (another version of numpy or "
                "prunestats?): rename the study in its file"
            )
        return known
    ids = store_subnetworks(connection, original_id, subnetworks)
    population_id = get_or_insert(connection, schema.population, identity, counts)
    draws = [
        {"population_id": population_id, "subnetwork_id": ids[key], "position": position}
        for position, key in enumerate(keys)
    ]
    insert_new(connection, schema.draw, draws)
    return population_id


def _drawn_keys(connection: Connection, population_id: int) -> list[str]:
    draw, subnetwork = schema.draw, schema.subnetwork
    drawn = select(subnetwork.c.key).join(draw, draw.c.subnetwork_id == subnetwork.c.id)
    ordered = drawn.where(draw.c.population_id == population_id).order_by(draw.c.position)
    return list(connection.scalars(ordered))


def store_subnetworks(connection: Connection, original_id: int, subnetworks: Sequence[SubnetworkRow]) -> dict[str, int]:
    """Store subnetworks of one original; return their ids by key."""
    rows = [
        {
            "original_id": original_id,
            "key": row.key,
            "widths": None if row.widths is None else list(row.widths),
            "flops": row.flops,
            "params": row.params,
        }
        # all writers insert in one order: otherwise two that insert the same keys could deadlock
        for row in sorted(subnetworks, key=lambda row: row.key)
    ]
    insert_new(connection, schema.subnetwork, rows)
    table = schema.subnetwork
    costs = {row.key: (row.flops, row.params) for row in subnetworks}
    ids: dict[str, int] = {}
    for keys in batches(list(costs)):
        chosen = select(table.c.id, table.c.key, table.c.flops, table.c.params).where(
            table.c.original_id == original_id, table.c.key.in_(keys)
        )
        for row, key, flops, params in connection.execute(chosen):
            if (flops, params) != costs[key]:
                raise DatabaseError(
                    f"expected subnetwork {short(key)} with {flops} FLOPs and {params} parameters, as stored; found "
                    f"{costs[key][0]} and {costs[key][1]}: give different subnetworks different keys"
                )
            ids[key] = row
    return ids
