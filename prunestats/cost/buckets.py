"""The definition of parameter buckets: how many buckets of a fixed capacity the parameters of one layer fill."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats


def filled_buckets(layer_params: ArrayLike, size: int) -> Floats:
    """Buckets of `size` parameters that each layer fills: ceil(P / size) for a layer of P parameters.

    Parameters
    ----------
    layer_params : array_like
        Parameters of each layer, of any shape.
    size : int
        Parameters per bucket.

    Returns
    -------
    ndarray
        Whole numbers, in the shape of `layer_params`. A subnetwork fills their sum over its layers.

    Raises
    ------
    InputError
        If `size` is not a whole number of 1 or more.

    Examples
    --------
    >>> filled_buckets([9, 21], 10)
    array([1., 3.])
    """
    check_bucket(size)
    return np.asarray(np.ceil(np.asarray(layer_params) / size), dtype=float)


def check_bucket(size: float) -> None:
    """Refuse a bucket size that is not a whole number of 1 or more.

    Raises
    ------
    InputError
    """
    if size != int(size) or size < 1:
        raise InputError(
            f"bucket must be a whole number of parameters, 1 or more; found {size:g}: use 1 to count parameters"
        )
