"""Empirical distribution functions of populations, with pointwise and simultaneous bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunestats.errors import InputError
from prunestats.intervals import check_level, plain


@dataclass(frozen=True, repr=False)
class Edf:
    """The empirical distribution function of a population of subnetworks.

    Parameters
    ----------
    x : ndarray, shape (k,)
        The sorted distinct values, in the unit of the response.
    y : ndarray, shape (k,)
        F(x): the fraction of subnetworks with a value of at most x.
    low, high : ndarray, shape (k,)
        Pointwise Clopper-Pearson interval of F at each x.
    band_low, band_high : ndarray, shape (k,)
        Simultaneous band: holds the whole of F with probability of at least `level`.
    level : float
        Confidence level of both.
    n : int
        Number of values.
    n_effective : float
        Effective sample size; n, as every value weighs the same.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    band_low: NDArray[np.float64]
    band_high: NDArray[np.float64]
    level: float
    n: int
    n_effective: float

    def __repr__(self) -> str:
        return (
            f"Edf(n={self.n}, min={self.x[0]:.4g}, median={float(self.quantile(0.5)):.4g}, "
            f"max={self.x[-1]:.4g}, level={self.level:g})"
        )

    def area(self, limit: float) -> float:
        """Return the area under F from minus infinity to `limit`, in the unit of x.

        Notes
        -----
        It equals the mean of max(limit - value, 0): larger is better, and it looks at nothing above `limit`.

        Examples
        --------
        >>> edf([0.1, 0.2, 0.4]).area(0.3)
        0.1
        """
        gains = np.clip(limit - self.x, 0.0, None)
        return float(np.round(gains @ np.diff(self.y, prepend=0.0), 15))

    def quantile(self, q: ArrayLike) -> NDArray[np.float64]:
        """Return the smallest x with F(x) >= q, for q in (0, 1].

        Raises
        ------
        InputError
            Where q is outside (0, 1].

        Examples
        --------
        >>> float(edf([0.1, 0.2, 0.4]).quantile(0.5))
        0.2
        """
        wanted = np.asarray(q, dtype=float)
        if not ((wanted > 0) & (wanted <= 1)).all():
            raise InputError(f"q must lie in (0, 1]; found {wanted}: write the median as 0.5")
        # k/n >= q is decided on counts: q * n may miss a whole number by a rounding error
        counts = np.round(self.y * self.n)
        position = np.searchsorted(counts, np.ceil(np.round(wanted * self.n, 9)), side="left")
        return np.asarray(self.x[position], dtype=float)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain lists and numbers."""
        result: dict[str, Any] = plain(self)
        return result


def edf(values: ArrayLike, *, level: float = 0.95) -> Edf:
    """Estimate the distribution function of a population from independent subnetworks.

    Parameters
    ----------
    values : array_like, shape (n,)
        One value a subnetwork (for example its mean error over seeds), independent draws of the population.
    level : float
        Confidence level of the pointwise intervals and of the simultaneous band.

    Returns
    -------
    Edf
        At the distinct values, with ties decided once: F(x) counts values <= x.

    Raises
    ------
    InputError
        For no values, values that are not finite, or a level outside (0, 1).

    Notes
    -----
    Estimand: F(e) = P(value <= e) for a fresh draw of the population. The pointwise interval at a fixed e is
    Clopper and Pearson's; it holds for one e at a time. The band inverts the exact distribution of the two-sided
    Kolmogorov-Smirnov statistic at sample size n and holds for all e together; it is exact for a continuous
    population and conservative with ties. Between two distinct values F, and with it the band, is constant.

    References
    ----------
    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), 404-413.
    Z. W. Birnbaum, J. Amer. Statist. Assoc. 47 (1952), 425-441: the exact distribution of the statistic.

    Examples
    --------
    >>> result = edf([0.1, 0.2, 0.2, 0.4])
    >>> result.x.tolist(), result.y.tolist()
    ([0.1, 0.2, 0.4], [0.25, 0.75, 1.0])
    """
    check_level(level)
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or data.size == 0:
        raise InputError(f"values must be one row of at least one number; found shape {data.shape}")
    if not np.isfinite(data).all():
        raise InputError(
            f"values must be finite; found {int((~np.isfinite(data)).sum())} that are not: drop failed runs"
        )
    n = data.size
    x, ties = np.unique(data, return_counts=True)
    count = np.cumsum(ties)
    low, high = clopper_pearson(count, n, level=level)
    half = band_half_width(n, level)
    y = count / n
    return Edf(
        x=x,
        y=y,
        low=low,
        high=high,
        band_low=np.clip(y - half, 0.0, 1.0),
        band_high=np.clip(y + half, 0.0, 1.0),
        level=float(level),
        n=n,
        n_effective=float(n),
    )


@lru_cache(maxsize=256)
def band_half_width(n: int, level: float) -> float:
    """Return the quantile of the two-sided Kolmogorov-Smirnov statistic at sample size n.

    Examples
    --------
    >>> round(band_half_width(20, 0.95), 5)
    0.29408
    """
    return float(stats.kstwo.ppf(level, n))


def clopper_pearson(
    successes: ArrayLike, n: int, *, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact interval of a binomial probability.

    Parameters
    ----------
    successes : array_like of int
        Counts between 0 and n.
    n : int
        Number of trials.
    level : float
        Confidence level; the coverage is at least this.

    Returns
    -------
    low, high : ndarray
        Of the shape of `successes`.

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
    low = np.where(k > 0, stats.beta.ppf(tail, np.maximum(k, 1), n - k + 1), 0.0)
    high = np.where(k < n, stats.beta.ppf(1 - tail, k + 1, np.maximum(n - k, 1)), 1.0)
    return low, high
