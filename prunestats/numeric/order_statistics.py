"""Sums over all subsets of k values, without visiting any: the arithmetic below `best_of`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prunestats.numeric.arrays import Counts, Floats

_CHUNK = 32_000
_NEGLIGIBLE = 38.0
"""exp(-38) is 3e-17: a survival below it is lost beside 1 in double precision."""


def least_of(x: Floats, k: Counts) -> tuple[Floats, Floats]:
    """Mean of the least of k values over all subsets of size k, with its jackknife standard error.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Sorted.
    k : ndarray of int, shape (m,)
        Sorted sizes between 1 and n.

    Returns
    -------
    mean, standard_error : ndarray, shape (m,)
        The error is nan at k = n, where there is one subset.

    Notes
    -----
    The k-th column needs about 38 n / k values, as no subset of k values misses more of the lowest; so a curve over all
    k costs O(n log n), in chunks of 256 kB, which stay in the processor's cache.

    Examples
    --------
    >>> mean, error = least_of(np.array([1.0, 2.0, 4.0]), np.array([1, 2, 3]))
    >>> mean.round(4).tolist(), error.round(4).tolist()
    ([2.3333, 1.3333, 1.0], [0.8819, 0.6667, nan])
    """
    mean, error = np.empty(k.size), np.empty(k.size)
    start = 0
    while start < k.size:
        stop = int(np.searchsorted(k, max(1.5 * k[start], k[start] + 1), side="left"))
        block = slice(start, min(stop, start + 256))
        mean[block], error[block] = _block(x, k[block])
        start = block.stop
    return mean, error


def _block(x: Floats, k: Counts) -> tuple[Floats, Floats]:
    """Do `least_of` for sizes that need about as many rows."""
    n = x.size
    rows = min(n, int(np.ceil(_NEGLIGIBLE * n / k[0])) + 2)
    total, squares, last = np.zeros(k.size), np.zeros(k.size), np.zeros(k.size)
    for projections in least_with(x, k, rows):
        total += projections.sum(axis=1)
        squares += np.einsum("ij,ij->i", projections, projections)
        last = projections[:, -1]
    # from the last row on, nothing changes any more
    total, squares = (total + (n - rows) * last) / n, squares + (n - rows) * last**2
    spread = squares - n * total**2
    # what the subtraction leaves of equal numbers is rounding, and its square root would look like a standard error
    spread = np.where(spread > 1e-12 * squares, spread, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = k**2 * (n - 1) / (n * np.where(k < n, n - k, np.nan) ** 2) * spread
    return x[0] + total, np.sqrt(variance)


def least_with(x: Floats, k: Counts, rows: int) -> Iterator[Floats]:
    """Yield, in chunks of values, the mean of the least over the subsets of size k that hold the i-th, less x[0].

    Parameters
    ----------
    x : ndarray, shape (n,)
        Sorted.
    k : ndarray of int, shape (m,)
    rows : int
        How many of the lowest values to look at.

    Yields
    ------
    ndarray, shape (m, chunk)

    Notes
    -----
    With T(j) the chance that k - 1 of the n - 1 others are all above the j lowest, the i-th column is the sum of
    (x[j] - x[j - 1]) T(j) over j up to i. T is a running product of factors in [0, 1], and every term is positive:
    nothing overflows and nothing cancels.

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
        # T(1) takes the factor of j = 1: one of n - 1 others is below
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
    """Correlations between the means of the least of k values, at different k, to first order.

    Returns
    -------
    ndarray, shape (m, m)
        Zero outside the diagonal where a mean does not vary.

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
    scale = np.where(scale > 1e-12 * max(float(scale.max()), 1e-300), scale, np.inf)
    result: Floats = covariance / np.outer(scale, scale)
    np.fill_diagonal(result, 1.0)
    return result
