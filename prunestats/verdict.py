"""The rules that turn the evidence about an optimum into one verdict with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from prunestats.evidence import Evidence
from prunestats.regression import Points
from prunestats.two_lines import TwoLines

Verdict = Literal["interior", "edge", "monotone", "flat", "unidentified"]

LEAST_SUBNETWORKS = 20
"""Fewer subnetworks than this decide nothing."""
LEAST_SPREAD = 0.02
"""Ratios whose middle 80 % span less than this, relatively, barely vary."""
FLAT_R2 = 0.1
"""A ratio that explains less of the variance than this hardly matters."""
TRUSTED = 60
"""With fewer subnetworks than this the quadratic is not believed: its lack of fit would go unseen."""
MISFIT = 0.1
"""A p-value of the lack of fit below this speaks against the quadratic."""
IN_MIDDLE = 0.9
"""Share of the curves that fit whose minimum must be among the middle 80 % of the ratios."""


@dataclass(frozen=True)
class Judgement:
    """A verdict, its reasons, and the estimate to believe: nan and None where there is none."""

    verdict: Verdict
    reasons: tuple[str, ...]
    ratio: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    believed: Literal["quadratic", "spline"] | None = None


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
    >>> from prunestats.regression import points
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
    if evidence.flatness.p >= 1 - evidence.level and evidence.misfit_p >= 1 - evidence.level:
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
    believed, why = _believed(evidence)
    turn = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {name} falls (slope {lines.slope_low:.3g} per unit of log "
        f"ratio, p {_p(lines.p_low)}) and above it rises (slope {lines.slope_high:.3g}, p {_p(lines.p_high)}): "
        "the two-lines test finds a U."
    )
    ratio, low, high = _estimate(evidence, believed)
    place = f"The optimum is estimated at {ratio:.4g} [{low:.4g}, {high:.4g}]"
    share = evidence.spline.in_middle
    if not evidence.in_middle(ratio):
        where = f"{place}, outside {_middle(evidence)}."
        return Judgement("edge", (turn, where, why), ratio, low, high, believed)
    if share >= IN_MIDDLE:
        where = f"{place}, within {_middle(evidence)}."
        return Judgement("interior", (turn, where, why), ratio, low, high, believed)
    where = (
        f"Where it turns is not settled: {100 * (1 - share):.0f} % of the curves that fit have their minimum outside "
        f"{_middle(evidence)}; {100 * (1 - IN_MIDDLE):.0f} % would be let pass."
    )
    return Judgement("unidentified", (turn, where))


def _believed(evidence: Evidence) -> tuple[Literal["quadratic", "spline"], str]:
    """Believe the quadratic only where nothing speaks against it."""
    quadratic, spline = evidence.quadratic, evidence.spline
    vertex, fieller = quadratic.optimum_ratio, quadratic.fieller
    if evidence.n < TRUSTED:
        return "spline", (
            f"With fewer than {TRUSTED} subnetworks a lack of fit of the quadratic goes unseen, so the spline's estimate "
            f"is believed, not the quadratic's {vertex:.4g}." + _corner(evidence)
        )
    if evidence.misfit_p < MISFIT:
        return "spline", (
            f"The quadratic does not fit (lack of fit p {_p(evidence.misfit_p)}), so the spline's estimate is "
            f"believed, not the quadratic's {vertex:.4g}." + _corner(evidence)
        )
    agree = fieller.kind == "bounded" and spline.low <= vertex <= spline.high and spline.ratio in fieller
    if not agree:
        return "spline", (
            f"The quadratic's estimate ({vertex:.4g}, {_set(evidence)}) disagrees with the spline's, which is believed."
            + _corner(evidence)
        )
    return "quadratic", (
        f"The quadratic fits (lack of fit p {_p(evidence.misfit_p)}) and agrees with the spline's {spline.ratio:.4g} "
        f"[{spline.low:.4g}, {spline.high:.4g}]."
    )


def _estimate(evidence: Evidence, believed: str) -> tuple[float, float, float]:
    if believed == "quadratic":
        fieller = evidence.quadratic.fieller
        return evidence.quadratic.optimum_ratio, fieller.low, fieller.high
    spline, corner = evidence.spline, evidence.corner
    if corner is None or corner.aic_gain <= 0:
        return spline.ratio, spline.low, spline.high
    return spline.ratio, min(spline.low, corner.low), max(spline.high, corner.high)


def _hill(evidence: Evidence, lines: TwoLines, name: str) -> Judgement:
    spline = evidence.spline
    reason = (
        f"Below a ratio of {lines.breakpoint_ratio:.4g} {name} rises (slope {lines.slope_low:.3g} per unit of log "
        f"ratio, p {_p(lines.p_low)}) and above it falls (slope {lines.slope_high:.3g}, p {_p(lines.p_high)}): "
        "there is a worst ratio, not a best one, and the best ratios lie at the edges of what was sampled."
    )
    return Judgement("edge", (reason,), spline.ratio, spline.low, spline.high, "spline")


def _nothing_seen(evidence: Evidence, name: str) -> Judgement:
    flat = evidence.flatness
    nothing = f"Neither a slope nor a curvature of {name} is seen (p {_p(flat.p)})"
    bound = (
        f"with {100 * flat.level:g} % confidence the ratio explains at most {100 * flat.r2_upper:.1f} % of its variance"
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
    trend = f"With the ratio {name} {way} (slope {slope:.3g} per unit of log ratio, p {_p(p)})"
    if p < alpha and lines is not None and lines.same_direction and lines.slope_low * slope > 0:
        return Judgement(
            "monotone",
            (
                f"{trend}, and does so on both sides of {lines.breakpoint_ratio:.4g} (slopes {lines.slope_low:.3g} and "
                f"{lines.slope_high:.3g}, p {_p(lines.p_low)} and {_p(lines.p_high)}).",
            ),
        )
    if p < alpha and evidence.quadratic.curvature_p >= alpha and evidence.misfit_p >= alpha:
        return Judgement(
            "monotone",
            (
                f"{trend}, and no curvature is seen (p {_p(evidence.quadratic.curvature_p)}; higher terms "
                f"p {_p(evidence.misfit_p)}).",
            ),
        )
    return _curved(evidence, lines, name)


def _curved(evidence: Evidence, lines: TwoLines | None, name: str) -> Judgement:
    """A curve without a turn that the data show: an edge when its minimum is there, else open."""
    spline = evidence.spline
    sides = "The points leave no room for the two-lines test."
    if lines is not None:
        sides = (
            f"The two-lines test finds no U: {name} has slope {lines.slope_low:.3g} (p {_p(lines.p_low)}) below "
            f"{lines.breakpoint_ratio:.4g} and {lines.slope_high:.3g} (p {_p(lines.p_high)}) above."
        )
    curvature = evidence.quadratic.curvature_p
    if curvature < 1 - evidence.level:
        sides += (
            f" The quadratic's curvature is significant (p {_p(curvature)}), which a curve without a turn has as well."
        )
    if not evidence.in_middle(spline.ratio):
        end = "low" if spline.ratio < evidence.q10 else "high"
        where = (
            f"{name[0].upper()}{name[1:]} is least at {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}] by the "
            f"spline, at the {end} end of what was sampled, outside {_middle(evidence)}."
        )
        return Judgement("edge", (sides, where), spline.ratio, spline.low, spline.high, "spline")
    where = (
        f"The spline is least at {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}], within {_middle(evidence)}, "
        "but only one side of that is seen to be worse."
    )
    return Judgement("unidentified", (sides, where))


def _middle(evidence: Evidence) -> str:
    return f"the middle 80 % of the ratios ({evidence.q10:.4g} to {evidence.q90:.4g})"


def _corner(evidence: Evidence) -> str:
    corner = evidence.corner
    if corner is None or corner.aic_gain <= 0:
        return ""
    return (
        f" Two lines with a corner at {corner.ratio:.4g} [{corner.low:.4g}, {corner.high:.4g}] describe the points "
        "better than the smooth curve, so the interval covers both."
    )


def _set(evidence: Evidence) -> str:
    fieller = evidence.quadratic.fieller
    if fieller.kind == "bounded":
        return f"Fieller's set [{fieller.low:.4g}, {fieller.high:.4g}]"
    return "Fieller's set everything" + (
        "" if fieller.kind == "unbounded" else f" but {fieller.low:.4g} to {fieller.high:.4g}"
    )


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"
