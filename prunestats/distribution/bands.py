"""Pointwise confidence intervals and simultaneous bands of a distribution function, and intervals of its quantiles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats
from scipy.interpolate import CubicSpline

from prunestats.numeric.arrays import Floats
from prunestats.numeric.chunks import chunk_sizes

_DRAWS = 2_000
"""Draws of the supremum: with equal weights the band is within 4 % of the exact one (tested); time is linear in it."""
_MAX_DIRECT = 1_200
"""Counts up to which every Beta quantile is computed: above, interpolation is the faster one."""
_EDGE_NODES = 100
"""Counts at either end that are interpolation nodes: there, the quantile bends most as a function of the count."""
_NODES = 400
"""Nodes in between: they give ten digits at n = 10,000 (tested), more than any use needs."""
_OVERSHOOT = 0.5826
"""Expected overshoot of a random walk, in steps: -zeta(1/2) / sqrt(2 pi)."""
_TINY = 1e-9
"""Replaces a count of zero, whose Beta quantile is undefined and not used; also the rounding error of a count."""
_NO_VARIANCE = 1e-12
"""A variance of a share below this is rounding error: the share is 0 or 1, and its effective number of trials kish."""


def clopper_pearson(successes: ArrayLike, n: float, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Clopper-Pearson (exact) interval of a proportion.

    Parameters
    ----------
    successes : array_like
        Counts between 0 and n; integers, where there are more than 1,200.
    n : float
        Number of trials; an effective number need not be an integer.
    level : float
        Confidence level in (0, 1); the coverage is at least this.

    Returns
    -------
    low, high : ndarray
        Of the shape of `successes`.

    Notes
    -----
    The interval is that of `statsmodels.stats.proportion.proportion_confint(method="beta")`. For more than 1,200 counts
    the quantiles are interpolated, to within 1e-10 at n = 10,000 and 1e-9 at n = 100,000, which is faster.

    References
    ----------
    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), 404-413.

    Examples
    --------
    >>> low, high = clopper_pearson([0, 5], 10)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.1871], [0.3085, 0.8129])
    """
    k = np.asarray(successes, dtype=float)
    tail = (1 - level) / 2
    low = np.where(k > 0, _lower(np.maximum(k, _TINY), n, tail), 0.0)
    high = np.where(k < n, 1 - _lower(np.maximum(n - k, _TINY), n, tail), 1.0)
    return low, high


def _lower(k: Floats, n: float, tail: float) -> Floats:
    """Return the quantile of Beta(k, n - k + 1), by a spline for many k."""
    k = np.minimum(k, n)
    if k.size <= _MAX_DIRECT:
        return np.asarray(special.betaincinv(k, n - k + 1, tail), dtype=float)
    return np.asarray(np.sin(_angle_spline(n, tail)(np.arcsin(np.sqrt(k / n)))) ** 2, dtype=float)


@lru_cache(maxsize=16)  # the populations of a study often have one size
def _angle_spline(n: float, tail: float) -> CubicSpline:
    """Return arcsin sqrt(quantile) as a function of arcsin sqrt(k / n): nearly linear, as the arcsine stabilises."""
    edge = np.arange(1.0, _EDGE_NODES + 1.0)
    inner = np.clip(np.round(n * np.sin(np.linspace(0, np.pi / 2, _NODES)) ** 2), 1.0, n)
    nodes = np.unique(np.concatenate([edge, n - edge + 1, inner]))
    return CubicSpline(
        np.arcsin(np.sqrt(nodes / n)), np.arcsin(np.sqrt(special.betaincinv(nodes, n - nodes + 1, tail)))
    )


def weighted_pointwise(y: Floats, squared: Floats, kish: float, level: float) -> tuple[Floats, Floats]:
    """Korn-Graubard pointwise interval of a weighted distribution function.

    Parameters
    ----------
    y, squared : ndarray, shape (k,)
        Shares of the weights, and of the squared weights, at or below each value.
    kish : float
        Kish's effective sample size, (sum w)^2 / sum w^2.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    low, high : ndarray, shape (k,)

    Notes
    -----
    The Clopper-Pearson interval with the effective number of trials F (1 - F) / Var(F), which accounts for weights that
    are correlated with the values, but at most `kish`, as that variance is itself an estimate.

    References
    ----------
    E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998), 193-201, section 2.

    Examples
    --------
    >>> low, high = weighted_pointwise(np.array([0.5, 1.0]), np.array([0.5, 1.0]), 10.0, 0.95)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.1871, 0.6915], [0.8129, 1.0])
    """
    variance = np.clip(squared * (1 - 2 * y) + y**2, 0.0, None)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(variance > _NO_VARIANCE, y * (1 - y) / variance, 1.0)
    n = kish * np.clip(ratio, None, 1.0)
    tail = (1 - level) / 2
    k = np.minimum(y, 1.0) * n
    low = np.where(k > 0, special.betaincinv(np.maximum(k, _TINY), n - k + 1, tail), 0.0)
    below_one = n - k > _TINY * n
    high = np.where(below_one, 1 - special.betaincinv(np.where(below_one, n - k, 1.0), k + 1, tail), 1.0)
    return np.asarray(low), np.asarray(high)


def order_statistic_interval(
    x: Floats, low: Floats, high: Floats, q: float, n: float, level: float
) -> tuple[float, float]:
    """Order-statistic interval of the q-quantile: the values at which the pointwise interval of F contains q.

    Parameters
    ----------
    x, low, high : ndarray, shape (k,)
        Distinct values, and the pointwise interval of the distribution function at each.
    q : float
        In (0, 1).
    n : float
        Effective sample size.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    low, high : float
        Infinite where the sample is too small to bound the quantile.

    References
    ----------
    H. A. David and H. N. Nagaraja, Order Statistics (2003), section 7.1.

    Examples
    --------
    >>> order_statistic_interval(np.arange(1.0, 11.0), *clopper_pearson(np.arange(1, 11), 10), 0.5, 10, 0.95)
    (2.0, 9.0)
    """
    upper_at_zero = 1 - ((1 - level) / 2) ** (1 / n)
    above = low >= q
    first = -np.inf if upper_at_zero > q else x[np.argmax(high > q)]
    return float(first), float(x[np.argmax(above)] if above.any() else np.inf)


def bootstrap_quantile_interval(x: Floats, y: Floats, q: float, n: int, level: float) -> tuple[float, float]:
    """Bootstrap percentile interval of the q-quantile, from its exact bootstrap distribution.

    Parameters
    ----------
    x, y : ndarray, shape (k,)
        Distinct values, and the empirical distribution function at each.
    q : float
        In (0, 1).
    n : int
        Sample size.
    level : float
        Confidence level in (0, 1).

    References
    ----------
    A. C. Davison and D. V. Hinkley, Bootstrap Methods and Their Application (1997), section 2.6.

    Examples
    --------
    >>> bootstrap_quantile_interval(np.array([1.0, 2.0, 4.0]), np.array([1, 2, 3]) / 3, 0.5, 3, 0.5)
    (1.0, 4.0)
    """
    # q n counts as whole within rounding error: 0.1 x 30 is 3 + 4e-16
    rank = np.ceil(q * n - _TINY)
    cumulative = special.betainc(rank, n + 1 - rank, np.minimum(y, 1.0))
    low, high = x[np.minimum(np.searchsorted(cumulative, [(1 - level) / 2, (1 + level) / 2]), x.size - 1)]
    return float(low), float(high)


@lru_cache(maxsize=256)  # the populations of a study often have one size, and each takes a millisecond
def band_half_width(n: int, level: float) -> float:
    """Half width of the Kolmogorov-Smirnov band: the exact quantile of the two-sided statistic at sample size n.

    Examples
    --------
    >>> round(band_half_width(20, 0.95), 5)
    0.29408
    """
    return float(stats.kstwo.ppf(level, n))


def multiplier_half_width(y: Floats, step: Floats, largest: Floats, level: float, rng: np.random.Generator) -> float:
    """Half width of the simultaneous band of a weighted distribution function, by the Gaussian multiplier bootstrap.

    Parameters
    ----------
    y : ndarray, shape (k,)
        The distribution function at the distinct values.
    step, largest : ndarray, shape (k,)
        Square root of the sum of the squared weights, and the largest weight, at each value; weights sum to one.
    level : float
        Confidence level in (0, 1).
    rng : numpy.random.Generator

    Notes
    -----
    A draw is the supremum of |sum z_i w_i (1(v_i <= x) - F(x))| with standard normal z_i. It is that of a random walk,
    which falls short of the supremum of the limiting process by about 0.58 of a step; that is added.

    References
    ----------
    A. W. van der Vaart and J. A. Wellner, Weak Convergence and Empirical Processes (1996), section 3.6. D. Siegmund,
    Sequential Analysis (1985), section 10.2, for the overshoot.

    Examples
    --------
    >>> n = np.full(400, 1 / 400)
    >>> round(multiplier_half_width(np.cumsum(n), n, n, 0.95, np.random.default_rng(0)), 3)  # exactly: 0.068
    0.068
    """
    suprema = np.concatenate(
        [_suprema(rng.standard_normal((rows, y.size)), y, step, largest) for rows in chunk_sizes(_DRAWS, y.size)]
    )
    return float(np.quantile(suprema, level))


def _suprema(normal: Floats, y: Floats, step: Floats, largest: Floats) -> Floats:
    walk = np.cumsum(normal * step, axis=1)
    walk -= walk[:, -1:] * y
    result: Floats = (np.abs(walk) + _OVERSHOOT * largest).max(axis=1)
    return result
