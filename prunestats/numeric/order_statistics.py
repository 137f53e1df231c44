"""Expected minimum of k values drawn without replacement, in closed form: the arithmetic of `best_of`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prunestats.numeric.arrays import Counts, Floats

_CHUNK = 32_000
"""Doubles in one chunk, 256 kB: small enough for a processor's cache."""

_MOST_SIZES = 256
"""Most sizes k in one block: a chunk of `_CHUNK` doubles then still has 125 rows, enough to amortise a numpy call."""

_SIZE_SPAN = 1.5
"""Largest over smallest size k in one block, which goes through the rows that its smallest size needs: the largest
size does at most this factor too much."""

_NEGLIGIBLE = 38.0
"""exp(-38) is 3e-17: a survival probability below it is lost beside 1 in double precision."""

_ROUNDING = 1e-12
"""Relative size below which a difference of sums counts as zero: rounding of sums of thousands of terms, 2e-16 each."""

_SMALLEST = 1e-300
"""Keeps the comparison with the largest standard deviation meaningful where that is zero."""


def least_of(x: Floats, k: Counts) -> tuple[Floats, Floats]:
    """Expected minimum of k of n values over all subsets of size k, with its jackknife standard error.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Values in increasing order.
    k : ndarray of int, shape (m,)
        Sizes between 1 and n, in increasing order.

    Returns
    -------
    mean, standard_error : ndarray, shape (m,)
        The standard error is nan at k = n, where there is only one subset.

    Notes
    -----
    The minimum is a U-statistic, summed over the order statistics. Size k needs only the lowest 38 n / k values or so:
    the probability that a subset holds none of these is below 3e-17. A curve over all k therefore costs O(n log n).

    Examples
    --------
    >>> mean, error = least_of(np.array([1.0, 2.0, 4.0]), np.array([1, 2, 3]))
    >>> mean.round(4).tolist(), error.round(4).tolist()
    ([2.3333, 1.3333, 1.0], [0.8819, 0.6667, nan])
    """
    mean, error = np.empty(k.size), np.empty(k.size)
    start = 0
    while start < k.size:
        stop = int(np.searchsorted(k, max(_SIZE_SPAN * k[start], k[start] + 1), side="left"))
        block = slice(start, min(stop, start + _MOST_SIZES))
        mean[block], error[block] = _block(x, k[block])
        start = block.stop
    return mean, error


def _block(x: Floats, k: Counts) -> tuple[Floats, Floats]:
    """`least_of` for sizes that need about equally many rows."""
    n = x.size
    # two more than the bound asks for, so that rounding it is harmless
    rows = min(n, int(np.ceil(_NEGLIGIBLE * n / k[0])) + 2)
    total, squares, last = np.zeros(k.size), np.zeros(k.size), np.zeros(k.size)
    for projections in least_with(x, k, rows):
        total += projections.sum(axis=1)
        squares += np.einsum("ij,ij->i", projections, projections)
        last = projections[:, -1]
    # the remaining n - rows projections equal the last one
    total, squares = (total + (n - rows) * last) / n, squares + (n - rows) * last**2
    spread = squares - n * total**2
    # the square root of a rounding error would look like a standard error
    spread = np.where(spread > _ROUNDING * squares, spread, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = k**2 * (n - 1) / (n * np.where(k < n, n - k, np.nan) ** 2) * spread
    return x[0] + total, np.sqrt(variance)


def least_with(x: Floats, k: Counts, rows: int) -> Iterator[Floats]:
    """Yield, in chunks of values, the expected minimum over the subsets of size k that contain x[i], minus x[0].

    Parameters
    ----------
    x : ndarray, shape (n,)
        Values in increasing order.
    k : ndarray of int, shape (m,)
        Sizes of the subsets.
    rows : int
        Number of lowest values i to go through.

    Yields
    ------
    ndarray, shape (m, chunk)
        One column per value i.

    Notes
    -----
    With T(j) the probability that k - 1 of the other n - 1 values all exceed the j lowest, column i is the sum of
    (x[j] - x[j - 1]) T(j) over j up to i. T is a cumulative product of factors in [0, 1] and every term is positive,
    so that nothing overflows and nothing cancels.

    Examples
    --------
    >>> np.hstack(list(least_with(np.array([1.0, 2.0, 4.0]), np.array([2]), 3))).ravel().tolist()
    [0.0, 0.5, 0.5]
    """
    n = x.size
    size = max(1, _CHUNK // k.size)
    survival, reached = np.ones(k.size), np.zeros(k.size)
    yield reached[:, None]
    for first in range(1, rows, size):
        j = np.arange(first, min(first + size, rows))
        # factor j of T is (n - j + 1 - k) / (n - j): one more of the others is excluded
        factors = (n - j + 1.0) - k[:, None]
        np.maximum(factors, 0.0, out=factors)
        factors /= n - j
        factors[:, 0] *= survival
        survivals = np.cumprod(factors, axis=1)
        steps = np.multiply(survivals, x[j] - x[j - 1], out=factors)
        steps[:, 0] += reached
        projections = np.cumsum(steps, axis=1)
        survival, reached = survivals[:, -1], projections[:, -1]
        yield projections


def correlations(x: Floats, k: Counts) -> Floats:
    """First-order correlations between the expected minima of k values at different k.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Values in increasing order.
    k : ndarray of int, shape (m,)
        Sizes.

    Returns
    -------
    ndarray, shape (m, m)
        Off the diagonal, zero where an expected minimum has no variance.

    Examples
    --------
    >>> correlations(np.array([1.0, 2.0, 4.0, 5.0]), np.array([1, 2])).round(3).tolist()
    [[1.0, 0.953], [0.953, 1.0]]
    """
    total, products = np.zeros(k.size), np.zeros((k.size, k.size))
    for projections in least_with(x, k, x.size):
        total += projections.sum(axis=1)
        products += projections @ projections.T
    covariance = products - np.outer(total, total) / x.size
    scale = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    scale = np.where(scale > _ROUNDING * max(float(scale.max()), _SMALLEST), scale, np.inf)
    result: Floats = covariance / np.outer(scale, scale)
    np.fill_diagonal(result, 1.0)
    return result
