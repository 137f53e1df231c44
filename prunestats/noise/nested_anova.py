"""Sums of squares of seeds nested in subnetworks nested in originals: the arithmetic below `variance_components`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.numeric.arrays import Floats


@dataclass(frozen=True)
class Nested:
    """Means and mean squares of an unbalanced nested design.

    Parameters
    ----------
    means, seeds : ndarray, shape (b,)
        Mean response of each subnetwork, and its number of runs.
    owner : ndarray of int, shape (b,)
        Which original it is of.
    df_original, df_subnetwork, df_seed : int
    ms_seed : float
        Mean square within subnetworks; nan without any repeated.
    subnetwork, original : float
        Analysis-of-variance estimates, which may be negative; nan where there are none.
    original_without_seeds : float
        The same for originals with subnetworks and seeds as one.
    """

    means: Floats
    seeds: Floats
    owner: NDArray[np.int64]
    df_original: int
    df_subnetwork: int
    df_seed: int
    ms_seed: float
    subnetwork: float
    original: float
    original_without_seeds: float

    @property
    def spread_of_means(self) -> float:
        """Variance of the subnetworks' means within originals, every subnetwork alike."""
        counts = np.bincount(self.owner)
        centers = np.bincount(self.owner, self.means) / counts
        return (
            float(((self.means - centers[self.owner]) ** 2).sum()) / self.df_subnetwork if self.df_subnetwork else 0.0
        )

    @property
    def spread_of_originals(self) -> float:
        """Variance of the originals' means of subnetwork means, every original alike."""
        centers = np.bincount(self.owner, self.means) / np.bincount(self.owner)
        return float(centers.var(ddof=1))

    @property
    def inverse_seeds(self) -> float:
        """Mean of 1 / seeds over subnetworks."""
        return float((1 / self.seeds).mean())

    @property
    def inverse_subnetworks(self) -> float:
        """Mean of 1 / subnetworks over originals."""
        return float((1 / np.bincount(self.owner)).mean())

    @property
    def within(self) -> float:
        """Variance of a run within its original."""
        if not self.df_subnetwork:
            return float("nan")
        return self.ms_seed + max(self.subnetwork, 0.0) if self.df_seed else self.spread_of_means

    def wald(self, ratio: float) -> float:
        """Return the statistic that is F(df_subnetwork, df_seed) where subnetwork over seed variance is `ratio`."""
        weights = self.seeds / (1 + ratio * self.seeds)
        centers = np.bincount(self.owner, weights * self.means) / np.bincount(self.owner, weights)
        spread = weights @ (self.means - centers[self.owner]) ** 2 / self.df_subnetwork
        return float(spread / self.ms_seed)


def nested_of(originals: pd.Series[str], subnetworks: pd.Series[str], y: Floats) -> Nested:
    """Compute means, mean squares and the analysis-of-variance estimates.

    Notes
    -----
    With n_ij runs, the expected mean squares are s2 (seeds), s2 + k1 t2 (subnetworks) and s2 + k2 t2 + k3 o2
    (originals).

    References
    ----------
    S. R. Searle, G. Casella and C. E. McCulloch, Variance Components (1992), appendix F.1.

    Examples
    --------
    >>> found = nested_of(pd.Series(list("mmmm")), pd.Series(list("aabb")), np.array([1.0, 2.0, 4.0, 5.0]))
    >>> found.ms_seed, found.subnetwork
    (0.5, 4.25)
    """
    order = np.lexsort((y, subnetworks.to_numpy(dtype=str), originals.to_numpy(dtype=str)))
    y = y[order] - y.mean()
    table = pd.DataFrame({"o": originals.to_numpy()[order], "s": subnetworks.to_numpy()[order], "y": y})
    groups = table.groupby(["o", "s"], sort=True)["y"]
    cells = groups.agg(["mean", "size"])
    owner = pd.factorize(cells.index.get_level_values(0))[0].astype(np.int64)
    means, seeds = cells["mean"].to_numpy(dtype=float), cells["size"].to_numpy(dtype=float)
    runs = np.bincount(owner, seeds)
    centers = np.bincount(owner, seeds * means) / runs
    n, b, a = y.size, means.size, runs.size
    residual = y - np.repeat(means, seeds.astype(int))
    ms_seed = float(residual @ residual) / (n - b) if n > b else float("nan")
    ss_subnetwork = float(seeds @ (means - centers[owner]) ** 2)
    ss_original = float(runs @ centers**2 - n * y.mean() ** 2)
    squares = float((seeds**2 / runs[owner]).sum())
    subnetwork = (ss_subnetwork - (b - a) * ms_seed) / (n - squares) if b > a else float("nan")
    k2, k3 = squares - float((seeds**2).sum()) / n, n - float((runs**2).sum()) / n
    original = plain = float("nan")
    if a > 1:
        original = (ss_original - (a - 1) * ms_seed - k2 * subnetwork) / k3
        plain = (ss_original - (a - 1) * ss_subnetwork / (b - a)) / k3 if b > a else float("nan")
    return Nested(means, seeds, owner, a - 1, b - a, n - b, ms_seed, subnetwork, original, plain)
