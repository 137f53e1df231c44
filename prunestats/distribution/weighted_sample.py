"""Checks of a sample with one value per subnetwork, and its weighted distribution function."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats


def one_row(values: ArrayLike, name: str) -> Floats:
    """Return the values as an array, after a check that they are one row of finite numbers.

    Examples
    --------
    >>> one_row([0.2, 0.1], "errors").tolist()
    [0.2, 0.1]
    """
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or data.size == 0:
        raise InputError(
            f"{name} must be one row of at least one number; found shape {data.shape}: give one value per subnetwork"
        )
    if not np.isfinite(data).all():
        raise InputError(
            f"{name} must be finite; found {int((~np.isfinite(data)).sum())} that are not: drop failed runs"
        )
    return data


def shares(data: Floats, weights: ArrayLike) -> tuple[Floats, Floats]:
    """Return the values of positive weight, sorted, and their weights scaled to sum to one.

    Examples
    --------
    >>> data, share = shares(np.array([0.3, 0.1, 0.2]), [1, 3, 0])
    >>> data.tolist(), share.tolist()
    ([0.1, 0.3], [0.75, 0.25])
    """
    given = np.asarray(weights, dtype=float)
    if given.shape != data.shape:
        raise InputError(
            f"weights must be one number per value; found shape {given.shape} for {data.size} values: give {data.size}"
        )
    if not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise InputError(
            "weights must be finite, zero or more, and not all zero; found others: check what they are computed from"
        )
    data, given = data[given > 0], given[given > 0]
    # a fixed order of summation, so that the result does not depend on the order of the subnetworks to the last bit
    order = np.lexsort((given, data))
    return data[order], given[order] / given[order].sum()


def weighted_steps(data: Floats, share: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Weighted distribution functions at the distinct values: of the weights, and of the squared weights.

    Returns
    -------
    x, y, squared : ndarray, shape (k,)
        Distinct values, and the two functions at each; both end at one.
    step, largest : ndarray, shape (k,)
        Square root of the sum of the squared weights of each value, and the largest of its weights.

    Examples
    --------
    >>> [part.round(3).tolist() for part in weighted_steps(np.array([1.0, 1.0, 2.0]), np.array([0.25, 0.25, 0.5]))]
    [[1.0, 2.0], [0.5, 1.0], [0.333, 1.0], [0.354, 0.5], [0.25, 0.5]]
    """
    x, value_of = np.unique(data, return_inverse=True)
    squares = np.bincount(value_of, share**2)
    y, squared = (np.cumsum(part) / part.sum() for part in (np.bincount(value_of, share), squares))
    # numpy sums pairwise, so the last partial sum over the total may miss one by rounding error
    y[-1] = squared[-1] = 1.0
    largest = np.zeros(x.size)
    np.maximum.at(largest, value_of, share)
    return x, np.minimum(y, 1.0), np.minimum(squared, 1.0), np.sqrt(squares), largest
