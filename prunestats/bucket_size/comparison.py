"""Cross-validated comparison of bucket sizes, and of other predictors, of the response of unseen subnetworks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.bucket_size.cross_validation import assign_folds, corrected_interval, fold_losses
from prunestats.bucket_size.predictors import Predictor, predictors
from prunestats.bucket_size.scores import BucketComparison, Score
from prunestats.bucket_size.sentences import comparison_reasons
from prunestats.errors import InputError
from prunestats.metric import metric_of
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import check_level
from prunestats.optimum.beyond_costs import beyond_costs
from prunestats.optimum.points import ratio_points
from prunestats.optimum.regression import Points, correlation, orthonormal
from prunestats.results.means import unit_means
from prunestats.results.ratio import log_ratio

SIZES = (1, 2**10, 2**12, 2**14)
"""Default bucket sizes: single parameters, and powers of two in the range of the layers of a ResNet-20."""

_LEAST_SUBNETWORKS = 20
"""Fewest subnetworks, and most folds: the smallest size with simulated intervals (docs/methods/buckets.md). No fold is
then empty, and ten folds train on 18."""


def compare_buckets(
    frame: pd.DataFrame,
    *,
    sizes: Sequence[int] = SIZES,
    response: str | None = None,
    folds: int = 10,
    repeats: int = 10,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> BucketComparison:
    """Cross-validated R2 of bucket sizes, parameters, FLOPs and all widths as predictors of the response in one regime.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one regime, data set and protocol, one row a run.
    sizes : sequence of int
        Parameters per bucket; sizes other than 1 need the column layer_params.
    response : str, optional
        The numeric column to predict; by default the metric that the frame is marked with, else error.
    folds, repeats : int
        Of the repeated cross-validation; 2 to 20 folds.
    level : float
        Confidence level of the intervals of differences.
    rng : numpy.random.Generator, optional
        Assigns subnetworks to folds; seeded with 0 when left out.

    Returns
    -------
    BucketComparison

    Raises
    ------
    ResultsError
        For what `check_results` refuses, and for several regimes or protocols at once.
    InputError
        For fewer than 20 subnetworks, folds or repeats out of range, duplicate sizes, or a bucket that cannot be
        counted.

    Notes
    -----
    Estimand: the expected squared prediction error for a new subnetwork of the same originals and spaces, of a curve
    fitted to all subnetworks but one fold. Folds are assigned by subnetwork, stratified by original, and the seeds of a
    subnetwork are averaged before, so none is in training and test fold at once. Differences are paired by fold; their
    intervals are Nadeau and Bengio's, without a correction for selecting the best of several: see
    docs/methods/buckets.md. Squared errors of prediction, and so all results, are the same for a metric and its
    negative.

    References
    ----------
    C. Nadeau and Y. Bengio, Machine Learning 52 (2003), 239-281.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(200)], "flops": 1_000_000})
    >>> table["params"] = rng.integers(5_000, 20_000, 200)
    >>> table["error"] = 0.1 + 0.1 * np.log(table["params"] / 10_000) ** 2 + 0.005 * rng.standard_normal(200)
    >>> found = compare_buckets(table, sizes=[1], rng=rng)
    >>> found.frame.loc[3, "predictor"], bool(found.frame.loc[3, "r2"] > 0.8)
    ('ratio with buckets of 1', True)
    """
    check_level(level)
    _check_request(sizes, folds, repeats)
    metric = metric_of(frame, response)
    means = unit_means(frame, metric.name)
    data = ratio_points(means, sizes[0], metric.name)
    if len(means) < _LEAST_SUBNETWORKS or np.ptp(data.y) == 0:
        raise InputError(
            f"a comparison needs {_LEAST_SUBNETWORKS} subnetworks or more whose {metric.name} differs; found "
            f"{len(means)} with {np.unique(data.y).size} values: run more of the study"
        )
    candidates = predictors(means, sizes)
    bases = [orthonormal(data.design(*candidate.columns.T)) for candidate in candidates]
    losses = _losses(bases, data, _strata(means), folds, repeats, rng or np.random.default_rng(0))
    scores = tuple(
        _score(candidate, basis.shape[1] - bases[0].shape[1], losses, column, means, data, folds, level)
        for column, (candidate, basis) in enumerate(zip(candidates, bases, strict=True))
    )
    found = BucketComparison(
        best=max(scores, key=lambda score: score.r2).predictor,
        reasons=(),
        scores=scores,
        losses=losses,
        folds=int(folds),
        repeats=int(repeats),
        n_subnetworks=len(means),
        n_runs=int(means["n_runs"].sum()),
        n_originals=int(_strata(means).max()) + 1,
        response=metric.name,
        level=float(level),
    )
    return replace(found, reasons=comparison_reasons(found, metric))


def _check_request(sizes: Sequence[int], folds: int, repeats: int) -> None:
    if len(sizes) == 0 or len(set(sizes)) < len(sizes):
        raise InputError(f"sizes must be different bucket sizes, at least one; found {list(sizes)}")
    if folds < 2 or repeats < 1 or folds > _LEAST_SUBNETWORKS:
        raise InputError(
            f"cross-validation takes 2 to {_LEAST_SUBNETWORKS} folds and 1 repeat or more; found {folds} folds, "
            f"{repeats} repeats: ten of each are usual"
        )


def _strata(means: pd.DataFrame) -> NDArray[np.int64]:
    if "original" not in means.columns:
        return np.zeros(len(means), dtype=np.int64)
    return np.asarray(np.unique(means["original"].astype(str), return_inverse=True)[1], dtype=np.int64)


def _losses(
    bases: list[Floats],
    data: Points,
    strata: NDArray[np.int64],
    folds: int,
    repeats: int,
    rng: np.random.Generator,
) -> Floats:
    """Loss of every predictor on every fold, relative to the mean loss of the originals' averages."""
    y = data.weigh(data.y - data.y.mean())
    rows = []
    for _ in range(repeats):
        fold = assign_folds(strata, folds, rng)
        rows.append(np.column_stack([fold_losses(basis, y, fold) for basis in bases]))
    losses = np.vstack(rows)
    scaled: Floats = losses / losses[:, 0].mean()
    return scaled


def _score(
    candidate: Predictor,
    terms: int,
    losses: Floats,
    column: int,
    means: pd.DataFrame,
    data: Points,
    folds: int,
    level: float,
) -> Score:
    gain, p = corrected_interval(losses[:, 1] - losses[:, column], folds, level)
    r2 = float(1 - losses[:, column].mean())
    if candidate.bucket is None:
        return Score(candidate.name, None, terms, r2, gain, p, float("nan"), None)
    x = log_ratio(means, candidate.bucket)
    collinearity = correlation(x, np.log(means["params"].to_numpy(dtype=float)))
    beyond = beyond_costs(replace(data, x=x), means)
    return Score(candidate.name, candidate.bucket, terms, r2, gain, p, collinearity, beyond)
