"""Rows of studies, populations and originals, deleted together with the subnetworks and runs that nothing else uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Exists, Table, exists, or_, select

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import batches

# The tables from which rows are removed, with the nouns for one row and for several.
_NOUNS = {
    "epoch_metric": ("row of metrics per epoch", "rows of metrics per epoch"),
    "weights": ("file of kept weights", "files of kept weights"),
    "run": ("run", "runs"),
    "latency": ("latency", "latencies"),
    "draw": ("member of a population", "members of populations"),
    "population": ("population", "populations"),
    "subnetwork": ("subnetwork", "subnetworks"),
    "original": ("original", "originals"),
    "plan": ("planned seed", "planned seeds"),
    "regime": ("regime", "regimes"),
    "space": ("space", "spaces"),
    "analysis": ("analysis", "analyses"),
    "study": ("study", "studies"),
    "protocol": ("protocol", "protocols"),
}
_SAID = ("study", "population", "original", "subnetwork", "run", "weights", "latency", "analysis")
_OF_STUDY = ("plan", "regime", "space", "analysis")


@dataclass(frozen=True)
class Removed:
    """Rows that a removal deleted.

    Parameters
    ----------
    rows : dict of str to int
        Number of deleted rows by table.
    studies : tuple of str
        Names of the deleted studies.
    populations : tuple of str
        Study, space, regime and original (network and key) of each deleted population.
    originals : tuple of str
        Keys of the deleted originals. Files of their weights are not touched; those of kept weights of runs are deleted
        by `prunestats.db.upkeep.weight_files.remove_orphans`, after the transaction.
    """

    rows: dict[str, int]
    studies: tuple[str, ...] = ()
    populations: tuple[str, ...] = ()
    originals: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What was deleted, as a phrase: `1 study, 2 populations, 40 subnetworks and 80 runs`."""
        found = [f"{n:,} {_NOUNS[name][n != 1]}" for name in _SAID if (n := self.rows.get(name, 0))]
        return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]])) or "nothing"


def forget_declaration(connection: Connection, study_id: int) -> list[int]:
    """Delete a study's row, populations, regimes, spaces, plan and analyses; return the subnetworks that it sampled.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id : int
        Row number of the study.

    Returns
    -------
    list of int
        Row numbers for `remove_unused`, which deletes them and their runs where no study uses them. Between both,
        another study can be stored that does: so a study is replaced by a changed one without losing shared runs.
    """
    populations = populations_of(connection, study_id=study_id)
    subnetworks = members(connection, populations)
    delete_populations(connection, populations)
    delete_studies(connection, [study_id])
    return subnetworks


def remove_unused(connection: Connection, subnetwork_ids: Sequence[int]) -> Removed:
    """Delete, of these subnetworks, the runs that no study owns, and the subnetworks that no population contains.

    Parameters
    ----------
    connection : Connection
        From `write`.
    subnetwork_ids : sequence of int
        Row numbers, from `forget_declaration`.

    Returns
    -------
    Removed
    """
    run, epoch, subnetwork = schema.run, schema.epoch_metric, schema.subnetwork
    rows: Counter[str] = Counter()
    protocols: set[int] = set()
    for batch in batches(sorted(set(subnetwork_ids))):
        unowned = select(run.c.id, run.c.protocol_id).where(run.c.subnetwork_id.in_(batch), ~_owned())
        found = connection.execute(unowned).all()
        protocols |= {row.protocol_id for row in found}
        runs = [row.id for row in found]
        rows["epoch_metric"] += delete_rows(connection, epoch, epoch.c.run_id, runs)
        rows["weights"] += delete_rows(connection, schema.weights, schema.weights.c.run_id, runs)
        rows["run"] += delete_rows(connection, run, run.c.id, runs)
        undrawn = ~exists().where(schema.draw.c.subnetwork_id == subnetwork.c.id)
        gone = connection.scalars(select(subnetwork.c.id).where(subnetwork.c.id.in_(batch), undrawn)).all()
        rows["latency"] += delete_rows(connection, schema.latency, schema.latency.c.subnetwork_id, gone)
        rows["subnetwork"] += delete_rows(connection, subnetwork, subnetwork.c.id, batch, undrawn)
    rows["protocol"] = delete_protocols(connection, protocols)
    return total([Removed(rows)])


def _owned() -> Exists:
    """Whether a study owns a run, as the view `results` has it."""
    run, draw, population, plan = schema.run, schema.draw, schema.population, schema.plan
    # named in full: SQLAlchemy's own correlation stops at the query around each, and the run is two queries out
    mine = exists().where(plan.c.study_id == population.c.study_id).correlate(population, run)
    planned = mine.where(plan.c.protocol_id == run.c.protocol_id, plan.c.seed == run.c.seed)
    drawn = draw.join(population, population.c.id == draw.c.population_id)
    return (
        exists()
        .select_from(drawn)
        .where(draw.c.subnetwork_id == run.c.subnetwork_id, or_(planned, ~mine))
        .correlate(run)
    )


def delete_populations(connection: Connection, populations: Sequence[int]) -> Removed:
    """Delete populations with their members; subnetworks stay."""
    p, space, regime, original = schema.population, schema.space, schema.regime, schema.original
    joined = (
        p.join(schema.study, schema.study.c.id == p.c.study_id)
        .join(space, space.c.id == p.c.space_id)
        .join(regime, regime.c.id == p.c.regime_id)
        .join(original, original.c.id == p.c.original_id)
    )
    columns = (
        schema.study.c.name,
        space.c.name,
        regime.c.flops_fraction,
        schema.original.c.network,
        schema.original.c.key,
    )
    names = connection.execute(select(*columns).select_from(joined).where(p.c.id.in_(populations)).order_by(p.c.id))
    described = tuple(
        f"study {study!r}, space {name!r}, regime {_target(flops)}, original {network!r} ({key})"
        for study, name, flops, network, key in names
    )
    rows = {
        "draw": delete_rows(connection, schema.draw, schema.draw.c.population_id, populations),
        "population": delete_rows(connection, p, p.c.id, populations),
    }
    return Removed(rows, populations=described)


def _target(flops: float | None) -> str:
    return "none" if flops is None else f"{flops:g}"


def delete_studies(connection: Connection, studies: Sequence[int]) -> Removed:
    """Delete studies without populations, with their plans, regimes, spaces and analyses."""
    table = schema.study
    names = connection.scalars(select(table.c.name).where(table.c.id.in_(studies)).order_by(table.c.id)).all()
    tables = [schema.metadata.tables[name] for name in _OF_STUDY]
    rows = {each.name: delete_rows(connection, each, each.c.study_id, studies) for each in tables}
    rows["study"] = delete_rows(connection, table, table.c.id, studies)
    return Removed(rows, studies=tuple(names))


def delete_originals(connection: Connection, candidates: Collection[int]) -> Removed:
    """Delete the originals that have neither a population nor a subnetwork."""
    table = schema.original
    users = (exists().where(user.c.original_id == table.c.id) for user in (schema.population, schema.subnetwork))
    unused = select(table.c.id, table.c.key).where(table.c.id.in_(candidates), *(~user for user in users))
    found = connection.execute(unused.order_by(table.c.id)).all()
    n = delete_rows(connection, table, table.c.id, [row.id for row in found])
    return Removed({"original": n}, originals=tuple(row.key for row in found))


def delete_protocols(connection: Connection, candidates: Iterable[int]) -> int:
    """Delete the protocols that neither a run nor a plan names; return their number."""
    table = schema.protocol
    unused = [~exists().where(user.c.protocol_id == table.c.id) for user in (schema.run, schema.plan)]
    return delete_rows(connection, table, table.c.id, sorted(set(candidates)), *unused)


def delete_rows(
    connection: Connection, table: Table, column: ColumnElement[Any], values: Sequence[Any], *where: ColumnElement[bool]
) -> int:
    """Delete the rows with these values of a column; return their number."""
    return sum(
        connection.execute(table.delete().where(column.in_(batch), *where)).rowcount for batch in batches(values)
    )


def populations_of(connection: Connection, **identity: int) -> list[int]:
    """Return the row numbers of the populations with these values of their columns."""
    table = schema.population
    mine = (table.c[name] == value for name, value in identity.items())
    return list(connection.scalars(select(table.c.id).where(*mine).order_by(table.c.id)))


def members(connection: Connection, populations: Sequence[int]) -> list[int]:
    """Return the row numbers of the subnetworks in these populations, each once."""
    table = schema.draw
    drawn = select(table.c.subnetwork_id).distinct().where(table.c.population_id.in_(populations))
    return list(connection.scalars(drawn))


def total(parts: Sequence[Removed]) -> Removed:
    """Add up removals, in the order in which they were made."""
    rows = {name: sum(part.rows.get(name, 0) for part in parts) for name in _NOUNS}
    studies, populations, originals = (
        tuple(name for part in parts for name in getattr(part, field))
        for field in ("studies", "populations", "originals")
    )
    return Removed(rows, studies, populations, originals)
