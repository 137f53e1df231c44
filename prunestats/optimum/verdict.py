"""The rules that turn the evidence about an optimum into one verdict with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from prunestats.optimum.estimate import ONE_PLACE, Belief, basins_words, believe, of_spline, two_places
from prunestats.optimum.fits import Evidence
from prunestats.optimum.regression import Points
from prunestats.optimum.two_lines import TwoLines
from prunestats.wording import p_words

Verdict = Literal["interior", "edge", "monotone", "flat", "unidentified"]

LEAST_SUBNETWORKS = 20
"""Fewer subnetworks than this decide nothing."""
LEAST_SPREAD = 0.02
"""Ratios whose middle 80 % span less than this, relatively, barely vary."""
FLAT_R2 = 0.1
"""A ratio that explains less of the variance than this hardly matters."""
IN_MIDDLE = 0.9
"""Share of the curves that fit whose minimum must be among the middle 80 % of the ratios."""


@dataclass(frozen=True)
class Judgement:
    """A verdict, its reasons, and the estimate to believe, None where there is none."""

    verdict: Verdict
    reasons: tuple[str, ...]
    belief: Belief | None = None


def judge(data: Points, evidence: Evidence | None, *, name: str = "the error") -> Judgement:
    """Give the verdict on the optimum of a population.

    Parameters
    ----------
    data : Points
    evidence : Evidence or None
        None where there are too few points to fit every part.
    name : str
        What the response is called in the reasons.

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
    ('Only 2 subnetworks: fewer than 20 decide nothing.',)
    """
    refusal = _too_little(data)
    if refusal is not None:
        return Judgement("unidentified", (refusal,))
    if np.ptp(data.y) == 0:
        return Judgement("flat", (f"All {data.y.size} subnetworks have the same value of {name}, {data.y[0]:.4g}.",))
    if evidence is None:
        distinct = np.unique(data.x).size
        return Judgement("unidentified", (f"{data.x.size} subnetworks with {distinct} distinct ratios fit no curve.",))
    lines = evidence.two_lines
    if lines is not None and lines.u_shaped:
        return _turning(evidence, lines, name)
    if lines is not None and lines.inverted:
        return _hill(evidence, lines, name)
    # two tests look for something, so each gets half of what may go wrong
    if min(evidence.flatness.p, evidence.misfit_p) >= (1 - evidence.level) / 2:
        return _nothing_seen(evidence, name)
    return _one_sided(evidence, lines, name)


def _too_little(data: Points) -> str | None:
    n = data.x.size
    if n < LEAST_SUBNETWORKS:
        return f"Only {n} subnetworks: fewer than {LEAST_SUBNETWORKS} decide nothing."
    q10, q90 = np.exp(np.quantile(data.x, [0.1, 0.9]))
    if q90 / q10 - 1 < LEAST_SPREAD:
        return (
            f"The ratios barely vary: their middle 80 % reach from {q10:.4g} to {q90:.4g}, "
            f"{100 * (q90 / q10 - 1):.2g} % apart, less than the {100 * LEAST_SPREAD:g} % that can carry a curve."
        )
    return None


def _turning(evidence: Evidence, lines: TwoLines, name: str) -> Judgement:
    """A U is there: say where its bottom is, or that this is not settled."""
    belief = believe(evidence)
    turn = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {name} falls (slope {lines.slope_low:.3g} per unit of log "
        f"ratio, p {p_words(lines.p_low)}) and above it rises (slope {lines.slope_high:.3g}, "
        f"p {p_words(lines.p_high)}): the two-lines test finds a U."
    )
    if two_places(evidence):
        return _two_places(evidence, turn, belief)
    place = f"The optimum is estimated at {belief.ratio:.4g} [{belief.low:.4g}, {belief.high:.4g}]"
    share = evidence.spline.in_middle
    if not evidence.in_middle(belief.ratio):
        where = f"{place}, outside {_middle(evidence)}."
        return Judgement("edge", (turn, where, belief.reason), belief)
    if share >= IN_MIDDLE:
        where = f"{place}, within {_middle(evidence)}."
        return Judgement("interior", (turn, where, belief.reason), belief)
    where = (
        f"Where it turns is not settled: {100 * (1 - share):.0f} % of the curves that fit have their minimum outside "
        f"{_middle(evidence)}; {100 * (1 - IN_MIDDLE):.0f} % would be let pass."
    )
    return Judgement("unidentified", (turn, where))


def _hill(evidence: Evidence, lines: TwoLines, name: str) -> Judgement:
    reason = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {name} rises (slope {lines.slope_low:.3g} per unit of log "
        f"ratio, p {p_words(lines.p_low)}) and above it falls (slope {lines.slope_high:.3g}, "
        f"p {p_words(lines.p_high)}): there is a worst ratio, not a best one, and the best ratios lie at the edges "
        f"of what was sampled.{basins_words(evidence)}"
    )
    return Judgement("edge", (reason,), of_spline(evidence))


def _two_places(evidence: Evidence, shape: str, belief: Belief) -> Judgement:
    """The minimum is in one of two places: at the edges when both are there, else no one ratio is identified."""
    largest = max(share for _, _, share in evidence.spline.basins)
    where = (
        f"Which of two places is best is not settled: at most {100 * largest:.0f} % of the curves that fit have their "
        f"minimum in one, {100 * ONE_PLACE:.0f} % would let it stand for the optimum."
    )
    outside = not any(low <= evidence.q90 and high >= evidence.q10 for low, high in belief.pieces)
    return Judgement("edge" if outside else "unidentified", (shape, where, belief.reason), belief)


def _nothing_seen(evidence: Evidence, name: str) -> Judgement:
    flat = evidence.flatness
    nothing = (
        f"Neither a slope nor a curvature of {name} is seen (p {p_words(flat.p)}; higher terms "
        f"p {p_words(evidence.misfit_p)})"
    )
    bound = (
        f"with {100 * flat.level:g} % confidence the ratio explains at most {100 * flat.r2_upper:.1f} % of its variance"
    )
    if evidence.spline_r2 > FLAT_R2:
        return Judgement(
            "unidentified",
            (
                f"{nothing}, but the spline explains {100 * evidence.spline_r2:.0f} % of its variance: a shape that "
                f"these tests do not see, or noise.{basins_words(evidence)}",
            ),
        )
    if flat.r2_upper <= FLAT_R2:
        return Judgement("flat", (f"{nothing}, and {bound}, under the {100 * FLAT_R2:g} % that would matter.",))
    return Judgement(
        "unidentified", (f"{nothing}, but {bound}, too much to call it flat: more subnetworks would settle it.",)
    )


def _one_sided(evidence: Evidence, lines: TwoLines | None, name: str) -> Judgement:
    """Something is there, but no turn was found."""
    alpha = 1 - evidence.level
    slope, p = evidence.trend.slope, evidence.trend.p
    way = "falls" if slope < 0 else "rises"
    trend = f"With the ratio {name} {way} (slope {slope:.3g} per unit of log ratio, p {p_words(p)})"
    # a curve that surely bends back before the end is not monotone, even where the two lines are too coarse to see it
    end = evidence.spline.at_low_end if slope > 0 else evidence.spline.at_high_end
    to_the_end = p < alpha and end >= alpha / 2
    if to_the_end and lines is not None and lines.same_direction and lines.slope_low * slope > 0:
        return Judgement(
            "monotone",
            (
                f"{trend}, and does so on both sides of {lines.breakpoint_ratio:.4g} (slopes {lines.slope_low:.3g} and "
                f"{lines.slope_high:.3g}, p {p_words(lines.p_low)} and {p_words(lines.p_high)}).",
            ),
        )
    if p < alpha and evidence.quadratic.curvature_p >= alpha and evidence.misfit_p >= alpha:
        return Judgement(
            "monotone",
            (
                f"{trend}, and no curvature is seen (p {p_words(evidence.quadratic.curvature_p)}; higher terms "
                f"p {p_words(evidence.misfit_p)}).",
            ),
        )
    return _curved(evidence, lines, name)


def _curved(evidence: Evidence, lines: TwoLines | None, name: str) -> Judgement:
    """A curve without a turn that the data show: an edge when its minimum is there, else open."""
    spline = evidence.spline
    sides = "The points leave no room for the two-lines test."
    if lines is not None:
        sides = (
            f"The two-lines test finds no U: {name} has slope {lines.slope_low:.3g} (p {p_words(lines.p_low)}) below "
            f"{lines.breakpoint_ratio:.4g} and {lines.slope_high:.3g} (p {p_words(lines.p_high)}) above."
        )
    curvature = evidence.quadratic.curvature_p
    if curvature < 1 - evidence.level:
        sides += f" A significant curvature (p {p_words(curvature)}) is no U: curves without a turn have it too."
    if two_places(evidence):
        return _two_places(evidence, sides, of_spline(evidence, basins_words(evidence).strip()))
    if not evidence.in_middle(spline.ratio):
        end = "low" if spline.ratio < evidence.q10 else "high"
        where = (
            f"{name[0].upper()}{name[1:]} is least at {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}] by the "
            f"spline, at the {end} end of what was sampled, outside {_middle(evidence)}.{basins_words(evidence)}"
        )
        return Judgement("edge", (sides, where), of_spline(evidence))
    where = (
        f"The spline is least at {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}], within {_middle(evidence)}, "
        "but the ratios on its two sides are not both seen to be worse."
    )
    return Judgement("unidentified", (sides, where))


def _middle(evidence: Evidence) -> str:
    return f"the middle 80 % of the ratios ({evidence.q10:.4g} to {evidence.q90:.4g})"
