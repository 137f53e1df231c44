"""Difference of two populations at equal FLOPs: means compared within bins of FLOPs (subclassification)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from prunestats.comparison.permutation_tests import PERMUTATIONS, permuted_rows
from prunestats.comparison.stratified import Stratum, mean_difference, strata_of
from prunestats.numeric.arrays import Floats
from prunestats.numeric.chunks import chunk_sizes
from prunestats.numeric.intervals import Interval

_MAX_BINS = 10
"""Ten bins leave about a tenth of the spread of FLOPs inside each; five already remove 90 % of a bias (Cochran)."""
_PER_BIN = 20
"""Subnetworks a bin should hold, both populations together: a round number that leaves a variance to each of them."""
_CHUNK_BYTES = 500_000
"""What the cache of a processor core holds: larger chunks were measured slower."""
_ROUNDING = 1e-9
"""Rounding error of a permuted difference, relative to the largest deviation: equal labels must count as large."""


class WithFlops(Protocol):
    """The sample of a population in one original, and the FLOPs of its subnetworks."""

    @property
    def values(self) -> Floats:
        """Responses, shape (n,): one per subnetwork."""

    @property
    def flops(self) -> Floats:
        """FLOPs, shape (n,)."""


@dataclass(frozen=True)
class BinnedDifference:
    """Difference of mean response at equal FLOPs.

    Parameters
    ----------
    difference : Interval
        a - b; nan where no bin holds two subnetworks of each population, and without FLOPs.
    p : float
        Two-sided permutation p-value, labels permuted within bins.
    n : int
        Subnetworks in bins that hold two of each population; the others are not used.
    """

    difference: Interval
    p: float
    n: int


def binned_difference(
    pairs: Sequence[tuple[WithFlops, WithFlops]], *, level: float, rng: np.random.Generator
) -> BinnedDifference:
    """Welch interval and permutation test of the difference of means, a - b, stratified by bins of FLOPs.

    Parameters
    ----------
    pairs : sequence of (WithFlops, WithFlops)
        The two samples of each original.
    level : float
        Confidence level in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    BinnedDifference

    Notes
    -----
    Bins hold equal numbers of subnetworks: up to 10 per original, about 20 subnetworks or more in each. Bins are strata
    of Welch's interval, weighted by their subnetworks; the p-value is of 999 permutations of labels within bins.
    Differences of FLOPs within a bin, about a tenth of their spread, remain.

    References
    ----------
    W. G. Cochran, Biometrics 24 (1968), 295-313: the bias that bins remove. A. C. Davison and D. V. Hinkley, Bootstrap
    Methods and Their Application (1997), eq. (4.11).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> x = np.arange(200.0)
    >>> a, b = SimpleNamespace(values=x, flops=x), SimpleNamespace(values=x + 90, flops=x + 100)
    >>> found = binned_difference([(a, b)], level=0.95, rng=np.random.default_rng(0))
    >>> round(found.difference.value, 1), found.n
    (6.7, 240)
    """
    bins = strata_of([part for pair in pairs for part in _binned(*pair)])
    if not bins:
        return BinnedDifference(Interval(np.nan, np.nan, np.nan, level), np.nan, 0)
    difference = mean_difference(bins, level=level)
    n = sum(s.a.size + s.b.size for s in bins)
    return BinnedDifference(difference, _permuted_p(bins, difference.value, rng), n)


def _binned(one: WithFlops, other: WithFlops) -> list[tuple[Floats, Floats]]:
    """Return the values of both samples in each bin that holds two of each."""
    pooled = np.concatenate([one.flops, other.flops])
    if np.isnan(pooled).any():
        return []
    count = int(np.clip(pooled.size // _PER_BIN, 1, _MAX_BINS))
    cuts = np.quantile(pooled, np.arange(1, count) / count)
    bins = [np.searchsorted(cuts, part.flops, side="right") for part in (one, other)]
    found = [(one.values[bins[0] == bin_], other.values[bins[1] == bin_]) for bin_ in range(count)]
    return [(a, b) for a, b in found if min(a.size, b.size) >= 2]


def _permuted_p(bins: tuple[Stratum, ...], observed: float, rng: np.random.Generator) -> float:
    total, scale = np.zeros(PERMUTATIONS), 0.0
    for s, seed in zip(bins, rng.integers(2**63, size=len(bins)), strict=True):
        values = np.concatenate([s.a, s.b])
        # the difference of means does not depend on the centre, and deviations lose fewer digits in sums
        values -= values.mean()
        generator = np.random.default_rng(seed)
        sums = [
            permuted_rows(values, rows, generator)[:, : s.a.size].sum(axis=1)
            for rows in chunk_sizes(PERMUTATIONS, values.size, _CHUNK_BYTES)
        ]
        total += s.weight * np.concatenate(sums) * (1 / s.a.size + 1 / s.b.size)
        scale += s.weight * float(np.abs(values).max())
    as_large = int(np.count_nonzero(np.abs(total) >= abs(observed) - _ROUNDING * scale))
    return (1 + as_large) / (1 + PERMUTATIONS)


def flops_overlap(pairs: Sequence[tuple[WithFlops, WithFlops]]) -> float:
    """Common support in FLOPs: the share of a within the range of b, or of b within that of a; the smaller of both.

    It is nan without FLOPs.

    Notes
    -----
    Ranges are those within an original; shares are over all originals.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> x = np.arange(10.0)
    >>> flops_overlap([(SimpleNamespace(values=x, flops=x), SimpleNamespace(values=x, flops=x + 5))])
    0.5
    """
    inside = np.zeros(2)
    if any(np.isnan(one.flops).any() for pair in pairs for one in pair):
        return float("nan")
    for pair in pairs:
        for side, (mine, other) in enumerate((pair, pair[::-1])):
            inside[side] += np.count_nonzero((mine.flops >= other.flops.min()) & (mine.flops <= other.flops.max()))
    sizes = [sum(pair[side].flops.size for pair in pairs) for side in (0, 1)]
    return float((inside / sizes).min())
