"""Would the difference stand if FLOPs were equal? Comparing within bins of FLOPs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from prunestats.comparison.permutation_tests import PERMUTATIONS
from prunestats.comparison.stratified import Stratum, mean_difference, strata_of
from prunestats.numeric.arrays import Floats
from prunestats.numeric.chunks import chunks
from prunestats.numeric.intervals import Interval

_BINS = 10
_IN_A_BIN = 20
_CHUNK_BYTES = 500_000
_ROUNDING = 1e-9


class Costed(Protocol):
    """The responses of a population in one original, and the FLOPs of its subnetworks."""

    @property
    def values(self) -> Floats:
        """One value a subnetwork."""

    @property
    def flops(self) -> Floats:
        """Its FLOPs."""


@dataclass(frozen=True)
class BinnedDifference:
    """Difference of mean response at equal FLOPs.

    Parameters
    ----------
    difference : Interval
        a less b; nan where no bin holds two subnetworks of each.
    p : float
        Two-sided, of labels permuted within bins.
    n : int
        Subnetworks in bins that hold two of each; the others say nothing.
    """

    difference: Interval
    p: float
    n: int


def binned_difference(
    pairs: Sequence[tuple[Costed, Costed]], *, level: float, rng: np.random.Generator
) -> BinnedDifference:
    """Difference of mean response, a less b, between subnetworks of about the same FLOPs.

    Parameters
    ----------
    pairs : sequence of (Costed, Costed)
        The populations in each original.
    level : float
    rng : numpy.random.Generator

    Notes
    -----
    Bins hold equal numbers: up to 10 an original, about 20 subnetworks each at least. Bins are strata: Welch's interval
    of the differences within them, weighted by their subnetworks; the p-value by 999 permutations of labels within
    bins. What FLOPs still differ within a bin is left, about a tenth of their spread.

    References
    ----------
    W. G. Cochran, Biometrics 24 (1968), 295-313: what bins remove. A. C. Davison and D. V. Hinkley, Bootstrap Methods
    and Their Application (1997), eq. (4.11).

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


def _binned(one: Costed, other: Costed) -> list[tuple[Floats, Floats]]:
    together = np.concatenate([one.flops, other.flops])
    count = int(np.clip(together.size // _IN_A_BIN, 1, _BINS))
    cuts = np.quantile(together, np.arange(1, count) / count)
    places = [np.searchsorted(cuts, part.flops, side="right") for part in (one, other)]
    found = [(one.values[places[0] == bin_], other.values[places[1] == bin_]) for bin_ in range(count)]
    return [(a, b) for a, b in found if min(a.size, b.size) >= 2]


def _permuted_p(bins: tuple[Stratum, ...], seen: float, rng: np.random.Generator) -> float:
    total, scale = np.zeros(PERMUTATIONS), 0.0
    for s, seed in zip(bins, rng.integers(2**63, size=len(bins)), strict=True):
        values = np.concatenate([s.a, s.b])
        # only deviations matter, and small numbers keep their digits
        values -= values.mean()
        own = np.random.default_rng(seed)
        sums = [
            own.permuted(np.broadcast_to(values, (rows, values.size)), axis=1)[:, : s.a.size].sum(axis=1)
            for rows in chunks(PERMUTATIONS, values.size, _CHUNK_BYTES)
        ]
        total += s.weight * np.concatenate(sums) * (1 / s.a.size + 1 / s.b.size)
        scale += s.weight * float(np.abs(values).max())
    as_large = int(np.count_nonzero(np.abs(total) >= abs(seen) - _ROUNDING * scale))
    return (1 + as_large) / (1 + PERMUTATIONS)


def flops_overlap(pairs: Sequence[tuple[Costed, Costed]]) -> float:
    """Return the smaller of two shares: of a within the range of b's FLOPs, and of b within that of a's.

    Notes
    -----
    Over all originals; each looks at its own ranges.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> x = np.arange(10.0)
    >>> flops_overlap([(SimpleNamespace(values=x, flops=x), SimpleNamespace(values=x, flops=x + 5))])
    0.5
    """
    inside = np.zeros(2)
    for pair in pairs:
        for side, (mine, other) in enumerate((pair, pair[::-1])):
            inside[side] += np.count_nonzero((mine.flops >= other.flops.min()) & (mine.flops <= other.flops.max()))
    sizes = [sum(pair[side].flops.size for pair in pairs) for side in (0, 1)]
    return float((inside / sizes).min())
