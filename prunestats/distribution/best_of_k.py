"""Expected error of the best of k subnetworks, with pointwise intervals and a simultaneous band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunestats.distribution.weighted_sample import one_row
from prunestats.errors import InputError
from prunestats.metric import Direction
from prunestats.numeric.arrays import Counts, Floats
from prunestats.numeric.intervals import check_level
from prunestats.numeric.order_statistics import correlations, least_of
from prunestats.numeric.plain_data import Result

_GRID = 32
"""Values of k at which the band's process is simulated: neighbours on this geometric grid are strongly correlated."""
_DRAWS = 5_000
"""Draws of its supremum: their 95 % quantile is then known to about 1 %, far within the sampling error."""
_SINGULAR = 1e-12
"""Eigenvalues of the correlation matrix below this are rounding error of zero."""


@dataclass(frozen=True, repr=False)
class BestOf(Result):
    """Expected best value among k subnetworks of a population, as a curve in k.

    Parameters
    ----------
    k : ndarray of int, shape (m,)
    value : ndarray, shape (m,)
        Expected best of k, in the unit of the values; unbiased.
    low, high : ndarray, shape (m,)
        Pointwise interval, in the same unit; nan above k = n / 2, where fewer than two disjoint sets of k leave no
        degree of freedom.
    band_low, band_high : ndarray, shape (m,)
        Simultaneous band over all k from 1 to n / 2, requested or not; nan above.
    standard_error : ndarray, shape (m,)
        Jackknife standard error; nan at k = n.
    level : float
        Confidence level of the intervals and of the band.
    n : int
        Sample size.
    direction : {"minimize", "maximize"}
        Whether the best value is the least or the greatest.
    """

    k: Counts
    value: Floats
    low: Floats
    high: Floats
    band_low: Floats
    band_high: Floats
    standard_error: Floats
    level: float
    n: int
    direction: Direction = "minimize"

    def __repr__(self) -> str:
        last = f"best of {self.k[-1]}: {self.value[-1]:.4g} [{self.low[-1]:.4g}, {self.high[-1]:.4g}]"
        return f"BestOf(n={self.n}, {self.k.size} k, {last}, level={self.level:g})"


def best_of(
    errors: ArrayLike,
    *,
    k: ArrayLike | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
    direction: Direction = "minimize",
) -> BestOf:
    """Expected error of the best of k subnetworks sampled from a population, for many k at once.

    Parameters
    ----------
    errors : array_like, shape (n,)
        One value per subnetwork, an independent sample of the population: an error, or another metric.
    k : int or array_like of int, optional
        Between 1 and n; by default all of them.
    level : float
        Confidence level of the intervals and of the band, in (0, 1).
    rng : numpy.random.Generator, optional
        For the band's critical value; a generator seeded with 0 by default.
    direction : {"minimize", "maximize"}
        Whether lower values are better, or higher ones: the best of k is then the greatest.

    Returns
    -------
    BestOf
        At the distinct k, in ascending order.

    Raises
    ------
    InputError
        For k below 1, above n or not an integer, errors that are not one row of finite numbers, or a level outside
        (0, 1).

    Notes
    -----
    Estimand: E min(e_1, ..., e_k) over k new independent subnetworks, or E max, as -E min(-e). The estimate is the
    U-statistic: the mean of the minimum over all subsets of size k, unbiased, in closed form; ties need no rule, as
    equal values give equal minima. Its variance is the jackknife's: that of the influence function k E min(e, k - 1
    others), over (1 - k / n)^2. As a sample of n holds n / k disjoint sets of k, the intervals use Student's t with n /
    k - 1 degrees of freedom. The band uses the supremum of the Gaussian process with the influence functions'
    correlations; its tail probability is used in the same t at each k. As the true curve never rises, the bounds of the
    band are made not to. Coverage is simulated in docs/methods/best-of.md. The same errors select and report: on new
    seeds or on the test split, the selected subnetwork's expected error is higher (winner's curse).

    References
    ----------
    W. Hoeffding, Ann. Math. Statist. 19 (1948), 293-325, eq. 3.6 and 5.13; J. N. Arvesen, Ann. Math. Statist. 40
    (1969), 2076-2100, eq. 10: the jackknife of a U-statistic. J. Dodge et al., EMNLP 2019, section 3: the biased form.

    Examples
    --------
    >>> best_of([0.1, 0.2, 0.4, 0.5], k=[1, 2, 4]).value.round(4).tolist()
    [0.3, 0.1833, 0.1]
    """
    check_level(level)
    sign = sign_of(direction)
    x = sorted_sample(errors, direction)
    n = x.size
    sizes = np.arange(1, n + 1) if k is None else _sizes(k, n)
    # the band is simultaneous over 1 to n / 2: on the requested sizes and a geometric grid
    grid = np.unique(np.geomspace(1, max(n // 2, 1), _GRID).astype(np.int64))
    both = np.union1d(grid, sizes)
    value, error = least_of(x, both)
    half = _t_quantile(both, n, (1 - level) / 2) * error
    band_tail = _supremum_tail(correlations(x, grid), level, rng or np.random.default_rng(0))
    band_low, band_high = _band(value, _t_quantile(both, n, band_tail) * error, both <= n // 2)
    at = np.searchsorted(both, sizes)
    value, half, error, band_low, band_high = value[at], half[at], error[at], band_low[at], band_high[at]
    curves = [(value - half, value + half), (band_low, band_high)]
    if sign < 0:
        curves = [(-high, -low) for low, high in curves]
    return BestOf(sizes, sign * value, *curves[0], *curves[1], error, float(level), n, direction)


def sorted_sample(errors: ArrayLike, direction: Direction = "minimize") -> Floats:
    """Sort the values, negated where higher is better, after a check that they are one row of finite numbers.

    Examples
    --------
    >>> sorted_sample([0.2, 0.1]).tolist()
    [0.1, 0.2]
    """
    return np.sort(sign_of(direction) * one_row(errors, "errors"))


def sign_of(direction: Direction) -> int:
    """1 where lower values are better, -1 where higher ones are; refuses any other direction."""
    if direction not in ("minimize", "maximize"):
        raise InputError(f"direction must be 'minimize' or 'maximize'; found {direction!r}: pass one of these")
    return 1 if direction == "minimize" else -1


def _sizes(k: ArrayLike, n: int) -> Counts:
    wanted = np.unique(np.atleast_1d(np.asarray(k, dtype=float)))
    if wanted.size == 0 or not (wanted == np.round(wanted)).all() or wanted[0] < 1:
        raise InputError(f"k must be whole numbers of 1 or more; found {k!r}: give numbers of subnetworks")
    if wanted[-1] > n:
        raise InputError(
            f"k must be at most the {n} subnetworks of the sample; found {wanted[-1]:g}: the best of more subnetworks "
            "than the sample has cannot be estimated without a model: train more or lower k"
        )
    return wanted.astype(np.int64)


def _t_quantile(k: Counts, n: int, tail: float) -> Floats:
    """Return the quantile of Student's t with n / k - 1 degrees of freedom, nan below one degree."""
    df = n / k - 1
    return np.asarray(np.where(df >= 1, stats.t.isf(tail, np.maximum(df, 1)), np.nan), dtype=float)


def _band(value: Floats, half: Floats, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the bounds of the band, made monotone as the true curve is; nan outside."""
    low, high = np.full(value.size, np.nan), np.full(value.size, np.nan)
    low[inside] = np.maximum.accumulate((value - half)[inside][::-1])[::-1]
    high[inside] = np.minimum.accumulate((value + half)[inside])
    # a bound made monotone may cross the estimate at another k: the estimate stays inside
    return np.minimum(low, value), np.maximum(high, value)


def _supremum_tail(correlation: Floats, level: float, rng: np.random.Generator) -> float:
    """Return the one-sided normal tail probability of the `level` quantile of max |Z|."""
    eigenvalues, vectors = np.linalg.eigh(correlation)
    # the symmetric square root, as the sign of an eigenvector is arbitrary and would change the draws
    root = (vectors * np.sqrt(np.where(eigenvalues > _SINGULAR, eigenvalues, 0.0))) @ vectors.T
    draws = rng.standard_normal((_DRAWS, eigenvalues.size)) @ root
    return float(stats.norm.sf(np.quantile(np.abs(draws).max(axis=1), level)))
