"""What is known about a distribution function: one place at a time, and everywhere at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats
from scipy.interpolate import CubicSpline

from prunestats.numeric.arrays import Floats
from prunestats.numeric.chunks import chunk_sizes

_DRAWS = 2_000
_FEW = 1_200
_NODES = 400
_OVERSHOOT = 0.5826
"""Expected overshoot of a random walk, in steps: -zeta(1/2) / sqrt(2 pi)."""


def clopper_pearson(successes: ArrayLike, n: float, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact interval of a binomial probability.

    Parameters
    ----------
    successes : array_like
        Counts between 0 and n; whole ones, where there are more than a thousand.
    n : float
        Number of trials; an effective number need not be whole.
    level : float
        Confidence level; the coverage is at least this.

    Returns
    -------
    low, high : ndarray
        Of the shape of `successes`.

    Notes
    -----
    Of more than a thousand counts the quantiles are interpolated between some of them, to 1e-10 at n = 10,000 and to
    1e-9 at n = 100,000.

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
    low = np.where(k > 0, _lower(np.maximum(k, 1e-9), n, tail), 0.0)
    high = np.where(k < n, 1 - _lower(np.maximum(n - k, 1e-9), n, tail), 1.0)
    return low, high


def _lower(k: Floats, n: float, tail: float) -> Floats:
    """Return the quantile of Beta(k, n - k + 1), through a spline of angles where k is long."""
    k = np.minimum(k, n)
    if k.size <= _FEW:
        return np.asarray(special.betaincinv(k, n - k + 1, tail), dtype=float)
    return np.asarray(np.sin(_angles(n, tail)(np.arcsin(np.sqrt(k / n)))) ** 2, dtype=float)


@lru_cache(maxsize=16)
def _angles(n: float, tail: float) -> CubicSpline:
    """Return the angle of the quantile as a function of the angle of k / n, exact at 100 counts of either end."""
    ends = np.arange(1.0, 101.0)
    turns = np.clip(np.round(n * np.sin(np.linspace(0, np.pi / 2, _NODES)) ** 2), 1.0, n)
    nodes = np.unique(np.concatenate([ends, n - ends + 1, turns]))
    return CubicSpline(
        np.arcsin(np.sqrt(nodes / n)), np.arcsin(np.sqrt(special.betaincinv(nodes, n - nodes + 1, tail)))
    )


def weighted_pointwise(y: Floats, squared: Floats, kish: float, level: float) -> tuple[Floats, Floats]:
    """Interval of a weighted distribution function at one place at a time.

    Parameters
    ----------
    y, squared : ndarray, shape (k,)
        Shares of the weights, and of their squares, at or below each place.
    kish : float
        (sum w)^2 / sum w^2.
    level : float

    Notes
    -----
    Clopper and Pearson's, with the effective number of trials F (1 - F) / Var(F), which sees weights that go with the
    values, but no more than `kish`, as that variance is itself an estimate.

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
        ratio = np.where(variance > 1e-12, y * (1 - y) / variance, 1.0)
    n = kish * np.clip(ratio, None, 1.0)
    tail = (1 - level) / 2
    k = np.minimum(y, 1.0) * n
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1e-9), n - k + 1, tail), 0.0)
    open_above = n - k > 1e-9 * n
    high = np.where(open_above, 1 - special.betaincinv(np.where(open_above, n - k, 1.0), k + 1, tail), 1.0)
    return np.asarray(low), np.asarray(high)


def order_statistics(x: Floats, low: Floats, high: Floats, q: float, n: float, level: float) -> tuple[float, float]:
    """Return the ends of the q-quantile's interval: where the pointwise interval of the function stops holding q.

    Parameters
    ----------
    x, low, high : ndarray, shape (k,)
        Distinct values, and the interval of the distribution function at each.
    q : float
    n : float
        Effective sample size.
    level : float

    References
    ----------
    H. A. David and H. N. Nagaraja, Order Statistics (2003), section 7.1.

    Examples
    --------
    >>> order_statistics(np.arange(1.0, 11.0), *clopper_pearson(np.arange(1, 11), 10), 0.5, 10, 0.95)
    (2.0, 9.0)
    """
    none_below = 1 - ((1 - level) / 2) ** (1 / n)
    above = low >= q
    first = -np.inf if none_below > q else x[np.argmax(high > q)]
    return float(first), float(x[np.argmax(above)] if above.any() else np.inf)


def resampled_order_statistic(x: Floats, y: Floats, q: float, n: int, level: float) -> tuple[float, float]:
    """Return the central interval of the q-quantile of a bootstrap resample, by its exact law.

    References
    ----------
    A. C. Davison and D. V. Hinkley, Bootstrap Methods and Their Application (1997), section 2.6.

    Examples
    --------
    >>> resampled_order_statistic(np.array([1.0, 2.0, 4.0]), np.array([1, 2, 3]) / 3, 0.5, 3, 0.5)
    (1.0, 4.0)
    """
    rank = np.ceil(q * n - 1e-9)
    reached = special.betainc(rank, n + 1 - rank, np.minimum(y, 1.0))
    low, high = x[np.minimum(np.searchsorted(reached, [(1 - level) / 2, (1 + level) / 2]), x.size - 1)]
    return float(low), float(high)


@lru_cache(maxsize=256)
def band_half_width(n: int, level: float) -> float:
    """Return the quantile of the two-sided Kolmogorov-Smirnov statistic at sample size n.

    Examples
    --------
    >>> round(band_half_width(20, 0.95), 5)
    0.29408
    """
    return float(stats.kstwo.ppf(level, n))


def multiplier_half_width(y: Floats, step: Floats, largest: Floats, level: float, rng: np.random.Generator) -> float:
    """Half width of the band of a weighted distribution function, by the Gaussian multiplier bootstrap.

    Parameters
    ----------
    y : ndarray, shape (k,)
        The distribution function at the distinct values.
    step, largest : ndarray, shape (k,)
        Root of the sum of the squared weights, and the largest weight, at each value; weights sum to one.
    level : float
    rng : numpy.random.Generator

    Notes
    -----
    A draw is the supremum of sum z_i w_i (1(v_i <= x) - F(x)) with standard normal z_i. It is a random walk, whose
    supremum falls short of the process's by about 0.58 of a step, which is added.

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
