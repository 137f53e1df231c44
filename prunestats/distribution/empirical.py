"""Empirical distribution functions of populations, with pointwise and simultaneous bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunestats.distribution.bands import (
    band_half_width,
    clopper_pearson,
    multiplier_half_width,
    order_statistics,
    resampled_order_statistic,
    weighted_pointwise,
)
from prunestats.distribution.weighted_sample import one_row, shares, weighted_steps
from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result

__all__ = ["Edf", "clopper_pearson", "edf"]

_ROUNDING = 1e-12


@dataclass(frozen=True, repr=False)
class Edf(Result):
    """The empirical distribution function of a population of subnetworks.

    Parameters
    ----------
    x : ndarray, shape (k,)
        The sorted distinct values, in the unit of the response.
    y : ndarray, shape (k,)
        F(x): the fraction of subnetworks, or of their weights, with a value of at most x.
    low, high : ndarray, shape (k,)
        Pointwise Clopper-Pearson interval of F at each x.
    band_low, band_high : ndarray, shape (k,)
        Simultaneous band: holds the whole of F with probability of at least `level`.
    level : float
        Confidence level of both.
    n : int
        Number of values with a weight above zero.
    n_effective : float
        (sum w)^2 / sum w^2; n, where every value weighs the same.
    squared : ndarray, shape (k,)
        The fraction of the squared weights with a value of at most x; `y`, where every value weighs the same.
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
    squared: NDArray[np.float64]

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

    def area_interval(self, limit: float) -> Interval:
        """Return `area` with its confidence interval; nan ends where one value says nothing about chance.

        Notes
        -----
        Student's t of the mean gain max(limit - value, 0), with `n_effective` - 1 degrees of freedom; the low end is
        never below zero. The limit is taken as given, not estimated.

        Examples
        --------
        >>> print(edf([0.1, 0.2, 0.4, 0.5]).area_interval(0.5))
        0.2 [0, 0.4905]
        """
        gains, value = np.clip(limit - self.x, 0.0, None), self.area(limit)
        if self.n == 1:
            return Interval(value, np.nan, np.nan, self.level)
        spread = np.diff(self.squared, prepend=0.0) @ (gains - value) ** 2
        error = np.sqrt(spread / (self.n_effective - 1))
        half = float(stats.t.ppf((1 + self.level) / 2, self.n_effective - 1) * error)
        return Interval(value, max(value - half, 0.0), value + half, self.level)

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
        # y may miss a share such as 3/10 by a rounding error
        position = np.searchsorted(self.y, wanted - _ROUNDING, side="left")
        return np.asarray(self.x[position], dtype=float)

    def quantile_interval(self, q: float, *, method: Literal["exact", "bootstrap"] = "exact") -> Interval:
        """Return the q-quantile with its confidence interval.

        Parameters
        ----------
        q : float
            In (0, 1).
        method : {"exact", "bootstrap"}
            Order statistics by the binomial law, or the percentile interval of infinitely many bootstrap resamples.

        Raises
        ------
        InputError
            Where q is outside (0, 1), for another method, or the bootstrap of weighted values.

        Notes
        -----
        `exact` inverts the pointwise interval: it is the usual pair of order statistics, covers with at least `level`
        whatever the distribution and its ties, and has an infinite end where so few values cannot bound the quantile.
        `bootstrap` never leaves the data; it is in closed form, as the r-th smallest of n resampled values is at most
        the j-th value with probability P(Beta(r, n + 1 - r) <= j / n). Its coverage is only approximate: far below
        `level` for a q so low that few values are below it.

        Examples
        --------
        >>> print(edf(np.arange(1.0, 21.0)).quantile_interval(0.5))
        10 [6, 15]
        >>> print(edf(np.arange(1.0, 21.0)).quantile_interval(0.1, method="bootstrap"))
        2 [1, 5]
        """
        if not 0 < q < 1:
            raise InputError(f"q must lie between 0 and 1; found {q}: an interval of the largest value needs a model")
        if method == "exact":
            low, high = order_statistics(self.x, self.low, self.high, q, self.n_effective, self.level)
        elif method != "bootstrap":
            raise InputError(f"method must be exact or bootstrap; found {method!r}")
        elif self.n_effective < self.n - 1e-6:
            raise InputError("the bootstrap of a quantile needs equal weights; found others: use method='exact'")
        else:
            low, high = resampled_order_statistic(self.x, self.y, q, self.n, self.level)
        return Interval(float(self.quantile(q)), low, high, self.level)


def edf(
    values: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Edf:
    """Estimate the distribution function of a population from independent subnetworks.

    Parameters
    ----------
    values : array_like, shape (n,)
        One value a subnetwork (for example its mean error over seeds), independent draws of the population.
    weights : array_like, shape (n,), optional
        What each value counts, such as `complexity_weights`; their scale does not matter, and zero leaves one out.
    level : float
        Confidence level of the pointwise intervals and of the simultaneous band.
    rng : numpy.random.Generator, optional
        For the band of weighted values; a generator seeded with 0 when left out.

    Returns
    -------
    Edf
        At the distinct values, with ties decided once: F(x) counts values <= x.

    Raises
    ------
    InputError
        For no values, values that are not finite, weights that are not one finite number of zero or more a value, or
        a level outside (0, 1).

    Notes
    -----
    Estimand: F(e) = P(value <= e) for a fresh draw of the population, or of the population that the weights make of it.
    The pointwise interval at a fixed e is Clopper and Pearson's; it holds for one e at a time. The band inverts the
    exact distribution of the two-sided Kolmogorov-Smirnov statistic at sample size n and holds for all e together;
    it is exact for a continuous population and conservative with ties. Between two distinct values F, and with
    it the band, is constant. With unequal weights both are approximate: see
    `prunestats.distribution.bands`, also for references.

    References
    ----------
    Z. W. Birnbaum, J. Amer. Statist. Assoc. 47 (1952), 425-441: the exact distribution of the statistic.
    I. Radosavovic, J. Johnson, S. Xie, W.-Y. Lo and P. Dollar, ICCV 2019, eq. (8): the weighted function.

    Examples
    --------
    >>> result = edf([0.1, 0.2, 0.2, 0.4])
    >>> result.x.tolist(), result.y.tolist()
    ([0.1, 0.2, 0.4], [0.25, 0.75, 1.0])
    >>> edf([0.1, 0.2, 0.4], weights=[2, 1, 1]).y.tolist()
    [0.5, 0.75, 1.0]
    """
    check_level(level)
    data = one_row(values, "values")
    if weights is not None:
        data, share = shares(data, weights)
        if np.ptp(share) > _ROUNDING * share.max():
            return _weighted_edf(data, share, float(level), rng or np.random.default_rng(0))
    n = data.size
    x, ties = np.unique(data, return_counts=True)
    count = np.cumsum(ties)
    low, high = clopper_pearson(count, n, level=level)
    y = count / n
    band = _band(y, band_half_width(n, level))
    return Edf(x, y, low, high, *band, level=float(level), n=n, n_effective=float(n), squared=y)


def _weighted_edf(data: NDArray[np.float64], share: NDArray[np.float64], level: float, rng: np.random.Generator) -> Edf:
    x, y, squared, step, largest = weighted_steps(data, share)
    kish = float(1 / (share @ share))
    low, high = weighted_pointwise(y, squared, kish, level)
    band = _band(y, multiplier_half_width(y, step, largest, level, rng))
    return Edf(x, y, low, high, *band, level=level, n=data.size, n_effective=kish, squared=squared)


def _band(y: NDArray[np.float64], half: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.clip(y - half, 0.0, 1.0), np.clip(y + half, 0.0, 1.0)
