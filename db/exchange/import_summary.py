"""What an import understood, and what it stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prunestats.db.exchange.column_roles import Meaning
from prunestats.db.exchange.refused_rows import Refusal
from prunestats.db.exchange.storing import Stored
from prunestats.db.exchange.table_runs import Run

_RANGED = ("flops", "params", "val_error", "test_error", "val_loss", "test_loss")


@dataclass(frozen=True)
class ImportSummary:
    """What an import understood, and what it stored.

    Parameters
    ----------
    name : str
        Of the file.
    rows : int
        In the table.
    meaning : Meaning
        Columns and units.
    runs : int
        Distinct runs in the rows that can be stored.
    subnetworks : int
    populations : tuple of (str, str, str, float, float, int)
        Study, network, space, regime, its tolerance, and subnetworks.
    seeds : tuple of int
        Lowest and highest, and how many there are.
    ranges : dict of str to (float, float)
        Lowest and highest of flops, params, val_error and test_error, in the units of the database.
    refused : tuple of Refusal
        What cannot be stored.
    new_runs, new_subnetworks : int
        What was not there before; of a dry run, what would be new.
    doubts : tuple of str
        What looks like another unit than was said, and cannot be told for sure.
    stored : bool
        False after a dry run.
    """

    name: str
    rows: int
    meaning: Meaning
    runs: int
    subnetworks: int
    populations: tuple[tuple[str, str, str, float, float, int], ...]
    seeds: tuple[int, int, int]
    ranges: dict[str, tuple[float, float]]
    refused: tuple[Refusal, ...]
    new_runs: int
    new_subnetworks: int
    doubts: tuple[str, ...]
    stored: bool


def summarise(
    name: str,
    rows: int,
    meaning: Meaning,
    runs: Sequence[Run],
    refused: Sequence[Refusal],
    stored: Stored,
    doubts: tuple[str, ...],
    *,
    kept: bool,
) -> ImportSummary:
    """Return the summary of an import from its runs and what storing them gave."""
    seeds = {run["seed"] for run in runs}
    members: dict[tuple[str, str, str, float, float], set[tuple[str, str]]] = {}
    for run in runs:
        place = (run["study"], run["network"], run["space"], run["regime"], run["tolerance"])
        members.setdefault(place, set()).add((run["original"], run["subnetwork"]))
    ranges = {}
    for column in _RANGED:
        values = [run[column] for run in runs if run.get(column) is not None]
        if values:
            ranges[column] = (min(values), max(values))
    return ImportSummary(
        name=name,
        rows=rows,
        meaning=meaning,
        runs=len({(run["original"], run["subnetwork"], run["protocol_key"], run["seed"]) for run in runs}),
        subnetworks=len({(run["original"], run["subnetwork"]) for run in runs}),
        populations=tuple((*place, len(found)) for place, found in members.items()),
        seeds=(min(seeds, default=0), max(seeds, default=0), len(seeds)),
        ranges=ranges,
        refused=tuple(refused),
        new_runs=stored.new_runs,
        new_subnetworks=stored.new_subnetworks,
        doubts=doubts,
        stored=kept,
    )
