"""Subnetworks on the log ratio axis: seeds averaged, spaces merged, means weighted by their precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from prunestats.buckets import bucket_counts
from prunestats.errors import InputError
from prunestats.regression import Floats, Points, full_rank, least_squares, points
from prunestats.results import one_value, subnetwork_means

_SEED_VARIANCE = "seed_variance"


def unit_means(frame: pd.DataFrame, response: str) -> pd.DataFrame:
    """Average the seeds of every subnetwork of one regime; one that stands in two spaces counts once.

    Where subnetworks differ in their numbers of seeds, the column seed_variance holds the variance that is left of the
    seeds in each mean: the pooled variance between seeds over their number.

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
        means[_SEED_VARIANCE] = _pooled(frame, response) / means["n_runs"]
    return means


def _pooled(frame: pd.DataFrame, response: str) -> float:
    """Return the variance between seeds of a subnetwork, pooled over subnetworks."""
    unit = [name for name in ("original", "subnetwork") if name in frame.columns]
    groups = frame.sort_values([*unit, response], kind="stable").groupby(unit, sort=True, dropna=False)[response]
    freedom = groups.size() - 1
    return float((groups.var(ddof=1).fillna(0.0) * freedom).sum() / freedom.sum())


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
    Where numbers of seeds differ, a mean over k of them weighs 1 / (t + s / k): s is the pooled variance between seeds,
    t the variance of subnetworks around a quartic in log ratio, less what seeds contribute. HC3 makes inference hold
    whether or not these are right; see docs/decisions/0005-means-weigh-by-their-precision.md.

    References
    ----------
    S. R. Searle, G. Casella and C. E. McCulloch, Variance Components (1992), section 3.6.

    Examples
    --------
    >>> means = pd.DataFrame({"flops": [30, 40], "params": [3, 4], "error": [0.1, 0.2]})
    >>> ratio_points(means, 1, "error").y.tolist()
    [0.1, 0.2]
    """
    originals = means["original"].to_numpy() if "original" in means.columns else None
    data = points(log_ratio(means, bucket), means[response].to_numpy(dtype=float), originals)
    if _SEED_VARIANCE not in means.columns:
        return data
    seeds = means[_SEED_VARIANCE].to_numpy(dtype=float)
    variance = max(_around_curve(data) - float(seeds.mean()), 0.0) + seeds
    if not variance.min() > 0:
        return data
    return replace(data, weights=variance.mean() / variance / np.mean(variance.mean() / variance))


def _around_curve(data: Points) -> float:
    """Return the variance of the means around a quartic, or around fewer powers where there are few points."""
    spread = float(np.ptp(data.x))
    u = (data.x - data.x.mean()) / (spread if spread > 0 else 1.0)
    for degree in range(4, -1, -1):
        design = data.design(*(u**power for power in range(1, degree + 1)))
        if design.shape[0] > design.shape[1] and full_rank(design):
            fit = least_squares(design, data.y)
            return fit.rss / fit.df
    return float(data.y.var())
