"""From results frames to all results of a report, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from prunestats.comparison.comparison import compare
from prunestats.conjectures.across_regimes import RegimeTrend, regime_trend
from prunestats.distribution.empirical import Edf, edf
from prunestats.errors import InputError, ResultsError
from prunestats.metric import ERROR, Metric, metric_of
from prunestats.noise.choice import rank_subnetworks, selection_notes
from prunestats.numeric.generators import own_generator
from prunestats.optimum.optimum import Optimum, find_optimum
from prunestats.reports.analysis.frames import (
    check_frames,
    failure_counts,
    has_failed,
    original_names,
    regimes_of,
    runs_of_regime,
    subnetworks_of,
)
from prunestats.reports.analysis.networks import put_designs_together, several_designs
from prunestats.reports.analysis.populations import SpaceAnalysis, Winner
from prunestats.reports.analysis.results import DesignAnalysis, RegimeAnalysis, StudyAnalysis, responses_of
from prunestats.results.designs import OriginalDesign

_Result = TypeVar("_Result")


def analyse_study(
    validation_frame: pd.DataFrame,
    test_frame: pd.DataFrame,
    *,
    bucket: int = 1,
    rng: np.random.Generator,
    spaces: Sequence[str] | None = None,
) -> StudyAnalysis:
    """Distributions, comparisons, optima and winners of one study, regime by regime.

    Parameters
    ----------
    validation_frame, test_frame : DataFrame
        The same runs, one a row, with the metrics of the validation and of the test split; failed runs have NaN
        metrics. Columns as `prunestats.db.load_results` gives them. Of a study with a metric of its own, that metric
        alone is analysed.
    bucket : int
        Size of a parameter bucket; 1 counts parameters.
    rng : numpy.random.Generator
        Every analysis starts from a copy of it, so its result is that of the same call alone.
    spaces : sequence of str, optional
        Order of the spaces; the first is the initial space. By default in order of appearance.

    Returns
    -------
    StudyAnalysis

    Raises
    ------
    InputError
        If the frames are empty, or do not hold the same runs of one study, data set and protocol.

    Notes
    -----
    Selection (of an optimum, of a winner) uses the validation split; distributions and comparisons, which select
    nothing, use the test split. The unit is the subnetwork: its seeds are averaged first.
    """
    check_frames(validation_frame, test_frame)
    order = list(spaces) if spaces is not None else list(dict.fromkeys(validation_frame["space"]))
    regimes = regimes_of(validation_frame)
    names = original_names(validation_frame)
    metric = metric_of(validation_frame)
    designs = several_designs(validation_frame, bucket)
    failed = validation_frame[has_failed(validation_frame)]
    analysed = tuple(
        _analyse_regime(
            runs_of_regime(validation_frame, regime),
            runs_of_regime(test_frame, regime),
            regime=None if regime is None else float(regime),
            order=order,
            designs=designs,
            bucket=bucket,
            rng=rng,
            metric=metric,
        )
        for regime in regimes
    )
    return StudyAnalysis(
        regimes=analysed,
        spaces=tuple(order),
        originals=tuple(names),
        names=names,
        bucket=bucket,
        failures=failure_counts(failed),
        trend=_trend(analysed),
        transfer=put_designs_together(analysed, metric)
        if bucket == 1 or "original_buckets" in validation_frame
        else None,
        metric=metric,
    )


def _trend(regimes: Sequence[RegimeAnalysis]) -> RegimeTrend | None:
    optima = {
        regime.regime: regime.optimum for regime in regimes if regime.optimum is not None and regime.regime is not None
    }
    trend = regime_trend(optima) if optima else None
    return trend if trend is not None and trend.n_estimates > 1 else None


def _analyse_regime(
    validation: pd.DataFrame,
    test: pd.DataFrame,
    *,
    regime: float | None,
    order: Sequence[str],
    designs: Sequence[OriginalDesign],
    bucket: int,
    rng: np.random.Generator,
    metric: Metric,
) -> RegimeAnalysis:
    refusals: list[str] = []
    subnetworks = subnetworks_of(validation, test, bucket, metric)
    finished, tested = validation.dropna(subset=[metric.name]), test.dropna(subset=[metric.name])
    first = finished[finished["space"] == order[0]]

    def optima(runs: pd.DataFrame, of: str = "") -> dict[str, Optimum]:
        found = {
            response: _attempt(
                f"The optimum of {metric_of(runs, response).label}{of}",
                refusals,
                find_optimum,
                runs,
                bucket=bucket,
                response=response,
                rng=own_generator(rng),
            )
            for response in responses_of(metric)
        }
        return {response: optimum for response, optimum in found.items() if optimum is not None}

    comparison = None
    if len(set(test["space"])) > 1:
        what = "The comparison of spaces"
        comparison = _attempt(what, refusals, compare, tested, by="space", response=metric.name, rng=own_generator(rng))
    return RegimeAnalysis(
        regime=regime,
        spaces=tuple(
            _analyse_space(space, validation, subnetworks, metric)
            for space in order
            if space in set(validation["space"])
        ),
        comparison=comparison,
        optima={} if designs else optima(first),
        designs=tuple(
            DesignAnalysis(design, optima(first[first["original"].isin(design.originals)], f" of {design.name}"))
            for design in designs
        ),
        refusals=tuple(refusals),
        subnetworks=subnetworks,
        metric=metric,
    )


def _analyse_space(space: str, runs: pd.DataFrame, subnetworks: pd.DataFrame, metric: Metric) -> SpaceAnalysis:
    mine = runs[runs["space"] == space]
    units = subnetworks[subnetworks["space"] == space]
    failed, finished = int(has_failed(mine).sum()), mine.dropna(subset=[metric.name])
    values = units[f"test_{metric.name}"]
    tested = len(units) > 0 and bool(values.notna().all())
    return SpaceAnalysis(
        space=space,
        n_drawn=mine.groupby(["original", "subnetwork"]).ngroups,
        n_subnetworks=len(units),
        n_originals=units["original"].nunique(),
        n_done=len(mine) - failed,
        n_failed=failed,
        error=_distribution(values),
        log_cross_entropy=_distribution(units["test_log_cross_entropy"]) if metric == ERROR else None,
        mean_error=float(values.mean()) if tested else None,
        ratios=_spread(units["ratio"]) if bool(units["ratio"].notna().any()) else None,
        winners=tuple(
            _winner(group, finished[finished["original"] == original], metric)
            for original, group in units.groupby("original", sort=False)
        )
        if tested
        else (),
    )


def _distribution(values: pd.Series[float]) -> Edf | None:
    """The EDF, or None if a value was not recorded: external results may lack the test split or the loss."""
    return edf(values.to_numpy()) if len(values) and bool(values.notna().all()) else None


def _spread(values: pd.Series[float]) -> tuple[float, float, float]:
    return float(values.min()), float(values.median()), float(values.max())


def _winner(units: pd.DataFrame, runs: pd.DataFrame, metric: Metric) -> Winner:
    """The winner of one original in one space, selected among its finished runs on the validation split."""
    ranked = rank_subnetworks(runs, metric.name)
    best = units.set_index("subnetwork", drop=False).loc[ranked.index[0]]
    val, test = f"val_{metric.name}", f"test_{metric.name}"
    worse = metric.sign * (units[test] - units[val])
    return Winner(
        space=str(best["space"]),
        original=str(best["original"]),
        subnetwork=str(best["subnetwork"]),
        flops=None if pd.isna(best["flops"]) else int(best["flops"]),
        params=int(best["params"]),
        ratio=float(best["ratio"]),
        val_error=float(best[val]),
        test_error=float(best[test]),
        test_rank=1 + int((metric.sign * units[test] < metric.sign * best[test]).sum()),
        n_subnetworks=len(units),
        optimism=float(metric.sign * (best[test] - best[val]) - worse.mean()),
        notes=selection_notes(runs, ranked, metric.name),
    )


def _attempt(
    what: str, refusals: list[str], act: Callable[..., _Result], frame: pd.DataFrame, **options: Any
) -> _Result | None:
    """The result of `act`, or None with the reason noted: a regime with too few runs must not prevent the report."""
    if frame.empty:
        refusals.append(f"{what} was not computed: no run finished.")
        return None
    try:
        return act(frame, **options)
    except (InputError, ResultsError) as refusal:
        refusals.append(f"{what} was not computed: {refusal}.")
        return None
