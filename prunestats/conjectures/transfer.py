"""Meta-regression of optima on the ratio of the original, and prediction of the optimum of an unexplored network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from prunestats.conjectures.across_originals import MetaOptimum, meta_optimum
from prunestats.conjectures.regime_optima import optima_of_regimes
from prunestats.conjectures.transfer_result import DesignOptimum, PredictedOptimum, Transfer
from prunestats.conjectures.transfer_sentences import (
    overlap_sentences,
    population_sentences,
    relative_sentences,
    sampled_range_sentences,
    slope_sentences,
)
from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval, check_level
from prunestats.optimum.optimum import Optimum
from prunestats.results.designs import Costed, group_designs
from prunestats.results.pooling import refuse_mixed_runs


def transfer_optimum(
    frame: pd.DataFrame,
    *,
    bucket: int = 1,
    response: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Transfer:
    """Estimate the optimum of every design and regime, and test its association with the ratio of the original.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one protocol and of two originals or more, with the columns that `group_designs` needs. Originals
        may be trained on different data sets: each is a design of its own.
    bucket, response, level
        As of `find_optimum`.
    rng : numpy.random.Generator, optional
        For the spline's posterior draws, a child generator a design and regime; seeded with 0 when left out.

    Returns
    -------
    Transfer

    Raises
    ------
    InputError, ResultsError
        For a single design, and what `group_designs` and `find_optimum` refuse.

    Notes
    -----
    Estimand: b in log optimum = a + b log(ratio of the original) + c log(FLOPs fraction), over the population of
    designs that these are sampled from. Originals that differ only by their training seed are one design and strata of
    one optimum: the effect of a seed on that optimum is part of the variances between and within designs. Confounder:
    the sampled ratios shift with the original, too. `drawn_slope` measures that shift, and `place_slope` tests whether
    the optimum shifts relative to the sampled range. See docs/methods/transfer.md.

    References
    ----------
    As of `MetaOptimum.careful_slope`, `prunestats.conjectures.meta_regression.meta_regression` and
    `prunestats.conjectures.prediction_interval.predict_new`. The conjecture is of H. He et al., Network Pruning Spaces
    (2023), arXiv 2304.09453.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def population(name, ratio):
    ...     params = rng.integers(5_000, 20_000, 100)
    ...     best = 30 * ratio**0.3
    ...     frame = pd.DataFrame({"subnetwork": np.arange(100).astype(str), "flops": 10**6, "params": params})
    ...     frame["error"] = 0.1 + 0.1 * np.log(params * best / 10**6) ** 2 + 0.01 * rng.random(100)
    ...     return frame.assign(original=name, original_flops=ratio * 30_000, original_params=30_000)
    >>> frame = pd.concat([population(f"net{ratio}", ratio) for ratio in (30, 50, 70, 90)])
    >>> found = transfer_optimum(frame, rng=rng)
    >>> found.verdict, 0.3 in found.slope, 30 * 60**0.3 in found.predict(60).new
    ('follows', True, True)
    """
    check_level(level)
    refuse_mixed_runs(frame, ["protocol"])
    designs = group_designs(frame, bucket)
    if len(designs) < 2:
        raise InputError(
            f"an association with the original needs several designs; found {designs[0].name} alone: study other "
            "networks too, or use find_optimum"
        )
    optima = [
        DesignOptimum(design, regime, optimum)
        for design in designs
        for regime, optimum in optima_of_regimes(
            frame[frame["original"].astype(str).isin(design.originals)],
            bucket=bucket,
            response=response,
            level=level,
            rng=rng,
        ).items()
    ]
    return combine_optima(optima, level=level)


def predict_optimum(
    frame: pd.DataFrame,
    original: float | tuple[float, float] | Costed,
    *,
    regime: float | None = None,
    bucket: int = 1,
    response: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> PredictedOptimum:
    """Predict the optimal ratio of an unexplored original from the optima of several explored ones.

    Parameters
    ----------
    frame : pandas.DataFrame
        As of `transfer_optimum`, such as ``ps.load_results("results.db", space="initial")``.
    original : float, (float, float) or Costed
        Its ratio, its FLOPs and parameters, or what has both, such as ``prunestats.runners.trace(network, image)``.
    regime : float, optional
        FLOPs fraction; the geometric mean of those with an estimate when left out.
    bucket, response, level, rng
        As of `transfer_optimum`.

    Returns
    -------
    PredictedOptimum

    Raises
    ------
    InputError, ResultsError
        With fewer than three designs that have an optimum, and for what `transfer_optimum` refuses.

    Notes
    -----
    `new` is a prediction interval: it covers the optimum of one new design with probability `level`, assuming that
    this design and the explored ones are a sample of one population. With few designs it is wide.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def population(name, ratio):
    ...     params = rng.integers(5_000, 20_000, 100)
    ...     frame = pd.DataFrame({"subnetwork": np.arange(100).astype(str), "flops": 10**6, "params": params})
    ...     frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.01 * rng.random(100)
    ...     return frame.assign(original=name, original_flops=ratio * 30_000, original_params=30_000)
    >>> frame = pd.concat([population(f"net{ratio}", ratio) for ratio in (30, 50, 70, 90)])
    >>> 100 in predict_optimum(frame, (1_800_000, 30_000), rng=rng).new
    True
    """
    found = transfer_optimum(frame, bucket=bucket, response=response, level=level, rng=rng)
    return found.predict(original, regime=regime)


def combine_optima(optima: Sequence[DesignOptimum], *, level: float = 0.95) -> Transfer:
    """Random-effects meta-regression of the optima of several designs and regimes on the ratio of the original.

    Parameters
    ----------
    optima : sequence of DesignOptimum
        Of one response and bucket.
    level : float

    Returns
    -------
    Transfer

    Raises
    ------
    InputError
        For what `meta_optimum` refuses.

    Notes
    -----
    See `transfer_optimum`.
    """
    meta = _meta_regression(optima, [one.optimum for one in optima], level)
    used = [one for one, estimate in zip(optima, meta.estimates, strict=True) if not estimate.refusal]
    relative = _meta_regression(optima, [_relative(one.optimum) for one in optima], level)
    (slope, p), (place_slope, place_p) = meta.careful_slope(), relative.careful_slope()
    drawn_slope = _slope_of_sampled_middle(used)
    no_overlap = overlap_sentences([(one.regime, one.optimum) for one in used])
    verdict = _verdict(slope, p, not no_overlap, level)
    return Transfer(
        verdict=verdict,
        reasons=(
            *slope_sentences(meta, slope, p, verdict),
            *population_sentences([one.optimum.verdict for one in optima], len(used)),
            *no_overlap,
            *sampled_range_sentences(drawn_slope),
            *relative_sentences(place_slope, place_p),
            *meta.notes,
        ),
        optima=tuple(optima),
        slope=slope,
        slope_p=p,
        place_slope=place_slope,
        place_slope_p=place_p,
        meta=meta,
        drawn_slope=drawn_slope,
        shared=not no_overlap,
    )


def _meta_regression(optima: Sequence[DesignOptimum], found: list[Optimum], level: float) -> MetaOptimum:
    regimes = [one.regime for one in optima]
    several = len(set(regimes)) > 1
    return meta_optimum(
        found,
        original_ratio=[one.design.ratio for one in optima],
        originals=[one.design.name for one in optima],
        regimes=[regime for regime in regimes if regime is not None] if several else None,
        level=level,
    )


def _sampled_middle(optimum: Optimum) -> float:
    return float(np.sqrt(optimum.ratio_q10 * optimum.ratio_q90))


def _relative(optimum: Optimum) -> Optimum:
    """The optimum in units of the middle of the sampled ratios."""
    unit = _sampled_middle(optimum)
    return replace(optimum, ratio=optimum.ratio / unit, low=optimum.low / unit, high=optimum.high / unit)


def _slope_of_sampled_middle(used: list[DesignOptimum]) -> float:
    """Least-squares slope of the log middle of the sampled ratios on the log ratio of the original, within regimes."""
    regimes = [-1.0 if one.regime is None else one.regime for one in used]
    x = np.log([one.design.ratio for one in used])
    y = np.log([_sampled_middle(one.optimum) for one in used])
    dx, dy = (part - pd.Series(part).groupby(regimes).transform("mean").to_numpy() for part in (x, y))
    information = float(dx @ dx)
    return float(dx @ dy) / information if information > 0 else float("nan")


def _verdict(slope: Interval | None, p: float, overlap: bool, level: float) -> str:
    if slope is None:
        return "too few"
    if not overlap:
        return "drawn apart"
    if p >= 1 - level:
        return "not seen"
    return "follows" if slope.value > 0 else "opposes"
