"""The bootstrap of quantiles without resampling: exact laws, and sums of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from prunestats.numeric.arrays import Floats

_UNSEEN = 1e-7
_GAPS = 32
"""Neighbours that a resample skips between two of its order statistics: more have a chance of about exp(-32)."""
_RESOLUTION = 0.004
_LARGEST = 2**15


@dataclass(frozen=True)
class Law:
    """What a quantile of a resample may be: values, and their chances, which sum to one."""

    values: Floats
    chances: Floats

    @property
    def variance(self) -> float:
        """Variance of the law, in the unit of the values squared."""
        return float(self.chances @ (self.values - self.chances @ self.values) ** 2)


def middle_quantile(ordered: Floats, q: float) -> float:
    """Return the r-th smallest of n sorted values, r = n q rounded up; where n q is whole, its mean with the next.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 4.0, 8.0])
    >>> middle_quantile(x, 0.5), middle_quantile(x, 0.6)
    (3.0, 4.0)
    """
    rank, whole = _rank(ordered.size, q)
    return float((ordered[rank - 1] + ordered[rank]) / 2 if whole else ordered[rank - 1])


def _rank(n: int, q: float) -> tuple[int, bool]:
    rank = max(1, int(np.ceil(n * q - 1e-9)))
    return rank, rank < n and abs(rank - n * q) < 1e-9


def resampled_quantile(ordered: Floats, q: float) -> Law:
    """Law of `middle_quantile` in a bootstrap resample of sorted values.

    Parameters
    ----------
    ordered : ndarray, shape (n,)
    q : float
        In (0, 1).

    Notes
    -----
    The r-th smallest of n resampled values is at most the j-th value with probability I(j / n; r, n + 1 - r), the
    regularised beta function. It is the i-th and the next the j-th, j > i, with probability C(n, r) times
    (i^r - (i - 1)^r) times ((n - j + 1)^(n - r) - (n - j)^(n - r)) over n^n. Values with a chance under 1e-7 to lie
    beyond are left out, so the cost grows with the root of n.

    References
    ----------
    A. C. Davison and D. V. Hinkley, Bootstrap Methods and Their Application (1997), section 2.6. J. S. Maritz and
    R. G. Jarrett, J. Amer. Statist. Assoc. 73 (1978), 194-196, for the pair.

    Examples
    --------
    >>> law = resampled_quantile(np.array([1.0, 2.0, 4.0]), 0.5)
    >>> law.values.tolist(), (27 * law.chances).round(9).tolist()
    ([1.0, 2.0, 4.0], [7.0, 13.0, 7.0])
    """
    n = ordered.size
    rank, whole = _rank(n, q)
    first = int(np.ceil(n * special.betaincinv(rank, n + 1 - rank, _UNSEEN)))
    last = int(np.ceil(n * special.betaincinv(rank + whole, n + 1 - rank - whole, 1 - _UNSEEN)))
    i = np.arange(max(first, 1), last + 1)
    chances = np.diff(special.betainc(rank, n + 1 - rank, np.append(i[0] - 1, i) / n))
    values = ordered[i - 1]
    if whole:
        values, chances = _pairs(ordered, rank, i, chances)
    return Law(values, chances / chances.sum())


def _pairs(ordered: Floats, rank: int, i: NDArray[np.int64], single: Floats) -> tuple[Floats, Floats]:
    """Return the means of two neighbours in a resample, with their chances."""
    n = ordered.size
    rest = n - rank
    j = np.minimum(i[:, None] + np.arange(1, _GAPS + 1), i[-1] + 1)
    scale = special.gammaln(n + 1) - special.gammaln(rank + 1) - special.gammaln(rest + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = rank * np.log(i / n) + np.log1p(-((1 - 1 / i) ** rank))
        second = rest * np.log((n - j + 1) / n) + np.log1p(-((1 - 1 / (n - j + 1)) ** rest))
        apart = np.exp(scale + first[:, None] + np.where(j <= i[-1], second, -np.inf))
    same = np.clip(single - apart.sum(axis=1), 0.0, None)
    means = (ordered[i - 1, None] + ordered[np.minimum(j, i[-1]) - 1]) / 2
    return np.append(ordered[i - 1], means), np.append(same, apart)


def percentile_interval(terms: Sequence[tuple[float, Law]], level: float) -> tuple[float, float]:
    """Central interval of a weighted sum of independent laws.

    Parameters
    ----------
    terms : sequence of (float, Law)
    level : float

    Notes
    -----
    The laws are put on a lattice and convolved by Fourier transform. Rounding to the lattice moves the sum by at
    most 1/500 of its standard deviation, or the number of laws over 65,536 of the range where that is more, and the
    ends are moved outwards by as much: a tie at an end stays inside.

    Examples
    --------
    >>> coin = Law(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    >>> low, high = percentile_interval([(1.0, coin), (1.0, coin)], 0.6)
    >>> round(low), round(high)
    (0, 2)
    """
    lows = [float((weight * law.values).min()) for weight, law in terms]
    highs = [float((weight * law.values).max()) for weight, law in terms]
    low, span = sum(lows), sum(highs) - sum(lows)
    spread = np.sqrt(sum(weight**2 * law.variance for weight, law in terms))
    if spread <= 1e-12 * span or span <= 0:
        middle = sum(weight * float(law.chances @ law.values) for weight, law in terms)
        return float(middle), float(middle)
    step = max(_RESOLUTION * spread / len(terms), span / _LARGEST)
    size = 1 << int(np.ceil(np.log2(span / step + len(terms) + 1)))
    transform = np.ones(size // 2 + 1, dtype=complex)
    for (weight, law), start in zip(terms, lows, strict=True):
        places = np.round((weight * law.values - start) / step).astype(np.int64)
        transform *= np.fft.rfft(np.bincount(places, law.chances, size))
    reached = np.cumsum(np.fft.irfft(transform, size))
    first, last = np.searchsorted(reached, [(1 - level) / 2, (1 + level) / 2])
    slack = len(terms) * step / 2
    return max(float(low + first * step - slack), low), min(float(low + last * step + slack), low + span)
