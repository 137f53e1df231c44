"""Join of runs with the subnetworks, populations, protocols and environments that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.db.reading.selection import Members, positions


@dataclass(frozen=True)
class Level:
    """Rows that many runs share, and the index of the row of each run.

    Parameters
    ----------
    frame : pandas.DataFrame
        The distinct rows.
    rows : array of int, shape (n_runs,)
        Index of the row of each run.
    """

    frame: pd.DataFrame
    rows: NDArray[np.int64]

    def per_run(self, name: str) -> Any:
        """Return a column with one value per run."""
        return self.frame[name].array.take(self.rows)


@dataclass(frozen=True)
class Runs:
    """Runs in populations, sorted by study, population, sampling order, protocol and seed."""

    populations: Level
    members: Level
    runs: Level
    protocols: Level
    environments: Level


def join_runs(found: Members, runs: pd.DataFrame) -> Runs:
    """Join runs with their subnetworks, populations, protocols and environments: one row per run and population."""
    keys = [runs[name].to_numpy() for name in ("seed", "protocol_id", "subnetwork_id")]
    # a constant key does not change the order, but sorting by it takes as long as by any other
    order = np.lexsort([key for key in keys[:-1] if len(key) and (key[0] != key).any()] + keys[-1:])
    of_member, of_run = _match(found.members["subnetwork_id"].to_numpy(), runs["subnetwork_id"].to_numpy(), order)
    studies = found.populations["study_id"].to_numpy()[found.of_population][of_member]
    planned = _planned(found.plans, studies, runs, of_run)
    of_member, of_run = of_member[planned], of_run[planned]
    return Runs(
        Level(found.populations, found.of_population[of_member]),
        Level(found.members, of_member),
        Level(runs, of_run),
        Level(found.protocols, positions(found.protocols["protocol_id"], runs["protocol_id"])[of_run]),
        Level(found.environments, positions(found.environments["environment_id"], runs["environment_id"])[of_run]),
    )


def _match(
    members: NDArray[np.int64], runs: NDArray[np.int64], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each run of each member, the index of the member and of the run; `order` sorts the runs."""
    sorted_runs = runs[order]
    starts = np.flatnonzero(np.diff(sorted_runs, prepend=-1))
    bounds = np.append(starts, len(runs))
    index = np.searchsorted(sorted_runs[starts], members)
    has_runs = np.append(sorted_runs[starts], -1)[index] == members
    first, counts = bounds[index], np.where(has_runs, np.diff(bounds, append=len(runs))[index], 0)
    of_member = np.repeat(np.arange(len(members)), counts)
    within = np.arange(len(of_member)) - np.repeat(np.cumsum(counts) - counts, counts)
    return of_member, order[first[of_member] + within]


def _planned(
    plans: pd.DataFrame, studies: NDArray[np.int64], runs: pd.DataFrame, of_run: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether each run is planned by its study; a study without a plan owns every run of its subnetworks."""
    pairs = list(zip(plans["protocol_id"], plans["seed"], strict=True))
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    known = np.unique(studies)
    allowed = np.zeros((len(known), len(numbers) + 1), dtype=bool)
    allowed[~np.isin(known, plans["study_id"])] = True
    for study, pair in zip(plans["study_id"], pairs, strict=True):
        allowed[known == study, numbers[pair]] = True
    of_pair = np.full(len(runs), len(numbers))
    for (protocol, seed), number in numbers.items():
        of_pair[(runs["protocol_id"] == protocol) & (runs["seed"] == seed)] = number
    planned: NDArray[np.bool_] = allowed[np.searchsorted(known, studies), of_pair[of_run]]
    return planned
