"""Subnetworks as points on the log ratio axis: seeds averaged, means weighted by their precision."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from prunestats.optimum.regression import Points, points
from prunestats.optimum.seed_weights import precision_weights
from prunestats.results.means import SEED_SQUARES
from prunestats.results.ratio import log_ratio


def ratio_points(means: pd.DataFrame, bucket: int, response: str) -> Points:
    """Return subnetworks as points (log ratio, mean response) with the originals as fixed effects.

    Notes
    -----
    Where subnetworks differ in their number of seeds, means are weighted by their precision, see `precision_weights`.

    Examples
    --------
    >>> means = pd.DataFrame({"flops": [30, 40], "params": [3, 4], "error": [0.1, 0.2]})
    >>> ratio_points(means, 1, "error").y.tolist()
    [0.1, 0.2]
    """
    originals = means["original"].to_numpy() if "original" in means.columns else None
    data = points(log_ratio(means, bucket), means[response].to_numpy(dtype=float), originals)
    if SEED_SQUARES not in means.columns or not means[SEED_SQUARES].iloc[0] > 0:
        return data
    return replace(
        data, weights=precision_weights(data, means["n_runs"].to_numpy(float), float(means[SEED_SQUARES].iloc[0]))
    )
