"""Empirical distribution functions of populations, with pointwise intervals and simultaneous bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunestats.distribution.bands import (
    band_half_width,
    bootstrap_quantile_interval,
    clopper_pearson,
    multiplier_half_width,
    order_statistic_interval,
    weighted_pointwise,
)
from prunestats.distribution.weighted_sample import one_row, shares, weighted_steps
from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result

__all__ = ["Edf", "clopper_pearson", "edf"]

_ROUNDING = 1e-12
"""Rounding error of a share of n values: shares and weights that differ by less are equal."""
_SIZE_ROUNDING = 1e-6
"""Rounding error of the effective sample size: weights that lower it by less are equal."""
_AREA_DIGITS = 15
"""Decimals of an area: what lies beyond is rounding error of the sum, and would print 0.10000000000000002."""


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
        Simultaneous (Kolmogorov-Smirnov) band: contains all of F with probability of at least `level`.
    level : float
        Confidence level of both.
    n : int
        Number of values with a positive weight.
    n_effective : float
        Kish's effective sample size, (sum w)^2 / sum w^2; n for equal weights.
    squared : ndarray, shape (k,)
        The fraction of the squared weights with a value of at most x; `y` for equal weights.
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
        least, median, largest = self.x[0], float(self.quantile(0.5)), self.x[-1]
        return f"Edf(n={self.n}, min={least:.4g}, median={median:.4g}, max={largest:.4g}, level={self.level:g})"

    def area(self, limit: float) -> float:
        """Area under F from minus infinity to `limit`, in the unit of x.

        Notes
        -----
        It equals the mean of max(limit - value, 0): larger is better, and values above `limit` do not enter.

        Examples
        --------
        >>> edf([0.1, 0.2, 0.4]).area(0.3)
        0.1
        """
        gains = np.clip(limit - self.x, 0.0, None)
        return float(np.round(gains @ np.diff(self.y, prepend=0.0), _AREA_DIGITS))

    def area_interval(self, limit: float) -> Interval:
        """Area under F up to `limit`, with its t interval; nan bounds for a single value.

        Notes
        -----
        Student's t interval of the mean of max(limit - value, 0), with `n_effective` - 1 degrees of freedom; the lower
        bound is at least zero. The limit counts as known, not as estimated.

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
        """Quantile: the smallest x with F(x) >= q, for q in (0, 1].

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
        # y may miss a share such as 3/10 by rounding error
        return np.asarray(self.x[np.searchsorted(self.y, wanted - _ROUNDING, side="left")], dtype=float)

    def quantile_interval(self, q: float, *, method: Literal["exact", "bootstrap"] = "exact") -> Interval:
        """Quantile with its confidence interval.

        Parameters
        ----------
        q : float
            In (0, 1).
        method : {"exact", "bootstrap"}
            Order statistics by the binomial distribution, or the percentile interval of infinitely many resamples.

        Raises
        ------
        InputError
            For q outside (0, 1), another method, or the bootstrap of weighted values.

        Notes
        -----
        `exact` inverts the pointwise interval: it is the usual pair of order statistics, has a coverage of at least
        `level` for every distribution, with ties, and an infinite bound where the sample is too small for one.
        `bootstrap` stays within the range of the data; it is in closed form, as the r-th smallest of n resampled values
        is at most the j-th value with probability P(Beta(r, n + 1 - r) <= j / n). Its coverage is only approximate: far
        below `level` where few values are below the quantile.

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
            low, high = order_statistic_interval(self.x, self.low, self.high, q, self.n_effective, self.level)
        elif method != "bootstrap":
            raise InputError(f"method must be exact or bootstrap; found {method!r}: choose one of them")
        elif self.n_effective < self.n - _SIZE_ROUNDING:
            raise InputError("the bootstrap of a quantile needs equal weights; found others: use method='exact'")
        else:
            low, high = bootstrap_quantile_interval(self.x, self.y, q, self.n, self.level)
        return Interval(float(self.quantile(q)), low, high, self.level)


def edf(
    values: ArrayLike, *, weights: ArrayLike | None = None, level: float = 0.95, rng: np.random.Generator | None = None
) -> Edf:
    """Empirical distribution function of a population, from an independent sample of subnetworks.

    Parameters
    ----------
    values : array_like, shape (n,)
        One value per subnetwork (for example its mean error over seeds), an independent sample of the population.
    weights : array_like, shape (n,), optional
        Weight of each value, such as `complexity_weights`; of any scale, and zero excludes the value.
    level : float
        Confidence level of the pointwise intervals and of the simultaneous band, in (0, 1).
    rng : numpy.random.Generator, optional
        For the band of weighted values; a generator seeded with 0 by default.

    Returns
    -------
    Edf
        At the distinct values: F(x) counts values <= x.

    Raises
    ------
    InputError
        For no values, values that are not finite, weights that are not one finite number of zero or more per value, or
        a level outside (0, 1).

    Notes
    -----
    Estimand: F(e) = P(value <= e) for a new subnetwork of the population, or of the weighted population. The pointwise
    interval at a fixed e is Clopper and Pearson's; it is valid for one e at a time. The band inverts the exact
    distribution of the two-sided Kolmogorov-Smirnov statistic at sample size n and is valid for all e simultaneously;
    it is exact for a continuous population and conservative with ties. Between two distinct values F, and with it the
    band, is constant. With unequal weights both are approximate: see `prunestats.distribution.bands`, also for
    references.

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
