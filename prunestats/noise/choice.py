"""Which subnetwork wins, and how much of that may be the luck of its seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.noise.deconvolution import Shrunk, shrink
from prunestats.numeric.arrays import Floats
from prunestats.results.means import distinct_runs, one_value

LEAST = 10
"""With fewer subnetworks than this the law of their true responses is anybody's guess."""


@dataclass(frozen=True)
class Choice:
    """The winner among the runs, and the noise of seeds.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, sorted.
    winner : object
        Key of the subnetwork with the lowest mean.
    values, within : ndarray, shape (runs,)
        Response, and the same less the mean of its subnetwork.
    means : pandas.Series
        Mean of each subnetwork.
    seeds : ndarray, shape (subnetworks,)
        Runs of each.
    notes : tuple of str
    """

    runs: pd.DataFrame
    winner: Any
    values: Floats
    within: Floats
    means: pd.Series[float]
    seeds: Floats
    notes: tuple[str, ...]

    @property
    def its(self) -> NDArray[np.bool_]:
        """Which runs are the winner's."""
        return np.asarray(self.runs["subnetwork"] == self.winner, dtype=bool)

    @property
    def seen(self) -> float:
        """The winner's mean."""
        return float(self.means[self.winner])

    @property
    def df(self) -> int:
        """Degrees of freedom of the noise of seeds."""
        return self.values.size - self.means.size

    @property
    def squares(self) -> float:
        """Sum of squares of the noise of seeds."""
        return float(self.within @ self.within)

    @property
    def why_not(self) -> str:
        """Why the winner cannot be shrunk."""
        if self.means.size < LEAST:
            return (
                f"{self.means.size} subnetworks: fewer than {LEAST} do not say how true values spread, so the winner's "
                "luck cannot be taken off; train it again with fresh seeds."
            )
        return (
            "No subnetwork was trained twice with different results: what is luck of a seed cannot be told from what "
            "is the subnetwork's; train the winner again with fresh seeds."
        )

    def shrunk(self, level: float, rng: np.random.Generator) -> Shrunk | None:
        """Return what the law of all means says of the winner, None where it cannot be told."""
        if self.means.size < LEAST or self.squares <= 0:
            return None
        place = int(np.flatnonzero(self.means.index == self.winner)[0])
        variance = self.squares / self.df / self.seeds
        return shrink(np.asarray(self.means, dtype=float), variance, place, df=self.df, level=level, rng=rng)


def runs_of_one_original(frame: pd.DataFrame, response: str) -> pd.DataFrame:
    """Return the runs of one original, regime and protocol, in an order that does not depend on theirs."""
    runs = distinct_runs(frame, response)
    one_value(runs, "original")
    return runs.sort_values([name for name in ("subnetwork", "seed") if name in runs.columns]).reset_index(drop=True)


def choose(runs: pd.DataFrame, response: str) -> Choice:
    """Take the subnetwork with the lowest mean; of equals, the first by key."""
    groups = runs.groupby("subnetwork")[response]
    means = groups.mean()
    values = runs[response].to_numpy(dtype=float)
    least = means[means == means.min()]
    notes = (f"{least.size} subnetworks share the lowest value; the first by name is taken.",) if least.size > 1 else ()
    within = values - groups.transform("mean").to_numpy(dtype=float)
    return Choice(runs, least.index[0], values, within, means, np.asarray(groups.size(), dtype=float), notes)
