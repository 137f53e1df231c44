"""Does one population beat another at every error at once?"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from prunestats.comparison.permutation_tests import DistributionTests
from prunestats.comparison.stratified import Stratum

Dominance = Literal["a", "b", "neither", "undecided"]
_MIDDLE = 0.1


def dominance(strata: tuple[Stratum, ...], tests: DistributionTests, *, level: float) -> Dominance:
    """Say which population has the larger distribution function everywhere, if either.

    Parameters
    ----------
    strata : tuple of Stratum
    tests : DistributionTests
        One-sided p-values of the same strata.
    level : float

    Returns
    -------
    {"a", "b", "neither", "undecided"}

    Notes
    -----
    `a` dominates where F_a(e) >= F_b(e) for all e: whatever error is asked for, a's subnetworks reach it no less often.

    - "neither": a's function is above b's somewhere, and below it somewhere else, each by the one-sided
      Kolmogorov-Smirnov test at 1 - level. Both must reject, so the claim is wrong with probability 1 - level at most.
    - "a" or "b": its function is above the other's at every e between the 10 % and the 90 % quantile of the two
      populations put together, each e by a one-sided normal test at (1 - level) / 2 with the variance of Agresti and
      Caffo. The null is non-dominance, which all tests must reject (intersection-union), so no adjustment is needed and
      either claim is wrong with probability 1 - level at most. In the tails no finite sample could show it; there,
      only significant evidence to the contrary forbids the claim.
    - "undecided": all else. It is not evidence of equality.

    References
    ----------
    R. Davidson and J.-Y. Duclos, Econometric Reviews 32 (2013), 84-125: testing for restricted dominance from a null of
    non-dominance. D. McFadden, in Studies in the Economics of Uncertainty (1989): the one-sided tests. R. L. Berger,
    Technometrics 24 (1982), 295-300: intersection-union. A. Agresti and B. Caffo, American Statistician 54 (2000),
    280-288.

    Examples
    --------
    >>> from prunestats.comparison.permutation_tests import distribution_tests
    >>> from prunestats.comparison.stratified import strata_of
    >>> pair = strata_of([(np.arange(60.0), np.arange(60.0) + 30)])
    >>> dominance(pair, distribution_tests(pair, rng=np.random.default_rng(0)), level=0.95)
    'a'
    """
    if max(tests.above_p, tests.below_p) <= 1 - level:
        return "neither"
    least, most = _standardised(strata)
    needed = stats.norm.isf((1 - level) / 2)
    return "a" if least > needed else "b" if most < -needed else "undecided"


def _standardised(strata: tuple[Stratum, ...]) -> tuple[float, float]:
    """Return the least and the largest standardised difference of the functions over the middle."""
    places = np.unique(np.concatenate([x for s in strata for x in (s.a, s.b)]))
    difference, variance, together = (np.zeros(places.size) for _ in range(3))
    for s in strata:
        below = [np.searchsorted(x, places, side="right") for x in (s.a, s.b)]
        a, b = ((count + 1) / (x.size + 2) for count, x in zip(below, (s.a, s.b), strict=True))
        difference += s.weight * (a - b)
        variance += s.weight**2 * (a * (1 - a) / (s.a.size + 2) + b * (1 - b) / (s.b.size + 2))
        together += s.weight * (below[0] + below[1]) / (s.a.size + s.b.size)
    middle = (together >= _MIDDLE) & (together <= 1 - _MIDDLE)
    if not middle.any():
        return 0.0, 0.0
    z = difference[middle] / np.sqrt(variance[middle])
    return float(z.min()), float(z.max())
