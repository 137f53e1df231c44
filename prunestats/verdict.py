"""The rules that turn the evidence about an optimum into one verdict with its reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.argmin import SplineOptimum
from prunestats.flatness import flatness
from prunestats.lack_of_fit import LackOfFit
from prunestats.lind_mehlum import LindMehlum
from prunestats.quadratic import Quadratic
from prunestats.regression import Points, least_squares
from prunestats.two_lines import TwoLines

LEAST_SUBNETWORKS = 20
LEAST_SPREAD = 0.02
FLAT_R2 = 0.1
NAN = float("nan")


@dataclass(frozen=True)
class Evidence:
    """Everything that the verdict looks at.

    Parameters
    ----------
    response : str
    level : float
    data : Points
    n_originals : int
    ends : tuple of float
        Minimum, 10 % quantile, 90 % quantile and maximum of log ratio.
    quadratic, spline, two_lines, lind_mehlum, lack_of_fit
        The parts; None where they could not be fitted.
    flops_spread : float
        Largest over least FLOPs, less 1.
    """

    response: str
    level: float
    data: Points
    n_originals: int
    ends: tuple[float, float, float, float]
    quadratic: Quadratic | None
    spline: SplineOptimum | None
    two_lines: TwoLines | None
    lind_mehlum: LindMehlum | None
    lack_of_fit: LackOfFit | None
    flops_spread: float


@dataclass(frozen=True)
class Judgement:
    """A verdict, its reasons, and the estimate to believe."""

    verdict: str
    reasons: tuple[str, ...]
    ratio: float = NAN
    low: float = NAN
    high: float = NAN
    believed: str | None = None


@dataclass(frozen=True)
class Trend:
    """The straight line of the response in log ratio: slope and its two-sided p-value by HC3."""

    slope: float
    p: float


def judge(evidence: Evidence) -> Judgement:
    """Give the verdict on the optimum.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    Judgement

    Notes
    -----
    The rules, in their order, and the simulations behind each threshold are in docs/methods/verdict-rules.md.
    """
    refused = _too_little(evidence)
    if refused is not None:
        return Judgement("unidentified", (refused, *_cautions(evidence)))
    lines = evidence.two_lines
    if lines is not None and lines.u_shaped:
        return _with_turn(evidence, lines)
    if lines is not None and lines.inverted:
        return _inverted(evidence, lines)
    return _without_turn(evidence, lines)


def _too_little(evidence: Evidence) -> str | None:
    n, (low, q10, q90, high) = evidence.data.x.size, evidence.ends
    if n < LEAST_SUBNETWORKS:
        return f"Only {n} subnetworks: fewer than {LEAST_SUBNETWORKS} decide nothing."
    if np.expm1(q90 - q10) < LEAST_SPREAD:
        return (
            f"The ratios barely vary: the middle 80 % reach from {np.exp(q10):.4g} to {np.exp(q90):.4g}, "
            f"{100 * np.expm1(q90 - q10):.2g} % apart."
        )
    if evidence.quadratic is None or evidence.spline is None:
        distinct = np.unique(evidence.data.x).size
        return f"{n} subnetworks with {distinct} distinct ratios and {np.unique(evidence.data.y).size} distinct responses are too few to fit a curve."
    return None


def _with_turn(evidence: Evidence, lines: TwoLines) -> Judgement:
    spline, quadratic = evidence.spline, evidence.quadratic
    assert spline is not None and quadratic is not None  # noqa: S101, PT018
    ratio, low, high, believed, why = _believed(evidence)
    _, q10, q90, _ = (float(np.exp(end)) for end in evidence.ends)
    turn = (
        f"{_name(evidence)} falls by {-lines.slope_low:.3g} per unit of log ratio below {lines.breakpoint_ratio:.4g} "
        f"(p = {_p(lines.p_low)}) and rises by {lines.slope_high:.3g} above it (p = {_p(lines.p_high)}): the two-lines test finds a U."
    )
    middle = f"the middle 80 % of the ratios, {q10:.4g} to {q90:.4g}"
    if spline.in_middle >= 1 - (1 - evidence.level) and q10 <= ratio <= q90:
        where = f"The optimum is estimated at {ratio:.4g} [{low:.4g}, {high:.4g}], within {middle}."
        return Judgement("interior", (turn, where, *why, *_cautions(evidence)), ratio, low, high, believed)
    if not q10 <= ratio <= q90:
        where = f"The optimum is estimated at {ratio:.4g} [{low:.4g}, {high:.4g}], outside {middle}."
        return Judgement("edge", (turn, where, *why, *_cautions(evidence)), ratio, low, high, believed)
    where = (
        f"Where it turns is not settled: the optimum is estimated at {ratio:.4g} [{low:.4g}, {high:.4g}], and "
        f"{100 * (1 - spline.in_middle):.0f} % of the curves that fit have their minimum outside {middle}."
    )
    return Judgement("unidentified", (turn, where, *why, *_cautions(evidence)), ratio, low, high, believed)


def _believed(evidence: Evidence) -> tuple[float, float, float, str, tuple[str, ...]]:
    """Return ratio, low, high, whose they are, and why."""
    spline, quadratic = evidence.spline, evidence.quadratic
    assert spline is not None and quadratic is not None  # noqa: S101, PT018
    return spline.ratio, spline.low, spline.high, "spline", ()


def _inverted(evidence: Evidence, lines: TwoLines) -> Judgement:
    reason = (
        f"{_name(evidence)} rises by {lines.slope_low:.3g} per unit of log ratio below {lines.breakpoint_ratio:.4g} "
        f"(p = {_p(lines.p_low)}) and falls by {-lines.slope_high:.3g} above it (p = {_p(lines.p_high)}): the best ratios are at the edge."
    )
    return Judgement("edge", (reason, *_cautions(evidence)))


def _without_turn(evidence: Evidence, lines: TwoLines | None) -> Judgement:
    flat = flatness(evidence.data, level=evidence.level)
    alpha = 1 - evidence.level
    misfit = evidence.lack_of_fit.p if evidence.lack_of_fit else 1.0
    quadratic, spline = evidence.quadratic, evidence.spline
    assert spline is not None and quadratic is not None  # noqa: S101, PT018
    trend = _trend(evidence.data)
    if flat.p >= alpha and misfit >= alpha:
        if flat.r2_upper <= FLAT_R2:
            return Judgement(
                "flat",
                (f"The ratio explains at most {100 * flat.r2_upper:.1f} % of the variance.", *_cautions(evidence)),
            )
        return Judgement("unidentified", ("Nothing significant.", *_cautions(evidence)))
    straight = quadratic.curvature_p >= alpha and misfit >= alpha
    if trend.p < alpha and (straight or (lines is not None and lines.same_direction)):
        return Judgement("monotone", ("Monotone.", *_cautions(evidence)))
    _, q10, q90, _ = (float(np.exp(end)) for end in evidence.ends)
    if not q10 <= spline.ratio <= q90:
        return Judgement("edge", ("Edge.", *_cautions(evidence)), spline.ratio, spline.low, spline.high, "spline")
    return Judgement("unidentified", ("Undecided.", *_cautions(evidence)))


def _trend(data: Points) -> Trend:
    fit = least_squares(data.design(data.x - data.x.mean()), data.y)
    return Trend(float(fit.coefficients[1]), fit.p(1))


def _cautions(evidence: Evidence) -> tuple[str, ...]:
    if evidence.flops_spread <= 0.15:
        return ()
    return (
        f"FLOPs differ by {100 * evidence.flops_spread:.0f} % between these subnetworks: what looks like the ratio may be FLOPs.",
    )


def _name(evidence: Evidence) -> str:
    return {"error": "The error", "log_loss": "The log loss", "loss": "The loss"}.get(
        evidence.response, evidence.response
    )


def _p(value: float) -> str:
    return "under 0.0001" if value < 1e-4 else f"{value:.2g}"
