"""Nested analysis of variance (seeds in subnetworks in originals): the sums of squares of `variance_components`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.numeric.arrays import Floats


@dataclass(frozen=True)
class NestedAnova:
    """Means, mean squares and variance estimates of an unbalanced nested design.

    Parameters
    ----------
    means, seeds : ndarray, shape (b,)
        Mean response of each subnetwork, and its number of runs.
    original_of : ndarray of int, shape (b,)
        Index of the original of each subnetwork.
    df_original, df_subnetwork, df_seed : int
    ms_seed : float
        Mean square within subnetworks; nan where no subnetwork has two seeds.
    subnetwork, original : float
        Analysis-of-variance estimates of the variances, which may be negative; nan where not identified.
    original_without_seeds : float
        The estimate for originals where subnetworks and seeds are one term.
    """

    means: Floats
    seeds: Floats
    original_of: NDArray[np.int64]
    df_original: int
    df_subnetwork: int
    df_seed: int
    ms_seed: float
    subnetwork: float
    original: float
    original_without_seeds: float

    @property
    def variance_of_means(self) -> float:
        """Unweighted variance of the subnetworks' means within originals."""
        if not self.df_subnetwork:
            return 0.0
        deviations = self.means - self._original_means[self.original_of]
        return float((deviations**2).sum()) / self.df_subnetwork

    @property
    def variance_of_original_means(self) -> float:
        """Unweighted variance of the originals' means of subnetwork means."""
        return float(self._original_means.var(ddof=1))

    @property
    def _original_means(self) -> Floats:
        return np.asarray(np.bincount(self.original_of, self.means) / np.bincount(self.original_of))

    @property
    def inverse_seeds(self) -> float:
        """Mean of 1 / seeds over subnetworks."""
        return float((1 / self.seeds).mean())

    @property
    def inverse_subnetworks(self) -> float:
        """Mean of 1 / subnetworks over originals."""
        return float((1 / np.bincount(self.original_of)).mean())

    @property
    def within(self) -> float:
        """Variance of a run within its original."""
        if not self.df_subnetwork:
            return float("nan")
        return self.ms_seed + max(self.subnetwork, 0.0) if self.df_seed else self.variance_of_means

    def wald_f(self, ratio: float) -> float:
        """Wald's statistic: F(df_subnetwork, df_seed) if the variance ratio subnetwork / seed is `ratio`."""
        weights = self.seeds / (1 + ratio * self.seeds)
        centers = np.bincount(self.original_of, weights * self.means) / np.bincount(self.original_of, weights)
        mean_square = weights @ (self.means - centers[self.original_of]) ** 2 / self.df_subnetwork
        return float(mean_square / self.ms_seed)


def nested_anova(originals: pd.Series[str], subnetworks: pd.Series[str], y: Floats) -> NestedAnova:
    """Nested analysis of variance of runs, balanced or not, in closed form.

    Parameters
    ----------
    originals, subnetworks : pandas.Series of str, shape (n,)
        Factors of each run.
    y : ndarray, shape (n,)
        Response of each run.

    Notes
    -----
    The expected mean squares are s2 (seeds), s2 + k1 t2 (subnetworks) and s2 + k2 t2 + k3 o2 (originals), with
    coefficients from the numbers of runs n_ij.

    References
    ----------
    S. R. Searle, G. Casella and C. E. McCulloch, Variance Components (1992), appendix F.1.

    Examples
    --------
    >>> found = nested_anova(pd.Series(list("mmmm")), pd.Series(list("aabb")), np.array([1.0, 2.0, 4.0, 5.0]))
    >>> found.ms_seed, found.subnetwork
    (0.5, 4.25)
    """
    # a fixed order of summation, so that the order of the runs changes no bit; centred, to lose fewer digits in squares
    order = np.lexsort((y, subnetworks.to_numpy(dtype=str), originals.to_numpy(dtype=str)))
    y = y[order] - y.mean()
    table = pd.DataFrame({"o": originals.to_numpy()[order], "s": subnetworks.to_numpy()[order], "y": y})
    groups = table.groupby(["o", "s"], sort=True)["y"]
    cells = groups.agg(["mean", "size"])
    original_of = pd.factorize(cells.index.get_level_values(0))[0].astype(np.int64)
    means, seeds = cells["mean"].to_numpy(dtype=float), cells["size"].to_numpy(dtype=float)
    runs = np.bincount(original_of, seeds)
    centers = np.bincount(original_of, seeds * means) / runs
    n, b, a = y.size, means.size, runs.size
    residual = y - np.repeat(means, seeds.astype(int))
    ms_seed = float(residual @ residual) / (n - b) if n > b else float("nan")
    ss_subnetwork = float(seeds @ (means - centers[original_of]) ** 2)
    ss_original = float(runs @ centers**2 - n * y.mean() ** 2)
    squares = float((seeds**2 / runs[original_of]).sum())
    subnetwork = (ss_subnetwork - (b - a) * ms_seed) / (n - squares) if b > a else float("nan")
    k2, k3 = squares - float((seeds**2).sum()) / n, n - float((runs**2).sum()) / n
    original = original_without_seeds = float("nan")
    if a > 1:
        original = (ss_original - (a - 1) * ms_seed - k2 * subnetwork) / k3
        if b > a:
            original_without_seeds = (ss_original - (a - 1) * ss_subnetwork / (b - a)) / k3
    return NestedAnova(
        means, seeds, original_of, a - 1, b - a, n - b, ms_seed, subnetwork, original, original_without_seeds
    )
