"""Storing of imported runs: their studies have no file, their spaces no distribution, their originals no cost model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, func, select, text, update

from prunestats.db.exchange.refused_rows import Refusal, Run
from prunestats.db.exchange.storing_runs import store_external_runs
from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import content_hash, expect_same, find_row, get_or_insert, insert_new, short
from prunestats.db.storing.originals import store_original
from prunestats.db.storing.populations import store_subnetworks
from prunestats.db.storing.records import OriginalRow, SubnetworkRow
from prunestats.db.storing.study import (
    store_plan,
    store_protocol,
    store_regime,
    store_space,
    store_study,
)
from prunestats.errors import InputError
from prunestats.metric import as_metric


class Stored(NamedTuple):
    """Outcome of storing runs.

    Parameters
    ----------
    new_runs, new_subnetworks : int
    conflicts : list of Refusal
        Runs that are stored with another result; the stored result is kept.
    """

    new_runs: int
    new_subnetworks: int
    conflicts: list[Refusal]


def store_runs(connection: Connection, runs: Sequence[Run], origin: str) -> Stored:
    """Store runs with their studies, populations and protocols; stored rows are kept.

    Parameters
    ----------
    connection : Connection
        From `write`.
    runs : sequence of dict
        From `parse_runs`.
    origin : str
        Description of the source, stored as the text of their study.

    Returns
    -------
    Stored

    Raises
    ------
    InputError
        For runs that would be added to a study that was run, not imported.
    DatabaseError
        For a subnetwork or an original that is stored with another cost.
    """
    closed = _closed_studies(connection, runs)
    before = _row_counts(connection, closed)
    subnetworks_before = _count(connection, schema.subnetwork)
    studies = {name: _study(connection, run, origin) for name, run in _first(runs, "study").items()}
    originals = {key: _original(connection, run) for key, run in _first(runs, "original").items()}
    protocols = {key: _protocol(connection, run) for key, run in _first(runs, "protocol_key").items()}
    subnetworks = _subnetworks(connection, runs, originals)
    _populations(connection, runs, studies, originals, subnetworks)
    conflicts, new_runs = store_external_runs(connection, runs, protocols, subnetworks)
    for (study, key, seed), run in _first(runs, "study", "protocol_key", "seed").items():
        if run.get("planned"):
            store_plan(connection, study_id=studies[study], protocol_id=protocols[key], seeds=[seed])
    if _row_counts(connection, closed) != before:
        raise InputError(
            f"expected results of another study than {short(closed[0])}, which was run and not imported; found runs "
            "that it does not contain: give the import another name with --study"
        )
    return Stored(new_runs, _count(connection, schema.subnetwork) - subnetworks_before, conflicts)


def imported_fingerprint(name: str, metric: Mapping[str, Any] | None = None) -> str:
    """Return the fingerprint of an imported study: a hash of its name and metric, so that further imports extend it."""
    return content_hash(["imported", name] if metric is None else ["imported", name, metric])


def _first(runs: Sequence[Run], *names: str) -> dict[Any, Run]:
    """Return the first run of each value, or of each combination of values."""
    found: dict[Any, Run] = {}
    for run in runs:
        found.setdefault(run[names[0]] if len(names) == 1 else tuple(run[name] for name in names), run)
    return found


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _closed_studies(connection: Connection, runs: Sequence[Run]) -> list[str]:
    """Return the studies that were run, not imported: an import must not add to them."""
    table = schema.study
    rows = connection.execute(select(table.c.name, table.c.fingerprint, table.c.metric)).all()
    mine = _first(runs, "study")
    return [name for name, fingerprint, metric in rows if name in mine and not _is_imported(name, fingerprint, metric)]


def _is_imported(name: str, fingerprint: str, metric: Mapping[str, Any] | None) -> bool:
    return fingerprint == imported_fingerprint(name, metric)


def _row_counts(connection: Connection, studies: Sequence[str]) -> list[int]:
    """Return the numbers of results, planned seeds, regimes and spaces of studies."""
    if not studies:
        return []
    results = text("SELECT count(*) FROM results WHERE study IN :names").bindparams(bindparam("names", expanding=True))
    counts = [connection.execute(results, {"names": list(studies)}).scalar_one()]
    mine = select(schema.study.c.id).where(schema.study.c.name.in_(studies))
    for table in (schema.plan, schema.regime, schema.space):
        counts.append(connection.execute(select(func.count()).where(table.c.study_id.in_(mine))).scalar_one())
    return counts


def _study(connection: Connection, run: Run, origin: str) -> int:
    table, name, metric = schema.study, run["study"], run.get("metric")
    known = connection.execute(
        select(table.c.id, table.c.text, table.c.fingerprint, table.c.metric).where(table.c.name == name)
    ).first()
    if known is None:
        fingerprint = imported_fingerprint(name, metric)
        return store_study(connection, name=name, text=origin, fingerprint=fingerprint, seed=0, metric=metric)
    row, stored, fingerprint, its_metric = known
    if as_metric(its_metric) != as_metric(metric):
        raise InputError(
            f"expected results with the metric of the study {short(name)} as it is stored, {_words(its_metric)}; found "
            f"{_words(metric)}: give the import another name with --study"
        )
    if _is_imported(name, fingerprint, its_metric) and origin not in stored:
        connection.execute(update(table).where(table.c.id == row).values(text=stored + origin))
    return int(row)


def _words(fields: Mapping[str, Any] | None) -> str:
    metric = as_metric(fields)
    bounds = " to ".join("none" if bound is None else f"{bound:g}" for bound in (metric.low, metric.high))
    return f"{metric.name} ({metric.better} is better, unit {metric.unit or 'none'}, range {bounds})"


def _original(connection: Connection, run: Run) -> int:
    row = OriginalRow(
        key=run["original"],
        network=run["network"],
        dataset=run["dataset"],
        seed=run.get("original_seed"),
        flops=run["original_flops"],
        params=run["original_params"],
    )
    known = find_row(connection, schema.original, {"key": row.key})
    if known is None:
        return store_original(connection, row)
    # not store_original: a stored original may have groups and weights, which an import lacks
    compared = {name: getattr(row, name) for name in ("network", "dataset", "seed", "flops", "params")}
    expect_same(connection, schema.original, known, compared, f"original {short(row.network)}")
    return known


def _protocol(connection: Connection, run: Run) -> int:
    key = run["protocol_key"]
    known = find_row(connection, schema.protocol, {"key": key})
    if known is not None:
        return known
    return store_protocol(connection, key=key, name=run["protocol"], parameters=run["protocol_parameters"])


def _space(connection: Connection, study_id: int, name: str) -> int:
    known = find_row(connection, schema.space, {"study_id": study_id, "name": name})
    if known is not None:
        return known
    distribution = "not recorded: results from outside"
    return store_space(connection, study_id=study_id, name=name, sampler="outside", parameters={}, law=distribution)


def _subnetworks(
    connection: Connection, runs: Sequence[Run], originals: Mapping[str, int]
) -> dict[tuple[str, str], int]:
    """Store the subnetworks; return their ids by (key of the original, key of the subnetwork)."""
    rows: dict[str, list[SubnetworkRow]] = {}
    for (original, key), run in _first(runs, "original", "subnetwork").items():
        widths = run.get("widths")
        row = SubnetworkRow(key, None if widths is None else tuple(widths), run["flops"], run["params"])
        rows.setdefault(original, []).append(row)
    return {
        (original, key): row
        for original, mine in rows.items()
        for key, row in store_subnetworks(connection, originals[original], mine).items()
    }


def _populations(
    connection: Connection,
    runs: Sequence[Run],
    studies: Mapping[str, int],
    originals: Mapping[str, int],
    subnetworks: Mapping[tuple[str, str], int],
) -> None:
    """Store regimes, spaces and populations; append each subnetwork to its populations."""
    members: dict[tuple[str, str, str, float | None], dict[int, int | None]] = {}
    for run in runs:
        population = (run["study"], run["original"], run["space"], run["regime"])
        drawn = members.setdefault(population, {})
        drawn.setdefault(subnetworks[run["original"], run["subnetwork"]], run.get("draw"))
    tolerances = _first(runs, "study", "regime")
    for (study, original, space, regime), drawn in members.items():
        ids = {"study_id": studies[study], "original_id": originals[original]}
        ids["space_id"] = _space(connection, studies[study], space)
        tolerance = tolerances[study, regime]["tolerance"]
        ids["regime_id"] = store_regime(connection, study_id=studies[study], flops_fraction=regime, tolerance=tolerance)
        unrecorded = {"attempts": 0, "accepted": 0, "duplicates": 0}
        _append_members(connection, get_or_insert(connection, schema.population, ids, unrecorded), drawn)


def _append_members(connection: Connection, population_id: int, drawn: Mapping[int, int | None]) -> None:
    table = schema.draw
    stored = select(table.c.subnetwork_id, table.c.position).where(table.c.population_id == population_id)
    known = {row.subnetwork_id: row.position for row in connection.execute(stored)}
    taken = set(known.values())
    following = max(taken, default=-1) + 1
    rows = []
    for subnetwork_id, position in drawn.items():
        if subnetwork_id in known:
            continue
        if position is None or position in taken:
            position = following
        taken.add(position)
        following = max(following, position + 1)
        rows.append({"population_id": population_id, "subnetwork_id": subnetwork_id, "position": position})
    insert_new(connection, table, rows)
