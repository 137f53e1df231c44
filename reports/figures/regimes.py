"""The figure of the optimum against the FLOPs of the regime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunestats.conjectures.across_regimes import RegimeTrend
from prunestats.optimum.optimum import Optimum
from prunestats.reports.figures.axes import axis_limits, draw_title, set_log_axis
from prunestats.reports.figures.intervals import draw_interval, draw_middle_ratios, drawn_ratios
from prunestats.reports.figures.style import GREY, SPLINE_LINE, new_figure
from prunestats.wording import fixed, p_value, ratio_unit, share

_SIZE = (4.6, 2.9)
"""Inches: two thirds of the text's width, as one small panel needs no more."""

_NEAR = 1.3
"""Regimes closer than this factor share a tick label: on an axis of a 20-fold range a label is about this wide."""

_MOST_UPRIGHT = 6
"""With more regimes than this the verdicts, up to 12 letters long, are turned by a right angle."""


def plot_optimum_by_regime(trend: RegimeTrend) -> Figure:
    """Optimal ratio and its interval against the FLOPs fraction; a regime without an optimum shows its verdict.

    Parameters
    ----------
    trend : RegimeTrend

    Returns
    -------
    Figure
    """
    figure = new_figure(*_SIZE)
    axes = figure.subplots()
    for regime, optimum, one in zip(trend.regimes, trend.optima, trend.estimates, strict=True):
        draw_middle_ratios(axes, regime, optimum)
        if one.refusal:
            _write_verdict(axes, regime, optimum, 90 if len(trend.regimes) > _MOST_UPRIGHT else 0)
        else:
            draw_interval(axes, regime, optimum)
    _draw_line(axes, trend)
    left, right = axis_limits(np.array(trend.regimes), log=True)
    ratios = drawn_ratios(
        (optimum, not one.refusal) for optimum, one in zip(trend.optima, trend.estimates, strict=True)
    )
    bottom, top = axis_limits(np.array(ratios), log=True)
    # An eighth of the height stays free above, for the verdicts.
    axes.set(xlim=(left / 1.08, right * 1.08), ylim=(bottom, top * (top / bottom) ** 0.12))
    axes.set(xlabel="FLOPs of the regime, relative to the original", ylabel=f"ratio ({ratio_unit(trend.bucket)})")
    set_log_axis(axes, "x", share)
    set_log_axis(axes, "y")
    ticks = _readable(trend.regimes)
    axes.set_xticks(ticks, [share(tick) for tick in ticks])
    draw_title(axes, "Does the optimum depend on the regime?", _words(trend))
    return figure


def _write_verdict(axes: Axes, regime: float, optimum: Optimum, turn: int) -> None:
    look: dict[str, Any] = {"ha": "center", "va": "bottom", "color": GREY, "size": 7, "rotation": turn}
    axes.annotate(optimum.verdict, (regime, optimum.ratio_q90), xytext=(0, 2), textcoords="offset points", **look)


def _readable(regimes: Sequence[float]) -> list[float]:
    """Regimes, less those too near a larger one for a tick label of their own."""
    kept = [regimes[0]]
    for regime in regimes[1:]:
        if regime * _NEAR <= kept[-1]:
            kept.append(regime)
    return kept


def _draw_line(axes: Axes, trend: RegimeTrend) -> None:
    """The weighted least-squares line, which passes through the weighted means."""
    kept = [(regime, one) for regime, one in zip(trend.regimes, trend.estimates, strict=True) if not one.refusal]
    if trend.slope is None:
        return
    x, y, se = (np.array(part) for part in zip(*((np.log(r), one.log_ratio, one.se) for r, one in kept), strict=True))
    middle, level = (np.average(part, weights=1 / se**2) for part in (x, y))
    axes.plot(np.exp(x), np.exp(level + trend.slope.value * (x - middle)), zorder=2, **SPLINE_LINE)


def _words(trend: RegimeTrend) -> str:
    if trend.halving is None:
        return "fewer than two regimes with an optimum"
    value, low, high = (fixed(bound, 2) for bound in (trend.halving.value, trend.halving.low, trend.halving.high))
    return f"half the FLOPs: × {value} [{low}, {high}]; equality: {p_value(trend.equality_p)}"
