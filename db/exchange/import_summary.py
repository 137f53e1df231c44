"""Summary of an import: how the table was read, what was stored, and which rows were refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from prunestats.db.exchange.column_roles import Meaning
from prunestats.db.exchange.refused_rows import Refusal, Run
from prunestats.db.exchange.storing import Stored

_RANGED = ("flops", "params", "val_error", "test_error", "val_loss", "test_loss", "val_metric", "test_metric")


@dataclass(frozen=True)
class ImportSummary:
    """How an external table was read, what was stored, and which rows were refused.

    Parameters
    ----------
    name : str
        Name of the file, without its suffix.
    rows : int
        Rows of the table.
    meaning : Meaning
        Columns by role, and units.
    runs : int
        Distinct runs in the rows that can be stored.
    subnetworks : int
        Distinct subnetworks of these runs.
    populations : tuple of (str, str, str, float or None, float, int)
        Study, network, space, regime (fraction of the original's FLOPs; None without FLOPs), relative tolerance, number
        of subnetworks.
    seeds : tuple of int
        Lowest seed, highest seed, number of distinct seeds.
    ranges : dict of str to (float, float)
        Lowest and highest value of flops, params, errors (fractions), losses (nats) and the table's own metric, in the
        units of the database.
    refused : tuple of Refusal
        Rows that cannot be stored.
    new_runs, new_subnetworks : int
        Runs and subnetworks that the database lacked; after a dry run, those that it lacks.
    doubts : tuple of str
        Warnings of values that suggest another unit but do not prove it.
    stored : bool
        False after a dry run.
    assumed : tuple of (str, str, int)
        Network, "flops" or "params", and value, for each cost of an original that was neither given nor stored: the
        largest in the table stands for it.
    """

    name: str
    rows: int
    meaning: Meaning
    runs: int
    subnetworks: int
    populations: tuple[tuple[str, str, str, float | None, float, int], ...]
    seeds: tuple[int, int, int]
    ranges: dict[str, tuple[float, float]]
    refused: tuple[Refusal, ...]
    new_runs: int
    new_subnetworks: int
    doubts: tuple[str, ...]
    stored: bool
    assumed: tuple[tuple[str, str, int], ...] = ()


def assumed_costs(
    runs: Sequence[Run], given: Collection[str], known: Collection[str]
) -> tuple[tuple[str, str, int], ...]:
    """Return the costs of originals that are neither among the roles `given` nor of originals that are `known`."""
    new = {run["original"]: run for run in runs if run["original"] not in known}
    roles = [role for role in ("flops", "params") if f"original_{role}" not in given]
    costs = [(run["network"], role, run[f"original_{role}"]) for run in new.values() for role in roles]
    return tuple(cost for cost in costs if cost[2] is not None)


def summarise(
    name: str,
    rows: int,
    meaning: Meaning,
    runs: Sequence[Run],
    refused: Sequence[Refusal],
    stored: Stored,
    doubts: tuple[str, ...],
    assumed: tuple[tuple[str, str, int], ...],
    *,
    kept: bool,
) -> ImportSummary:
    """Return the summary of an import from its runs and the outcome of storing them."""
    seeds = {run["seed"] for run in runs}
    members: dict[tuple[str, str, str, float | None, float], set[tuple[str, str]]] = {}
    for run in runs:
        population = (run["study"], run["network"], run["space"], run["regime"], run["tolerance"])
        members.setdefault(population, set()).add((run["original"], run["subnetwork"]))
    found: dict[str, list[float]] = {}
    for column in _RANGED:
        for run in runs:
            if run.get(column) is not None:
                shown = column.replace("metric", run["metric"]["name"]) if column.endswith("metric") else column
                found.setdefault(shown, []).append(run[column])
    return ImportSummary(
        name=name,
        rows=rows,
        meaning=meaning,
        runs=len({(run["original"], run["subnetwork"], run["protocol_key"], run["seed"]) for run in runs}),
        subnetworks=len({(run["original"], run["subnetwork"]) for run in runs}),
        populations=tuple((*population, len(found)) for population, found in members.items()),
        seeds=(min(seeds, default=0), max(seeds, default=0), len(seeds)),
        ranges={shown: (min(values), max(values)) for shown, values in found.items()},
        refused=tuple(refused),
        new_runs=stored.new_runs,
        new_subnetworks=stored.new_subnetworks,
        doubts=doubts,
        stored=kept,
        assumed=assumed,
    )
