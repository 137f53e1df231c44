"""What the best of k subnetworks is expected to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunestats.distribution.weighted_sample import one_row
from prunestats.errors import InputError
from prunestats.numeric.arrays import Counts, Floats
from prunestats.numeric.intervals import check_level
from prunestats.numeric.order_statistics import correlations, least_of
from prunestats.numeric.plain_data import Result

_GRID = 32
_DRAWS = 5_000


@dataclass(frozen=True, repr=False)
class BestOf(Result):
    """The expected least value among k subnetworks of a population, as a curve in k.

    Parameters
    ----------
    k : ndarray of int, shape (m,)
    value : ndarray, shape (m,)
        Expected best of k, in the unit of the values; unbiased.
    low, high : ndarray, shape (m,)
        Pointwise interval; nan above k = n / 2, where fewer than two sets of k say nothing about chance.
    band_low, band_high : ndarray, shape (m,)
        Simultaneous band over all k from 1 to n / 2, asked for or not; nan above.
    standard_error : ndarray, shape (m,)
        Jackknife; nan at k = n.
    level : float
    n : int
        Number of values.
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

    def __repr__(self) -> str:
        last = f"best of {self.k[-1]}: {self.value[-1]:.4g} [{self.low[-1]:.4g}, {self.high[-1]:.4g}]"
        return f"BestOf(n={self.n}, {self.k.size} k, {last}, level={self.level:g})"


def best_of(
    errors: ArrayLike, *, k: ArrayLike | None = None, level: float = 0.95, rng: np.random.Generator | None = None
) -> BestOf:
    """Expected error of the best of k subnetworks drawn from a population, for many k at once.

    Parameters
    ----------
    errors : array_like, shape (n,)
        One value a subnetwork, independent draws of the population.
    k : int or array_like of int, optional
        Between 1 and n; all of them when left out.
    level : float
        Confidence level of the intervals and of the band.
    rng : numpy.random.Generator, optional
        For the band's critical value; a generator seeded with 0 when left out.

    Returns
    -------
    BestOf
        At the distinct k, in their order.

    Raises
    ------
    InputError
        For k below 1, above n or not whole, values that are no sample, or a level outside (0, 1).

    Notes
    -----
    Estimand: E min(e_1, ..., e_k) over k fresh independent draws. The estimate is the mean of the least over all
    subsets of size k, which is unbiased, in closed form; ties need no rule, as equal values give equal minima. Its
    variance is the jackknife's: that of the influence function k E min(e, k - 1 others), over (1 - k / n)^2. As n draws
    hold n / k sets of k, the intervals use Student's t with n / k - 1 degrees of freedom. The band is the supremum of
    the Gaussian process with the influence functions' correlations, its level passed to the same t at each k; as the
    true curve never rises, neither do the ends of the band. Coverage is simulated in docs/methods/best-of.md. This
    says what choosing by the same errors gives: a winner's error on fresh seeds or on test is higher.

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
    x = sample_of(errors)
    n = x.size
    sizes = np.arange(1, n + 1) if k is None else _sizes(k, n)
    # the band holds the whole curve from 1 to n / 2: on the sizes asked for and a geometric grid
    grid = np.unique(np.geomspace(1, max(n // 2, 1), _GRID).astype(np.int64))
    both = np.union1d(grid, sizes)
    value, error = least_of(x, both)
    half = _critical(both, n, (1 - level) / 2) * error
    sides = _supremum_tail(correlations(x, grid), level, rng or np.random.default_rng(0))
    band_low, band_high = _band(value, _critical(both, n, sides) * error, both <= n // 2)
    at = np.searchsorted(both, sizes)
    value, half, error, band_low, band_high = value[at], half[at], error[at], band_low[at], band_high[at]
    return BestOf(sizes, value, value - half, value + half, band_low, band_high, error, float(level), n)


def sample_of(errors: ArrayLike) -> Floats:
    """Sort one value a subnetwork, and refuse what is no sample.

    Examples
    --------
    >>> sample_of([0.2, 0.1]).tolist()
    [0.1, 0.2]
    """
    return np.sort(one_row(errors, "errors"))


def _sizes(k: ArrayLike, n: int) -> Counts:
    wanted = np.unique(np.atleast_1d(np.asarray(k, dtype=float)))
    if wanted.size == 0 or not (wanted == np.round(wanted)).all() or wanted[0] < 1:
        raise InputError(f"k must be whole numbers of 1 or more; found {k!r}: count subnetworks")
    if wanted[-1] > n:
        raise InputError(
            f"k must be at most the {n} subnetworks there are; found {wanted[-1]:g}: the best of more draws than were "
            "made cannot be estimated without a model, so train more or ask for less"
        )
    return wanted.astype(np.int64)


def _critical(k: Counts, n: int, tail: float) -> Floats:
    """Return Student's t with n / k - 1 degrees of freedom, nan below one."""
    df = n / k - 1
    return np.asarray(np.where(df >= 1, stats.t.isf(tail, np.maximum(df, 1)), np.nan), dtype=float)


def _band(value: Floats, half: Floats, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Hold the whole curve, which never rises, and neither do the ends; nan outside."""
    low, high = np.full(value.size, np.nan), np.full(value.size, np.nan)
    low[inside] = np.maximum.accumulate((value - half)[inside][::-1])[::-1]
    high[inside] = np.minimum.accumulate((value + half)[inside])
    # a narrow end at one k may cross the other end at the next: the estimate stays inside
    return np.minimum(low, value), np.maximum(high, value)


def _supremum_tail(correlation: Floats, level: float, rng: np.random.Generator) -> float:
    """Return the one-sided tail that a normal has beyond the quantile of the largest |Z|."""
    roots, vectors = np.linalg.eigh(correlation)
    # the symmetric root: eigenvectors have no sign of their own, and the same sample must give the same draws
    root = (vectors * np.sqrt(np.where(roots > 1e-12, roots, 0.0))) @ vectors.T
    draws = rng.standard_normal((_DRAWS, roots.size)) @ root
    return float(stats.norm.sf(np.quantile(np.abs(draws).max(axis=1), level)))
