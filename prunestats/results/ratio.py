"""Ratio of FLOPs to parameter buckets of the subnetworks of a frame."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunestats.cost.buckets import check_bucket, filled_buckets
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats
from prunestats.results.checks import require_flops


def ratio(frame: pd.DataFrame, bucket: int) -> Floats:
    """Ratio of FLOPs to parameter buckets of every row's subnetwork.

    Parameters
    ----------
    frame : pandas.DataFrame
        With flops, and what `bucket_counts` needs.
    bucket : int
        Parameters per bucket, at least 1.

    Returns
    -------
    ndarray, shape (rows,)
        Multiply-adds per bucket.

    Raises
    ------
    ResultsError
        For a frame without FLOPs.
    InputError
        As `bucket_counts`.

    Examples
    --------
    >>> ratio(pd.DataFrame({"flops": [30], "params": [3]}), 1)
    array([10.])
    """
    require_flops(frame, "the ratio of FLOPs to parameters")
    ratios: Floats = frame["flops"].to_numpy(dtype=float) / bucket_counts(frame, bucket)
    return ratios


def log_ratio(frame: pd.DataFrame, bucket: int) -> Floats:
    """Natural logarithm of `ratio`, shape (rows,).

    Examples
    --------
    >>> log_ratio(pd.DataFrame({"flops": [30], "params": [3]}), 1).round(4).tolist()
    [2.3026]
    """
    return np.log(ratio(frame, bucket))


def bucket_counts(frame: pd.DataFrame, bucket: int = 1) -> Floats:
    """Parameter buckets that every row's subnetwork fills.

    Parameters
    ----------
    frame : pandas.DataFrame
        With params and, for a bucket other than 1, layer_params: a tuple with the parameters of each layer.
    bucket : int
        Parameters per bucket, at least 1. A layer with P parameters fills ceil(P / bucket) buckets.

    Returns
    -------
    ndarray, shape (rows,)

    Raises
    ------
    InputError
        For a bucket below 1 or not whole, or one other than 1 without layer_params.

    Examples
    --------
    >>> bucket_counts(pd.DataFrame({"params": [30], "layer_params": [(9, 21)]}), bucket=10)
    array([4.])
    """
    check_bucket(bucket)
    if bucket == 1:
        return frame["params"].to_numpy(dtype=float)
    if "layer_params" not in frame.columns:
        raise InputError(
            f"buckets of {bucket} are counted layer by layer; found no column layer_params: load it with the results "
            "(load_results gives it), name it in results_frame(layer_params=...), or use bucket=1"
        )
    layers = frame["layer_params"].tolist()
    if any(layer is None or isinstance(layer, float) for layer in layers):
        raise InputError(
            "layer_params must hold the parameters of every layer; found rows without: load them, or use bucket=1"
        )
    sizes = np.array([len(layer) for layer in layers])
    flat = np.concatenate([np.asarray(layer, dtype=float) for layer in layers]) if sizes.sum() else np.empty(0)
    if (sizes == 0).any():
        raise InputError("layer_params must hold the parameters of every layer; found an empty row: use bucket=1")
    return np.asarray(np.add.reduceat(filled_buckets(flat, bucket), np.r_[0, np.cumsum(sizes)[:-1]]), dtype=float)
