"""Which fit the reported estimate of the optimum is taken from, and its confidence set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from prunestats.optimum.fits import Fits
from prunestats.optimum.shape_words import ShapeWords
from prunestats.wording import p_words

MIN_FOR_QUADRATIC = 60
"""Fewer subnetworks give the lack-of-fit test too little power: with 20, coverage on asymmetric curves was 0.87."""
LACK_OF_FIT_LEVEL = 0.1
"""Significance level of the lack-of-fit test that rejects the quadratic; above the usual 0.05, as a false rejection
only makes the interval longer, while a misfit that goes undetected shifts it."""
AIC_MARGIN = 4.0
"""A broken stick whose AIC is less than this above that of the reported curve is still plausible, and with it an
optimum at its breakpoint; coverage on shallow V shapes was 0.92 at a margin of 2, 0.94 at 4 and at 6."""
MIN_BASIN_SHARE = 0.9
"""Share of the spline draws with their minimum in one basin from which on its ratio is reported alone; 0.95 would
refuse a single ratio on one smooth asymmetric U in seven at n = 60."""


@dataclass(frozen=True)
class ReportedEstimate:
    """The reported estimate of the optimal ratio, the fit it is taken from, and the reason.

    Parameters
    ----------
    ratio : float
        nan where the minimum may lie in either of two basins.
    pieces : tuple of (float, float)
        The confidence set: one interval, or one for each basin.
    method : {"quadratic", "spline"}
    reason : str
    """

    ratio: float
    pieces: tuple[tuple[float, float], ...]
    method: Literal["quadratic", "spline"]
    reason: str

    @property
    def low(self) -> float:
        """Lower bound of the confidence set."""
        return self.pieces[0][0]

    @property
    def high(self) -> float:
        """Upper bound of the confidence set."""
        return self.pieces[-1][1]


def select_estimate(fits: Fits, words: ShapeWords) -> ReportedEstimate:
    """Select the reported estimate: the quadratic's where no diagnostic rejects it, else the spline's.

    Parameters
    ----------
    fits : Fits
    words : ShapeWords
        For the reason.

    Returns
    -------
    ReportedEstimate

    Notes
    -----
    Where the mean response is a quadratic, Fieller's set is much shorter than the spline's interval; where it is not,
    the set misses the optimum however many subnetworks there are. The reported set is therefore the union of Fieller's
    set and the ratios at which the slope of a cubic is not significantly different from zero, which lengthens it where
    the truth is a parabola. The spline's set has one interval for each basin that holds minima of its posterior draws.
    Where a broken stick fits about as well as the reported curve, the set is extended to the confidence interval of its
    breakpoint. The coverage of the reported set is simulated in docs/methods/verdict-rules.md.
    """
    quadratic, spline = fits.quadratic, fits.spline
    objection = _objection(fits, words)
    if objection is not None:
        reason = f"{objection}: the spline is reported, not the quadratic ({_describe_vertex(fits, words)})."
        return _with_breakpoint(spline_estimate(fits, reason + describe_basins(fits, words)), fits, fits.aic_spline)
    fieller = quadratic.fieller
    reason = (
        f"The quadratic is reported: its lack of fit is not significant (p {p_words(fits.lack_of_fit_p)}), its AIC is "
        f"the lowest of quadratic, spline and broken stick, and its {words.best} lies in the interval of the spline, "
        f"{spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}]."
    )
    estimate = ReportedEstimate(quadratic.optimum_ratio, ((fieller.low, fieller.high),), "quadratic", reason)
    return _with_breakpoint(_with_cubic(estimate, fits, words), fits, fits.aic_quadratic)


def spline_estimate(fits: Fits, reason: str = "") -> ReportedEstimate:
    """Return the spline's estimate, with ratio nan where its draws have minima in two basins."""
    spline = fits.spline
    if len(spline.basins) == 1:
        return ReportedEstimate(spline.ratio, ((spline.low, spline.high),), "spline", reason)
    ratio = float("nan") if has_two_basins(fits) else spline.ratio
    return ReportedEstimate(ratio, tuple((low, high) for low, high, _ in spline.basins), "spline", reason)


def has_two_basins(fits: Fits) -> bool:
    """Whether the spline draws have minima in two basins, with fewer than `MIN_BASIN_SHARE` of them in either."""
    return max(share for _, _, share in fits.spline.basins) < MIN_BASIN_SHARE


def _with_cubic(estimate: ReportedEstimate, fits: Fits, words: ShapeWords) -> ReportedEstimate:
    """Join the interval of the cubic's minimum, as an undetected asymmetry moves the minimum from the vertex."""
    cubic = fits.cubic
    if cubic is None or (estimate.low <= cubic.low and cubic.high <= estimate.high):
        return estimate
    reason = (
        f"{estimate.reason} The lack-of-fit test may miss an asymmetric {words.u}, so the interval includes the ratios "
        f"at which the slope of a cubic is not significantly different from zero, {cubic.low:.4g} to {cubic.high:.4g}."
    )
    return replace(estimate, pieces=_merge((*estimate.pieces, (cubic.low, cubic.high))), reason=reason)


def _with_breakpoint(estimate: ReportedEstimate, fits: Fits, aic: float) -> ReportedEstimate:
    """Join the interval of the broken stick's breakpoint, where its AIC is within `AIC_MARGIN`."""
    stick = fits.corner
    if stick is None or stick.aic >= aic + AIC_MARGIN:
        return estimate
    reason = (
        f"{estimate.reason} A broken-stick regression with its breakpoint at {stick.ratio:.4g} "
        f"[{stick.low:.4g}, {stick.high:.4g}] fits about as well or better, so the interval includes the breakpoint's."
    )
    return replace(estimate, pieces=_merge((*estimate.pieces, (stick.low, stick.high))), reason=reason)


def _merge(pieces: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Merge overlapping intervals; of two, return the hull, so that one basin keeps one interval.

    Examples
    --------
    >>> _merge(((1.0, 2.0), (5.0, 6.0), (1.5, 3.0))), _merge(((1.0, 2.0), (3.0, 4.0)))
    (((1.0, 3.0), (5.0, 6.0)), ((1.0, 4.0),))
    """
    if len(pieces) == 2:
        return ((min(low for low, _ in pieces), max(high for _, high in pieces)),)
    merged: list[tuple[float, float]] = []
    for low, high in sorted(pieces):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _objection(fits: Fits, words: ShapeWords) -> str | None:
    """Return the first diagnostic that rejects the quadratic, None where none does."""
    quadratic, spline, stick = fits.quadratic, fits.spline, fits.corner
    if fits.n < MIN_FOR_QUADRATIC:
        return f"With fewer than {MIN_FOR_QUADRATIC} subnetworks the lack-of-fit test has too little power"
    if fits.lack_of_fit_p < LACK_OF_FIT_LEVEL:
        return f"The quadratic does not fit (lack of fit p {p_words(fits.lack_of_fit_p)})"
    if len(spline.basins) > 1:
        return (
            f"Spline draws have {words.several_best} in two separate {words.basins}, which a quadratic cannot represent"
        )
    interval = f"{spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}]"
    if quadratic.fieller.kind != "bounded":
        return f"Fieller's set of the quadratic is not bounded, while the spline has its {words.best} at {interval}"
    if not spline.low <= quadratic.optimum_ratio <= spline.high:
        return f"The quadratic has no {words.best} in the interval of the spline, {interval}"
    gain = fits.aic_quadratic - min(fits.aic_spline, np.inf if stick is None else stick.aic)
    if gain > 0:
        other = "the spline" if stick is None or fits.aic_spline <= stick.aic else "a broken stick"
        return f"The AIC of {other} is lower than that of the quadratic by {gain:.2g}"
    return None


def _describe_vertex(fits: Fits, words: ShapeWords) -> str:
    vertex, fieller = fits.quadratic.optimum_ratio, fits.quadratic.fieller
    minimum = f"no {words.best}" if np.isnan(vertex) else f"{words.best} at {vertex:.4g}"
    if fieller.kind == "bounded":
        return f"{minimum}, Fieller's set [{fieller.low:.4g}, {fieller.high:.4g}]"
    gap = "" if fieller.kind == "unbounded" else f" except {fieller.low:.4g} to {fieller.high:.4g}"
    return f"{minimum}, Fieller's set all ratios{gap}"


def describe_basins(fits: Fits, words: ShapeWords) -> str:
    """Return a sentence that names two basins with their shares of the spline draws; empty where there is one."""
    if len(fits.spline.basins) == 1:
        return ""
    basins = " or ".join(
        f"between {low:.4g} and {high:.4g} ({100 * share:.0f} %)" for low, high, share in fits.spline.basins
    )
    consequence = "no single ratio is reported" if has_two_basins(fits) else "the confidence set covers both"
    return f" Spline draws have their {words.best} {basins}: two separate {words.basins}, and {consequence}."
