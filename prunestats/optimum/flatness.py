"""Evidence that the ratio hardly matters: an equivalence test on the share of variance that it explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from prunestats.optimum.regression import Points, least_squares, wald


@dataclass(frozen=True)
class Flatness:
    """How much of the variance within originals the ratio can explain at most.

    Parameters
    ----------
    f, p : float
        Wald test with HC3 that slope and curvature are both zero.
    r2_upper : float
        One-sided upper confidence bound of the population's R squared, at `level`.
    level : float
    """

    f: float
    p: float
    r2_upper: float
    level: float


def flatness(data: Points, *, level: float = 0.95) -> Flatness:
    """Bound the variance that a quadratic in log ratio explains in the population.

    Parameters
    ----------
    data : Points
    level : float
        Of the one-sided bound.

    Returns
    -------
    Flatness

    Notes
    -----
    With fixed x the statistic is noncentral F with noncentrality n R^2 / (1 - R^2); the bound is the R^2 at which a
    value as small as the one seen has probability 1 - level. "Not significant" is no evidence for a flat response;
    a small bound is.

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
    """Return the noncentrality at which F <= f has probability 1 - level, or 0 where there is none.

    Examples
    --------
    >>> round(noncentrality_bound(1.0, 2, 57, 0.95), 2)
    7.89
    """
    tail = 1 - level
    if stats.f.cdf(f, dfn, dfd) <= tail:
        return 0.0
    # beyond this scipy's noncentral F gives no numbers, and the ratio explains all there is
    if dfn * f > 1e6:
        return float("inf")
    high = 10.0 + 4 * dfn * f
    while stats.ncf.cdf(f, dfn, dfd, high) > tail:
        high *= 2
        if high > 1e7:
            return float("inf")
    return float(optimize.brentq(lambda nc: stats.ncf.cdf(f, dfn, dfd, nc) - tail, 0, high, xtol=1e-6))
