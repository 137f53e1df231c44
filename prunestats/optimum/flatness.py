"""Equivalence test that the ratio explains next to no variance of the response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from prunestats.optimum.regression import Points, least_squares, wald


@dataclass(frozen=True)
class Flatness:
    """Upper confidence bound of the variance within originals that the ratio explains.

    Parameters
    ----------
    f, p : float
        Wald test with HC3 that slope and curvature are both zero.
    r2_upper : float
        One-sided upper confidence bound of the population's R squared.
    level : float
        Confidence level of the bound.
    """

    f: float
    p: float
    r2_upper: float
    level: float


def flatness(data: Points, *, level: float = 0.95) -> Flatness:
    """Upper confidence bound of the share of variance that a quadratic in log ratio explains.

    Parameters
    ----------
    data : Points
    level : float
        Confidence level of the one-sided bound.

    Returns
    -------
    Flatness

    Notes
    -----
    Estimand: R squared within originals in the population. Given x the F statistic is noncentral F with noncentrality
    n R^2 / (1 - R^2); the bound is the R^2 at which a value as small as the observed one has probability 1 - level. A
    non-significant test is no evidence of a flat response; a small bound is. Assumes homoscedastic noise for the
    noncentral distribution, while the statistic itself has the HC3 covariance.

    References
    ----------
    J. H. Steiger, Psychol. Methods 9 (2004), 164-182: the bound by inversion of the noncentral F.

    Examples
    --------
    >>> import numpy as np
    >>> from prunestats.optimum.regression import points
    >>> rng = np.random.default_rng(0)
    >>> flatness(points(rng.random(500), rng.random(500))).r2_upper < 0.05
    True
    """
    u = data.x - data.x.mean()
    fit = least_squares(data.design(u, u**2), data.target)
    f, p = wald(fit, [1, 2])
    noncentrality = noncentrality_bound(f, 2, fit.df, level)
    share = 1.0 if np.isinf(noncentrality) else noncentrality / (noncentrality + data.x.size)
    return Flatness(f, p, share, level)


def noncentrality_bound(f: float, dfn: int, dfd: int, level: float) -> float:
    """Upper confidence bound of the noncentrality of an F statistic, 0 where F <= f is too rare even at 0.

    Examples
    --------
    >>> round(noncentrality_bound(1.0, 2, 57, 0.95), 2)
    7.89
    """
    tail = 1 - level
    if stats.f.cdf(f, dfn, dfd) <= tail:
        return 0.0
    # scipy's noncentral F was seen to return nan for larger statistics, and a bound of R squared that is 1 instead of
    # a little less changes nothing, as either is far from flat; the same holds of 1e7 below
    if dfn * f > 1e6:
        return float("inf")
    high = 10.0 + 4 * dfn * f
    while stats.ncf.cdf(f, dfn, dfd, high) > tail:
        high *= 2
        if high > 1e7:
            return float("inf")
    # an error of 1e-6 in the noncentrality is one of 1e-7 or less in R squared, of which one decimal in % is reported
    return float(optimize.brentq(lambda nc: stats.ncf.cdf(f, dfn, dfd, nc) - tail, 0, high, xtol=1e-6))
