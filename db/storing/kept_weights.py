"""Kept weights: which runs of a population are kept, by rank on the validation split, and rows of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, or_, select, text

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import batches, insert_new
from prunestats.metric import as_metric

_LOCK = 0x7072776B
"""Number of PostgreSQL's advisory lock of kept weights: the letters "prwk". Any number would do."""


@dataclass(frozen=True)
class KeptRun:
    """A run whose weights are kept.

    Parameters
    ----------
    run_id : int
    subnetwork, protocol : str
        Keys.
    seed : int
    sha256 : str
        SHA-256 of the file.
    """

    run_id: int
    subnetwork: str
    protocol: str
    seed: int
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file."""
        return weights_name(self.subnetwork, self.protocol, self.seed, self.sha256)


def weights_name(subnetwork: str, protocol: str, seed: int, sha256: str) -> str:
    """Return the name of the file of kept weights: keys and seed of the run, and the beginning of its hash.

    Two processes that train one run on different machines so write two files, of which one has a row.

    Examples
    --------
    >>> weights_name("3f9c", "a01b", 0, "c0ffee" * 10)
    '3f9c-a01b-0-c0ffeec0ffeec0ff.safetensors'
    """
    return f"{subnetwork}-{protocol}-{seed}-{sha256[:16]}.safetensors"


def lock_weights(connection: Connection) -> None:
    """Wait until no other transaction changes kept weights; on SQLite a write transaction is alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})


def run_to_keep(
    connection: Connection, *, subnetwork_id: int, protocol_id: int, seed: int, keep: int
) -> tuple[int | None, list[KeptRun]]:
    """Decide whether the weights of a stored run are kept, and which kept weights it replaces.

    Parameters
    ----------
    connection : Connection
        From `write`, after `lock_weights`.
    subnetwork_id, protocol_id, seed : int
        Key of the run.
    keep : int
        Runs that are kept of a population.

    Returns
    -------
    int or None
        Row number of the run; None if it is among the best `keep` runs of none of its populations.
    list of KeptRun
        Kept runs of these populations that are not among the best of any population any longer.
    """
    run = schema.run
    mine = select(run.c.id).where(
        run.c.subnetwork_id == subnetwork_id, run.c.protocol_id == protocol_id, run.c.seed == seed
    )
    run_id = connection.scalar(mine)
    if run_id is None:
        return None, []
    best = _Best(connection, protocol_id, keep)
    wanting = [one for one in _populations(connection, run_id) if run_id in best.of(one)]
    if not wanting:
        return None, []
    return run_id, [one for one in _kept_in(connection, wanting, protocol_id) if not best.wants(one.run_id)]


def store_weights(connection: Connection, *, run_id: int, sha256: str, size: int, replaced: Sequence[KeptRun]) -> None:
    """Store the row of the weights of a run, and delete those of the runs that it replaces."""
    delete_weights(connection, [one.run_id for one in replaced])
    insert_new(connection, schema.weights, [{"run_id": run_id, "sha256": sha256, "size": size}])


def delete_weights(connection: Connection, run_ids: Sequence[int]) -> None:
    """Delete rows of kept weights; their files become orphans, which `remove_orphans` deletes."""
    for batch in batches(run_ids):
        connection.execute(schema.weights.delete().where(schema.weights.c.run_id.in_(batch)))


def kept_runs(connection: Connection, *where: ColumnElement[bool]) -> list[KeptRun]:
    """Return the runs whose weights are kept, sorted by run."""
    w, run, subnetwork, protocol = schema.weights, schema.run, schema.subnetwork, schema.protocol
    joined = w.join(run).join(subnetwork, subnetwork.c.id == run.c.subnetwork_id).join(protocol)
    columns = (w.c.run_id, subnetwork.c.key, protocol.c.key, run.c.seed, w.c.sha256)
    rows = connection.execute(select(*columns).select_from(joined).where(*where).order_by(w.c.run_id))
    return [KeptRun(*row) for row in rows]


def best_values(connection: Connection, *, study_id: int, protocol_id: int, keep: int) -> dict[int, list[float]]:
    """Return the best validation metrics of each population of a study, the best first, at most `keep`.

    Values are products with the sign of the metric: lower is better.
    """
    table = schema.population
    ids = connection.scalars(select(table.c.id).where(table.c.study_id == study_id).order_by(table.c.id)).all()
    found = {}
    for one in _described(connection, table.c.id.in_(ids)):
        found[one.id] = [float(row.value) for row in connection.execute(_ranked(one, protocol_id, keep))]
    return found


def populations_by_subnetwork(connection: Connection, study_id: int) -> dict[int, list[int]]:
    """Return the populations of a study that contain each of its subnetworks, by row numbers."""
    draw, population = schema.draw, schema.population
    query = select(draw.c.subnetwork_id, draw.c.population_id).join(population).where(population.c.study_id == study_id)
    found: dict[int, list[int]] = {}
    for subnetwork, owner in connection.execute(query):
        found.setdefault(subnetwork, []).append(owner)
    return found


def run_is_wanted(connection: Connection, *, subnetwork: str, protocol: str, seed: int) -> bool:
    """Return whether a run, named by keys and seed, is not stored, while its subnetwork and its protocol are."""
    s, p, run = schema.subnetwork, schema.protocol, schema.run
    known = select(s.c.id).where(s.c.key == subnetwork), select(p.c.id).where(p.c.key == protocol)
    stored = select(run.c.id).join(s, s.c.id == run.c.subnetwork_id).join(p, p.c.id == run.c.protocol_id)
    mine = stored.where(s.c.key == subnetwork, p.c.key == protocol, run.c.seed == seed)
    return all(connection.scalar(one) is not None for one in known) and connection.scalar(mine) is None


class _Best:
    """The best runs of populations, each population looked up once."""

    def __init__(self, connection: Connection, protocol_id: int, keep: int) -> None:
        self.connection, self.protocol_id, self.keep = connection, protocol_id, keep
        self.found: dict[int, set[int]] = {}

    def of(self, population: Row[Any]) -> set[int]:
        if population.id not in self.found:
            rows = self.connection.execute(_ranked(population, self.protocol_id, self.keep))
            self.found[population.id] = {row.id for row in rows}
        return self.found[population.id]

    def wants(self, run_id: int) -> bool:
        return any(run_id in self.of(one) for one in _populations(self.connection, run_id))


def _populations(connection: Connection, run_id: int) -> Sequence[Any]:
    """Return the populations that own a run: they contain its subnetwork, and their study plans it or has no plan."""
    run, draw = schema.run, schema.draw
    mine = select(run.c.subnetwork_id).where(run.c.id == run_id).scalar_subquery()
    drawn = select(draw.c.population_id).where(draw.c.subnetwork_id == mine)
    return _described(connection, schema.population.c.id.in_(drawn))


def _described(connection: Connection, *where: ColumnElement[bool]) -> Sequence[Any]:
    population, study = schema.population, schema.study
    columns = (population.c.id, population.c.study_id, study.c.metric)
    return connection.execute(select(*columns).join(study).where(*where).order_by(population.c.id)).all()


def _ranked(population: Row[Any], protocol_id: int, keep: int) -> Select[Any]:
    """Select the best runs of a population by validation metric; ties as `rank_subnetworks` breaks them."""
    run, draw, subnetwork, plan = schema.run, schema.draw, schema.subnetwork, schema.plan
    metric = as_metric(population.metric)
    value = run.c.val_error if population.metric is None else metric.sign * run.c.val_metric
    planned = exists().where(plan.c.study_id == population.study_id)
    owned = planned.where(plan.c.protocol_id == run.c.protocol_id, plan.c.seed == run.c.seed)
    return (
        select(run.c.id, value.label("value"))
        .join(draw, draw.c.subnetwork_id == run.c.subnetwork_id)
        .join(subnetwork, subnetwork.c.id == run.c.subnetwork_id)
        .where(draw.c.population_id == population.id, run.c.protocol_id == protocol_id, run.c.state == "done")
        .where(or_(owned, ~planned), value.is_not(None))
        .order_by(value, func.coalesce(run.c.val_loss, 0), subnetwork.c.flops, subnetwork.c.params)
        .order_by(subnetwork.c.key, run.c.seed)
        .limit(keep)
    )


def _kept_in(connection: Connection, populations: Sequence[Row[Any]], protocol_id: int) -> list[KeptRun]:
    """Return the kept runs of a protocol whose subnetworks are in these populations, each once."""
    draw = schema.draw
    drawn = select(draw.c.subnetwork_id).where(draw.c.population_id.in_([one.id for one in populations]))
    return kept_runs(connection, schema.run.c.subnetwork_id.in_(drawn), schema.run.c.protocol_id == protocol_id)
