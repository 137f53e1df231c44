"""The rules that turn the fits of a population into one verdict on its optimum, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

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


def judge(data: Points, fits: Fits | None, *, name: str = "the error") -> Judgement:
    """Return the verdict on the optimum of a population.

    Parameters
    ----------
    data : Points
    fits : Fits or None
        None where there are too few points for every fit.
    name : str
        Name of the response in the reasons.

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
    refusal = _too_few_data(data)
    if refusal is not None:
        return Judgement("unidentified", (refusal,))
    if np.ptp(data.y) == 0:
        return Judgement("flat", (f"All {data.y.size} subnetworks have the same value of {name}, {data.y[0]:.4g}.",))
    if fits is None:
        distinct = np.unique(data.x).size
        return Judgement(
            "unidentified",
            (f"{data.x.size} subnetworks with {distinct} distinct ratios are too few for the regressions.",),
        )
    lines = fits.two_lines
    if lines is not None and lines.u_shaped:
        return _u_shaped(fits, lines, name)
    if lines is not None and lines.inverted:
        return _inverted_u(fits, lines, name)
    # Bonferroni: an effect is claimed if either of two tests rejects, so each has half of the significance level
    if min(fits.flatness.p, fits.lack_of_fit_p) >= (1 - fits.level) / 2:
        return _not_significant(fits, name)
    return _without_u(fits, lines, name)


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


def _u_shaped(fits: Fits, lines: TwoLines, name: str) -> Judgement:
    """The two-lines test finds a U: report its minimum, if that is identified."""
    estimate = select_estimate(fits)
    shape = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {name} falls (slope {lines.slope_low:.3g} per unit of log "
        f"ratio, p {p_words(lines.p_low)}) and above it rises (slope {lines.slope_high:.3g}, "
        f"p {p_words(lines.p_high)}): the two-lines test finds a U."
    )
    if has_two_basins(fits):
        return _two_basins(fits, shape, estimate)
    optimum = f"The optimum is estimated at {estimate.ratio:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"
    share = fits.spline.in_middle
    if not fits.in_middle(estimate.ratio):
        where = f"{optimum}, outside {_middle(fits)}."
        return Judgement("edge", (shape, where, estimate.reason), estimate)
    if share >= MIN_SHARE_IN_MIDDLE:
        where = f"{optimum}, within {_middle(fits)}."
        return Judgement("interior", (shape, where, estimate.reason), estimate)
    where = (
        f"The location of the minimum is not identified: {100 * (1 - share):.0f} % of the spline draws have it outside "
        f"{_middle(fits)}, and at most {100 * (1 - MIN_SHARE_IN_MIDDLE):.0f} % may for an interior optimum."
    )
    return Judgement("unidentified", (shape, where))


def _inverted_u(fits: Fits, lines: TwoLines, name: str) -> Judgement:
    reason = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {name} rises (slope {lines.slope_low:.3g} per unit of log "
        f"ratio, p {p_words(lines.p_low)}) and above it falls (slope {lines.slope_high:.3g}, "
        f"p {p_words(lines.p_high)}): the two-lines test finds an inverted U, with its maximum inside the sampled "
        f"range and its minima at the ends.{describe_basins(fits)}"
    )
    return Judgement("edge", (reason,), spline_estimate(fits))


def _two_basins(fits: Fits, shape: str, estimate: ReportedEstimate) -> Judgement:
    """The minimum lies in either of two basins: "edge" where both are near the ends of the range."""
    largest = max(share for _, _, share in fits.spline.basins)
    where = (
        f"Which of two basins holds the minimum is not identified: the larger share of the spline draws in one is "
        f"{100 * largest:.0f} %, and a single ratio needs {100 * MIN_BASIN_SHARE:.0f} %."
    )
    outside = not any(low <= fits.q90 and high >= fits.q10 for low, high in estimate.pieces)
    return Judgement("edge" if outside else "unidentified", (shape, where, estimate.reason), estimate)


def _not_significant(fits: Fits, name: str) -> Judgement:
    """Neither the quadratic nor higher terms are significant: "flat" needs the equivalence test as well."""
    flat = fits.flatness
    nothing = (
        f"Neither slope and curvature of {name} (p {p_words(flat.p)}) nor higher terms "
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
                f"shape that these tests have no power against.{describe_basins(fits)}",
            ),
        )
    if flat.r2_upper <= MAX_FLAT_R2:
        return Judgement("flat", (f"{nothing}, and {bound}, which is within the {limit} that count as flat.",))
    return Judgement(
        "unidentified",
        (f"{nothing}, but {bound}, and flat is at most {limit}: more subnetworks would narrow the bound.",),
    )


def _without_u(fits: Fits, lines: TwoLines | None, name: str) -> Judgement:
    """An effect is significant, but the two-lines test finds neither a U nor an inverted U."""
    alpha = 1 - fits.level
    slope, p = fits.trend.slope, fits.trend.p
    direction = "falls" if slope < 0 else "rises"
    trend = (
        f"{name[0].upper()}{name[1:]} {direction} with the ratio (slope {slope:.3g} per unit of log ratio, "
        f"p {p_words(p)})"
    )
    # a curve whose draws turn before the end of the range is not monotone, even where two lines average over the turn
    at_end = fits.spline.at_low_end if slope > 0 else fits.spline.at_high_end
    if p < alpha and at_end >= alpha / 2 and lines is not None and lines.same_direction and lines.slope_low * slope > 0:
        sides = (
            f"{trend}, and so do both lines of the two-lines test, below and above {lines.breakpoint_ratio:.4g} "
            f"(slopes {lines.slope_low:.3g} and {lines.slope_high:.3g}, p {p_words(lines.p_low)} and "
            f"{p_words(lines.p_high)})."
        )
        return Judgement("monotone", (sides,))
    if p < alpha and fits.quadratic.curvature_p >= alpha and fits.lack_of_fit_p >= alpha:
        straight = (
            f"{trend}, and neither curvature (p {p_words(fits.quadratic.curvature_p)}) nor higher terms "
            f"(p {p_words(fits.lack_of_fit_p)}) are significant."
        )
        return Judgement("monotone", (straight,))
    return _by_spline(fits, lines, name)


def _by_spline(fits: Fits, lines: TwoLines | None, name: str) -> Judgement:
    """A significant shape that is neither a U nor monotone: "edge" where the spline's minimum is near an end."""
    spline = fits.spline
    sides = "Ties leave too few distinct ratios for the two-lines test."
    if lines is not None:
        sides = (
            f"The two-lines test finds no U: {name} has slope {lines.slope_low:.3g} (p {p_words(lines.p_low)}) below "
            f"{lines.breakpoint_ratio:.4g} and {lines.slope_high:.3g} (p {p_words(lines.p_high)}) above."
        )
    curvature = fits.quadratic.curvature_p
    if curvature < 1 - fits.level:
        sides += (
            f" A significant curvature (p {p_words(curvature)}) is no evidence of a U: monotone curves have it too."
        )
    if has_two_basins(fits):
        return _two_basins(fits, sides, spline_estimate(fits, describe_basins(fits).strip()))
    minimum = f"The minimum of the spline is at {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}]"
    if not fits.in_middle(spline.ratio):
        end = "low" if spline.ratio < fits.q10 else "high"
        where = f"{minimum}, near the {end} end of the sampled range, outside {_middle(fits)}.{describe_basins(fits)}"
        return Judgement("edge", (sides, where), spline_estimate(fits))
    where = f"{minimum}, within {_middle(fits)}, but the response is not significantly higher on both sides of it."
    return Judgement("unidentified", (sides, where))


def _middle(fits: Fits) -> str:
    return f"the middle 80 % of the ratios ({fits.q10:.4g} to {fits.q90:.4g})"
