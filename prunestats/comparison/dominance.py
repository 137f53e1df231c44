"""First-order stochastic dominance of one population over another."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from prunestats.comparison.permutation_tests import DistributionTests
from prunestats.comparison.stratified import Stratum

Dominance = Literal["a", "b", "neither", "undecided"]
_TAIL = 0.1
"""Tail quantile outside which dominance is not asked for: there, no usual sample could reject non-dominance."""


def dominance(strata: tuple[Stratum, ...], tests: DistributionTests, *, level: float) -> Dominance:
    """First-order stochastic dominance: the population whose distribution function is everywhere the larger, if either.

    Parameters
    ----------
    strata : tuple of Stratum
    tests : DistributionTests
        One-sided p-values of the same strata.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    {"a", "b", "neither", "undecided"}

    Notes
    -----
    `a` dominates where F_a(e) >= F_b(e) for all e: at any target error, a's subnetworks reach it at least as often.

    - "neither": F_a is significantly above F_b somewhere and significantly below it elsewhere, each by the one-sided
      Kolmogorov-Smirnov test at 1 - level. Both must reject, so the claim is wrong with probability 1 - level at most.
    - "a" or "b": its function is significantly above the other's at every e between the 10 % and the 90 % quantile of
      the pooled sample, each e by a one-sided normal test at (1 - level) / 2 with the variance of Agresti and Caffo.
      The null hypothesis is non-dominance, which all tests must reject (intersection-union), so no adjustment is needed
      and either claim is wrong with probability 1 - level at most. In the tails no finite sample could reject it;
      there, only a significant difference in the other direction prevents the claim.
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
    least_z, largest_z = _extreme_z(strata)
    critical = stats.norm.isf((1 - level) / 2)
    return "a" if least_z > critical else "b" if largest_z < -critical else "undecided"


def _extreme_z(strata: tuple[Stratum, ...]) -> tuple[float, float]:
    """Return the least and the largest z statistic of F_a - F_b between the pooled 10 % and 90 % quantiles."""
    errors = np.unique(np.concatenate([x for s in strata for x in (s.a, s.b)]))
    difference, variance, pooled = (np.zeros(errors.size) for _ in range(3))
    for s in strata:
        below = [np.searchsorted(x, errors, side="right") for x in (s.a, s.b)]
        a, b = ((count + 1) / (x.size + 2) for count, x in zip(below, (s.a, s.b), strict=True))
        difference += s.weight * (a - b)
        variance += s.weight**2 * (a * (1 - a) / (s.a.size + 2) + b * (1 - b) / (s.b.size + 2))
        pooled += s.weight * (below[0] + below[1]) / (s.a.size + s.b.size)
    middle = (pooled >= _TAIL) & (pooled <= 1 - _TAIL)
    if not middle.any():
        return 0.0, 0.0
    z = difference[middle] / np.sqrt(variance[middle])
    return float(z.min()), float(z.max())
