"""The results of one population, a space in a regime, and its winners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prunestats.distribution.empirical import Edf
from prunestats.metric import ERROR, Metric

QUANTILES = (0.1, 0.5, 0.9)
"""Of the study's metric on test, in tables and in the stored analysis: the median and the bounds of the middle 80 %."""


@dataclass(frozen=True)
class Winner:
    """The subnetwork of a space with the lowest validation error, and its test error.

    For a study with a metric of its own, "error" stands for that metric, with its natural values.

    Parameters
    ----------
    space, original, subnetwork : str
    flops, params : int
        FLOPs, None where they are not recorded, and parameters.
    ratio : float
        FLOPs per parameter bucket; nan without FLOPs.
    val_error, test_error : float
        Fractions, or in the metric's unit; means over seeds.
    test_rank : int
        1 + the number of subnetworks of the same space and original with a better test error.
    n_subnetworks : int
        Size of the population that it was selected from and is ranked in.
    optimism : float
        Estimated selection bias of its validation error: test minus validation error, minus the mean of that
        difference over the population, which removes the difference in difficulty between the splits. Of a metric of
        which higher values are better it has the opposite sign: positive where validation is too good.
    notes : tuple of str
        What broke a tie, and whether validation was recorded apart from test (`selection_notes`).
    """

    space: str
    original: str
    subnetwork: str
    flops: int | None
    params: int
    ratio: float
    val_error: float
    test_error: float
    test_rank: int
    n_subnetworks: int
    optimism: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpaceAnalysis:
    """One population: a space in a regime, over all originals.

    Parameters
    ----------
    space : str
    n_drawn : int
        Sampled subnetworks with a run, finished or failed.
    n_subnetworks : int
        Subnetworks with a finished run, which are the sample of all statistics.
    n_originals, n_done, n_failed : int
        Originals, finished runs, failed runs.
    error, log_cross_entropy : Edf or None
        Distribution over subnetworks on the test split, of the study's metric and of log cross-entropy; None if no run
        finished or a value was not recorded.
    mean_error : float or None
        Mean of the study's metric over subnetworks, on the test split.
    ratios : tuple of (float, float, float) or None
        Lowest, median and highest FLOPs per parameter bucket.
    winners : tuple of Winner
        One per original.
    """

    space: str
    n_drawn: int
    n_subnetworks: int
    n_originals: int
    n_done: int
    n_failed: int
    error: Edf | None
    log_cross_entropy: Edf | None
    mean_error: float | None
    ratios: tuple[float, float, float] | None
    winners: tuple[Winner, ...]


def space_dict(space: SpaceAnalysis, metric: Metric = ERROR) -> dict[str, Any]:
    """The results of a population as plain JSON types, those of a study's own metric under its name."""
    counts = ("space", "n_drawn", "n_subnetworks", "n_originals", "n_done", "n_failed")
    beside = {"log_cross_entropy": _edf_dict(space.log_cross_entropy)} if metric == ERROR else {}
    return {
        **{name: getattr(space, name) for name in counts},
        f"mean_{metric.name}": space.mean_error,
        "ratios": space.ratios,
        metric.name: _edf_dict(space.error),
        **beside,
        "winners": [_winner_dict(winner, metric) for winner in space.winners],
    }


def _winner_dict(winner: Winner, metric: Metric) -> dict[str, Any]:
    names = {"val_error": f"val_{metric.name}", "test_error": f"test_{metric.name}"}
    found = {names.get(name, name): value for name, value in vars(winner).items()}
    return found if np.isfinite(winner.ratio) else found | {"ratio": None}


def _edf_dict(found: Edf | None) -> dict[str, Any] | None:
    """The printed numbers of a distribution, without its steps: these are the values of the runs in the database."""
    if found is None:
        return None
    quantiles = {f"{q:g}": float(found.quantile(q)) for q in QUANTILES}
    return {"n": found.n, "level": found.level, "quantiles": quantiles}
