"""The bootstrap of quantiles without resampling: exact bootstrap distributions, and their convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from prunestats.numeric.arrays import Floats

_OMITTED_TAIL = 1e-7
"""Probability left out in each tail: far below the tail of any usual level, and what keeps the cost near sqrt(n)."""
_MAX_SKIPPED = 32
"""Sample values that a resample skips between two neighbours: more have a probability of about exp(-32)."""
_STEP = 0.004
"""Grid step in standard deviations of the sum: rounding then moves it by 1/500, far less than sampling error does."""
_MAX_STEPS = 2**15
"""Bounds the memory of the Fourier transform where an outlier makes the range many standard deviations wide."""
_WHOLE = 1e-9
"""Rounding error allowed in n q, which counts as whole within it: 0.1 x 30 is 3 + 4e-16."""
_CONSTANT = 1e-12
"""A standard deviation below this share of the range is rounding error of equal values."""


@dataclass(frozen=True)
class DiscreteDistribution:
    """Distribution of a quantile of a resample: values, and their probabilities, which sum to one."""

    values: Floats
    probabilities: Floats

    @property
    def variance(self) -> float:
        """Variance, in the unit of the values squared."""
        return float(self.probabilities @ (self.values - self.probabilities @ self.values) ** 2)


def sample_quantile(ordered: Floats, q: float) -> float:
    """Sample quantile, the inverse of the EDF averaged at its steps (numpy's `averaged_inverted_cdf`).

    Notes
    -----
    The r-th smallest of n sorted values, r = n q rounded up; where n q is whole, its mean with the next, as in the
    usual median.

    References
    ----------
    R. J. Hyndman and Y. Fan, American Statistician 50 (1996), 361-365, definition 2.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 4.0, 8.0])
    >>> sample_quantile(x, 0.5), sample_quantile(x, 0.6)
    (3.0, 4.0)
    """
    rank, whole = _rank(ordered.size, q)
    return float((ordered[rank - 1] + ordered[rank]) / 2 if whole else ordered[rank - 1])


def _rank(n: int, q: float) -> tuple[int, bool]:
    """Return the rank r, and whether the quantile is the mean of the r-th and the next value."""
    rank = max(1, int(np.ceil(n * q - _WHOLE)))
    return rank, rank < n and abs(rank - n * q) < _WHOLE


def bootstrap_distribution(ordered: Floats, q: float) -> DiscreteDistribution:
    """Exact bootstrap distribution of `sample_quantile`: that of infinitely many resamples.

    Parameters
    ----------
    ordered : ndarray, shape (n,)
        The sample, sorted.
    q : float
        In (0, 1).

    Returns
    -------
    DiscreteDistribution

    Notes
    -----
    The r-th smallest of n resampled values is at most the j-th value with probability I(j / n; r, n + 1 - r), the
    regularised beta function. It is the i-th and the next the j-th, j > i, with probability C(n, r) times
    (i^r - (i - 1)^r) times ((n - j + 1)^(n - r) - (n - j)^(n - r)) over n^n. Tails with a probability below 1e-7 are
    left out, so the cost grows with the square root of n.

    References
    ----------
    A. C. Davison and D. V. Hinkley, Bootstrap Methods and Their Application (1997), section 2.6. J. S. Maritz and
    R. G. Jarrett, J. Amer. Statist. Assoc. 73 (1978), 194-196, for the pair.

    Examples
    --------
    >>> found = bootstrap_distribution(np.array([1.0, 2.0, 4.0]), 0.5)
    >>> found.values.tolist(), (27 * found.probabilities).round(9).tolist()
    ([1.0, 2.0, 4.0], [7.0, 13.0, 7.0])
    """
    n = ordered.size
    rank, averaged = _rank(n, q)
    first = int(np.ceil(n * special.betaincinv(rank, n + 1 - rank, _OMITTED_TAIL)))
    last = int(np.ceil(n * special.betaincinv(rank + averaged, n + 1 - rank - averaged, 1 - _OMITTED_TAIL)))
    i = np.arange(max(first, 1), last + 1)
    probabilities = np.diff(special.betainc(rank, n + 1 - rank, np.append(i[0] - 1, i) / n))
    values = ordered[i - 1]
    if averaged:
        values, probabilities = _averaged_pairs(ordered, rank, i, probabilities)
    return DiscreteDistribution(values, probabilities / probabilities.sum())


def _averaged_pairs(ordered: Floats, rank: int, i: NDArray[np.int64], single: Floats) -> tuple[Floats, Floats]:
    """Return the means of the r-th and the next value of a resample, with their probabilities."""
    n = ordered.size
    rest = n - rank
    j = np.minimum(i[:, None] + np.arange(1, _MAX_SKIPPED + 1), i[-1] + 1)
    scale = special.gammaln(n + 1) - special.gammaln(rank + 1) - special.gammaln(rest + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = rank * np.log(i / n) + np.log1p(-((1 - 1 / i) ** rank))
        second = rest * np.log((n - j + 1) / n) + np.log1p(-((1 - 1 / (n - j + 1)) ** rest))
        apart = np.exp(scale + first[:, None] + np.where(j <= i[-1], second, -np.inf))
    same = np.clip(single - apart.sum(axis=1), 0.0, None)
    means = (ordered[i - 1, None] + ordered[np.minimum(j, i[-1]) - 1]) / 2
    return np.append(ordered[i - 1], means), np.append(same, apart)


def percentile_interval(terms: Sequence[tuple[float, DiscreteDistribution]], level: float) -> tuple[float, float]:
    """Equal-tailed interval of a weighted sum of independent discrete variables.

    Parameters
    ----------
    terms : sequence of (float, DiscreteDistribution)
        Weight and distribution of each variable.
    level : float
        Probability inside, in (0, 1).

    Returns
    -------
    low, high : float

    Notes
    -----
    The distributions are rounded to a grid and convolved by Fourier transform. Rounding moves the sum by at most 1/500
    of its standard deviation, or by the number of terms over 65,536 of the range where that is more; the bounds are
    moved outwards by as much, so that a tie at a bound stays inside.

    Examples
    --------
    >>> coin = DiscreteDistribution(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    >>> low, high = percentile_interval([(1.0, coin), (1.0, coin)], 0.6)
    >>> round(low), round(high)
    (0, 2)
    """
    lows = [float((weight * one.values).min()) for weight, one in terms]
    highs = [float((weight * one.values).max()) for weight, one in terms]
    low, span = sum(lows), sum(highs) - sum(lows)
    spread = np.sqrt(sum(weight**2 * one.variance for weight, one in terms))
    if spread <= _CONSTANT * span or span <= 0:
        mean = sum(weight * float(one.probabilities @ one.values) for weight, one in terms)
        return float(mean), float(mean)
    step = max(_STEP * spread / len(terms), span / _MAX_STEPS)
    size = 1 << int(np.ceil(np.log2(span / step + len(terms) + 1)))
    transform = np.ones(size // 2 + 1, dtype=complex)
    for (weight, one), start in zip(terms, lows, strict=True):
        steps = np.round((weight * one.values - start) / step).astype(np.int64)
        transform *= np.fft.rfft(np.bincount(steps, one.probabilities, size))
    cumulative = np.cumsum(np.fft.irfft(transform, size))
    first, last = np.searchsorted(cumulative, [(1 - level) / 2, (1 + level) / 2])
    slack = len(terms) * step / 2
    return max(float(low + first * step - slack), low), min(float(low + last * step + slack), low + span)
