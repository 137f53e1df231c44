"""Subnetworks on the log ratio axis: seeds averaged, spaces merged, means weighted by their precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from prunestats.buckets import bucket_counts
from prunestats.errors import InputError
from prunestats.precision import precision_weights
from prunestats.regression import Floats, Points, points
from prunestats.results import one_value, subnetwork_means

_SQUARES = "seed_squares"


def unit_means(frame: pd.DataFrame, response: str) -> pd.DataFrame:
    """Average the seeds of every subnetwork of one regime; one that stands in two spaces counts once.

    Where subnetworks differ in their numbers of seeds, the column seed_squares holds in every row the sum of squares of
    the seeds around their subnetworks' means.

    Examples
    --------
    >>> run = {"subnetwork": "a", "seed": 0, "flops": 9, "params": 3, "error": 0.2}
    >>> twice = pd.DataFrame([run | {"space": "wide"}, run | {"space": "narrow"}, run | {"seed": 1, "space": "wide"}])
    >>> unit_means(twice, "error")["n_runs"].tolist()
    [2]
    """
    if response in ("flops", "params"):
        raise InputError(f"the response must be an outcome, such as error or log_loss; found {response}")
    one_value(frame, "regime")
    if "space" in frame.columns:
        keys = [name for name in ("original", "protocol", "subnetwork", "seed") if name in frame.columns]
        frame = frame[~(frame.duplicated(keys) & ~frame.duplicated([*keys, "space"]))].drop(columns="space")
    means = subnetwork_means(frame, response)
    if means["n_runs"].min() < means["n_runs"].max():
        means[_SQUARES] = _within(frame, response)
    return means


def _within(frame: pd.DataFrame, response: str) -> float:
    """Return the sum of squares of the seeds around the means of their subnetworks."""
    unit = [name for name in ("original", "subnetwork") if name in frame.columns]
    groups = frame.sort_values([*unit, response], kind="stable").groupby(unit, sort=True, dropna=False)[response]
    return float((groups.var(ddof=1).fillna(0.0) * (groups.size() - 1)).sum())


def log_ratio(means: pd.DataFrame, bucket: int) -> Floats:
    """Return log(FLOPs / buckets) of every subnetwork.

    Examples
    --------
    >>> log_ratio(pd.DataFrame({"flops": [30], "params": [3]}), 1).round(4).tolist()
    [2.3026]
    """
    ratios: Floats = np.log(means["flops"].to_numpy(dtype=float) / bucket_counts(means, bucket))
    return ratios


def ratio_points(means: pd.DataFrame, bucket: int, response: str) -> Points:
    """Put subnetworks as points (log ratio, response) with the originals as fixed effects.

    Notes
    -----
    Where numbers of seeds differ, the means weigh by their precision, see `precision_weights`.

    Examples
    --------
    >>> means = pd.DataFrame({"flops": [30, 40], "params": [3, 4], "error": [0.1, 0.2]})
    >>> ratio_points(means, 1, "error").y.tolist()
    [0.1, 0.2]
    """
    originals = means["original"].to_numpy() if "original" in means.columns else None
    data = points(log_ratio(means, bucket), means[response].to_numpy(dtype=float), originals)
    if _SQUARES not in means.columns or not means[_SQUARES].iloc[0] > 0:
        return data
    return replace(
        data, weights=precision_weights(data, means["n_runs"].to_numpy(float), float(means[_SQUARES].iloc[0]))
    )
