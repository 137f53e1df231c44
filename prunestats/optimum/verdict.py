"""The rules that turn the fits of a population into one verdict on its optimum, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from prunestats.metric import ERROR, Metric
from prunestats.optimum.estimate import (
    MIN_BASIN_SHARE,
    ReportedEstimate,
    describe_basins,
    has_two_basins,
    select_estimate,
    spline_estimate,
)
from prunestats.optimum.fits import Fits
from prunestats.optimum.regression import Points
from prunestats.optimum.shape_words import ShapeWords
from prunestats.optimum.two_lines import TwoLines
from prunestats.wording import p_words

Verdict = Literal["interior", "edge", "monotone", "flat", "unidentified"]

MIN_SUBNETWORKS = 20
"""The fewest subnetworks in the simulations that hold the rate of false `interior` below 5 %: fewer get no verdict."""
MIN_RATIO_SPREAD = 0.02
"""Relative range of the middle 80 % of the ratios below which no verdict is given: over 2 % a curve is close to its
tangent, and an optimum within that range would be of no practical use."""
MAX_FLAT_R2 = 0.1
"""Largest upper bound of the explained variance that counts as flat: a convention, a tenth of the variance being little
beside what remains."""
MIN_SHARE_IN_MIDDLE = 0.9
"""Share of the spline draws with their minimum in the middle 80 % of the ratios that `interior` needs: without it up to
12 % false `interior` on a parabola whose bottom is at the 92 % quantile; 0.95 would cost 5 points of power."""


@dataclass(frozen=True)
class Judgement:
    """A verdict, its reasons, and the reported estimate, None where none is reported."""

    verdict: Verdict
    reasons: tuple[str, ...]
    estimate: ReportedEstimate | None = None


def judge(data: Points, fits: Fits | None, *, metric: Metric = ERROR) -> Judgement:
    """Return the verdict on the optimum of a population.

    Parameters
    ----------
    data : Points
        With the negated response where higher values are better.
    fits : Fits or None
        Of these points; None where there are too few for every fit.
    metric : Metric
        The response, for the reasons.

    Returns
    -------
    Judgement

    Notes
    -----
    The rules, in their order, and the simulations behind each threshold are in docs/methods/verdict-rules.md.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> judge(points([1.0, 2.0], [3.0, 4.0]), None).reasons
    ('Only 2 subnetworks: a verdict needs at least 20.',)
    """
    words = ShapeWords(metric)
    refusal = _too_few_data(data)
    if refusal is not None:
        return Judgement("unidentified", (refusal,))
    if np.ptp(data.y) == 0:
        return Judgement("flat", (_constant(data, words),))
    if fits is None:
        distinct = np.unique(data.x).size
        return Judgement(
            "unidentified",
            (f"{data.x.size} subnetworks with {distinct} distinct ratios are too few for the regressions.",),
        )
    lines = fits.two_lines
    if lines is not None and lines.u_shaped:
        return _u_shaped(fits, lines, words)
    if lines is not None and lines.inverted:
        return _inverted_u(fits, lines, words)
    # Bonferroni: an effect is claimed if either of two tests rejects, so each has half of the significance level
    if min(fits.flatness.p, fits.lack_of_fit_p) >= (1 - fits.level) / 2:
        return _not_significant(fits, words)
    return _without_u(fits, lines, words)


def _constant(data: Points, words: ShapeWords) -> str:
    return f"All {data.y.size} subnetworks have the same value of {words.name}, {words.value(data.y[0]):.4g}."


def _too_few_data(data: Points) -> str | None:
    n = data.x.size
    if n < MIN_SUBNETWORKS:
        return f"Only {n} subnetworks: a verdict needs at least {MIN_SUBNETWORKS}."
    q10, q90 = np.exp(data.x_middle)
    if q90 / q10 - 1 < MIN_RATIO_SPREAD:
        return (
            f"The ratios hardly vary: the middle 80 % range from {q10:.4g} to {q90:.4g}, by "
            f"{100 * (q90 / q10 - 1):.2g} %, and a verdict needs at least {100 * MIN_RATIO_SPREAD:g} %."
        )
    return None


def _u_shaped(fits: Fits, lines: TwoLines, words: ShapeWords) -> Judgement:
    """The two-lines test finds a U: report its minimum, if that is identified."""
    estimate = select_estimate(fits, words)
    shape = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {words.name} {words.falls} (slope "
        f"{words.slope(lines.slope_low)} per unit of log ratio, p {p_words(lines.p_low)}) and above it {words.rises} "
        f"(slope {words.slope(lines.slope_high)}, p {p_words(lines.p_high)}): the two-lines test finds {words.a_u}."
    )
    if has_two_basins(fits):
        return _two_basins(fits, shape, estimate, words)
    optimum = f"The optimum is estimated at {estimate.ratio:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"
    share = fits.spline.in_middle
    if not fits.in_middle(estimate.ratio):
        where = f"{optimum}, outside {_middle(fits)}."
        return Judgement("edge", (shape, where, estimate.reason), estimate)
    if share >= MIN_SHARE_IN_MIDDLE:
        where = f"{optimum}, within {_middle(fits)}."
        return Judgement("interior", (shape, where, estimate.reason), estimate)
    where = (
        f"The location of the {words.best} is not identified: {100 * (1 - share):.0f} % of the spline draws have it "
        f"outside {_middle(fits)}, and at most {100 * (1 - MIN_SHARE_IN_MIDDLE):.0f} % may for an interior optimum."
    )
    return Judgement("unidentified", (shape, where))


def _inverted_u(fits: Fits, lines: TwoLines, words: ShapeWords) -> Judgement:
    reason = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {words.name} {words.rises} (slope "
        f"{words.slope(lines.slope_low)} per unit of log ratio, p {p_words(lines.p_low)}) and above it {words.falls} "
        f"(slope {words.slope(lines.slope_high)}, p {p_words(lines.p_high)}): the two-lines test finds "
        f"{words.an_inverted_u}, with its {words.worst} inside the sampled range and its {words.several_best} at the "
        f"ends.{describe_basins(fits, words)}"
    )
    return Judgement("edge", (reason,), spline_estimate(fits))


def _two_basins(fits: Fits, shape: str, estimate: ReportedEstimate, words: ShapeWords) -> Judgement:
    """The minimum lies in either of two basins: "edge" where both are near the ends of the range."""
    largest = max(share for _, _, share in fits.spline.basins)
    where = (
        f"Which of two {words.basins} holds the {words.best} is not identified: the larger share of the spline draws "
        f"in one is {100 * largest:.0f} %, and a single ratio needs {100 * MIN_BASIN_SHARE:.0f} %."
    )
    outside = not any(low <= fits.q90 and high >= fits.q10 for low, high in estimate.pieces)
    return Judgement("edge" if outside else "unidentified", (shape, where, estimate.reason), estimate)


def _not_significant(fits: Fits, words: ShapeWords) -> Judgement:
    """Neither the quadratic nor higher terms are significant: "flat" needs the equivalence test as well."""
    flat = fits.flatness
    nothing = (
        f"Neither slope and curvature of {words.name} (p {p_words(flat.p)}) nor higher terms "
        f"(p {p_words(fits.lack_of_fit_p)}) are significant"
    )
    bound = (
        f"with {100 * flat.level:g} % confidence the ratio explains at most {100 * flat.r2_upper:.1f} % of the variance"
    )
    limit = f"{100 * MAX_FLAT_R2:g} %"
    if fits.spline_r2 > MAX_FLAT_R2:
        return Judgement(
            "unidentified",
            (
                f"{nothing}, but the spline explains {100 * fits.spline_r2:.0f} % of the variance, by noise or by a "
                f"shape that these tests have no power against.{describe_basins(fits, words)}",
            ),
        )
    if flat.r2_upper <= MAX_FLAT_R2:
        return Judgement("flat", (f"{nothing}, and {bound}, which is within the {limit} that count as flat.",))
    return Judgement(
        "unidentified",
        (f"{nothing}, but {bound}, and flat is at most {limit}: more subnetworks would narrow the bound.",),
    )


def _without_u(fits: Fits, lines: TwoLines | None, words: ShapeWords) -> Judgement:
    """An effect is significant, but the two-lines test finds neither a U nor an inverted U."""
    alpha = 1 - fits.level
    slope, p = fits.trend.slope, fits.trend.p
    direction = words.falls if slope < 0 else words.rises
    trend = (
        f"The {words.metric.label} {direction} with the ratio (slope {words.slope(slope)} per unit of log ratio, "
        f"p {p_words(p)})"
    )
    # a curve whose draws turn before the end of the range is not monotone, even where two lines average over the turn
    at_end = fits.spline.at_low_end if slope > 0 else fits.spline.at_high_end
    if p < alpha and at_end >= alpha / 2 and lines is not None and lines.same_direction and lines.slope_low * slope > 0:
        sides = (
            f"{trend}, and so do both lines of the two-lines test, below and above {lines.breakpoint_ratio:.4g} "
            f"(slopes {words.slope(lines.slope_low)} and {words.slope(lines.slope_high)}, p {p_words(lines.p_low)} and "
            f"{p_words(lines.p_high)})."
        )
        return Judgement("monotone", (sides,))
    if p < alpha and fits.quadratic.curvature_p >= alpha and fits.lack_of_fit_p >= alpha:
        straight = (
            f"{trend}, and neither curvature (p {p_words(fits.quadratic.curvature_p)}) nor higher terms "
            f"(p {p_words(fits.lack_of_fit_p)}) are significant."
        )
        return Judgement("monotone", (straight,))
    return _by_spline(fits, lines, words)


def _by_spline(fits: Fits, lines: TwoLines | None, words: ShapeWords) -> Judgement:
    """A significant shape that is neither a U nor monotone: "edge" where the spline's minimum is near an end."""
    spline = fits.spline
    sides = "Ties leave too few distinct ratios for the two-lines test."
    if lines is not None:
        sides = (
            f"The two-lines test finds no {words.u}: {words.name} has slope {words.slope(lines.slope_low)} "
            f"(p {p_words(lines.p_low)}) below {lines.breakpoint_ratio:.4g} and {words.slope(lines.slope_high)} "
            f"(p {p_words(lines.p_high)}) above."
        )
    curvature = fits.quadratic.curvature_p
    if curvature < 1 - fits.level:
        sides += (
            f" A significant curvature (p {p_words(curvature)}) is no evidence of {words.a_u}: monotone curves have it "
            "too."
        )
    if has_two_basins(fits):
        return _two_basins(fits, sides, spline_estimate(fits, describe_basins(fits, words).strip()), words)
    minimum = f"The {words.best} of the spline is at {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}]"
    if not fits.in_middle(spline.ratio):
        end = "low" if spline.ratio < fits.q10 else "high"
        near = f"near the {end} end of the sampled range, outside {_middle(fits)}"
        where = f"{minimum}, {near}.{describe_basins(fits, words)}"
        return Judgement("edge", (sides, where), spline_estimate(fits))
    where = (
        f"{minimum}, within {_middle(fits)}, but the response is not significantly {words.metric.worse} on both sides "
        "of it."
    )
    return Judgement("unidentified", (sides, where))


def _middle(fits: Fits) -> str:
    return f"the middle 80 % of the ratios ({fits.q10:.4g} to {fits.q90:.4g})"
