"""The optimum against the FLOPs of the regime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from prunestats.conjectures.across_regimes import RegimeTrend
from prunestats.optimum.optimum import Optimum
from prunestats.reports.figures.panels import head, limits, log_axis
from prunestats.reports.figures.style import GREY, INK, PALE, SPLINE_LINE
from prunestats.wording import fixed, p_value, ratio_unit, share

_SIZE = (4.6, 2.9)
_NEAR = 1.3
_MANY = 6


def plot_optimum_by_regime(trend: RegimeTrend) -> Figure:
    """Optimal ratio and its interval at each FLOPs fraction; regimes without one are marked by their verdict.

    Parameters
    ----------
    trend : RegimeTrend

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    regimes = np.array(trend.regimes)
    ratios = np.array([end for optimum in trend.optima for end in (optimum.ratio_q10, optimum.ratio_q90)])
    for regime, optimum, one in zip(trend.regimes, trend.optima, trend.estimates, strict=True):
        axes.plot(
            [regime] * 2,
            [optimum.ratio_q10, optimum.ratio_q90],
            color=PALE,
            linewidth=9,
            solid_capstyle="butt",
            zorder=1,
        )
        if one.refusal:
            _name(axes, regime, optimum, 90 if len(regimes) > _MANY else 0)
            continue
        ratios = np.append(ratios, [optimum.low, optimum.high])
        axes.plot([regime] * 2, [optimum.low, optimum.high], color=INK, linewidth=1.4, zorder=3)
        axes.plot([regime], [optimum.ratio], color=INK, marker="o", markersize=4.5, linestyle="", zorder=3)
    _draw_line(axes, trend)
    left, right = limits(regimes, log=True)
    bottom, top = limits(ratios, log=True)
    axes.set(xlim=(left / 1.08, right * 1.08), ylim=(bottom, top * (top / bottom) ** 0.12))
    axes.set(xlabel="FLOPs of the regime, of the original's", ylabel=f"ratio ({ratio_unit(trend.bucket)})")
    log_axis(axes, "x", share)
    log_axis(axes, "y")
    ticks = _apart(trend.regimes)
    axes.set_xticks(ticks, [share(tick) for tick in ticks])
    head(axes, "Does the optimum move with the regime?", _words(trend))
    return figure


def _name(axes: Axes, regime: float, optimum: Optimum, turn: int) -> None:
    look: dict[str, Any] = {"ha": "center", "va": "bottom", "color": GREY, "size": 7, "rotation": turn}
    axes.annotate(optimum.verdict, (regime, optimum.ratio_q90), xytext=(0, 2), textcoords="offset points", **look)


def _apart(regimes: Sequence[float]) -> list[float]:
    """Regimes, less those too near a larger one for a label of their own."""
    kept = [regimes[0]]
    for regime in regimes[1:]:
        if regime * _NEAR <= kept[-1]:
            kept.append(regime)
    return kept


def _draw_line(axes: Axes, trend: RegimeTrend) -> None:
    kept = [(regime, one) for regime, one in zip(trend.regimes, trend.estimates, strict=True) if not one.refusal]
    if trend.slope is None:
        return
    x, y, se = (np.array(part) for part in zip(*((np.log(r), one.log_ratio, one.se) for r, one in kept), strict=True))
    middle, level = (np.average(part, weights=1 / se**2) for part in (x, y))
    axes.plot(np.exp(x), np.exp(level + trend.slope.value * (x - middle)), zorder=2, **SPLINE_LINE)


def _words(trend: RegimeTrend) -> str:
    if trend.halving is None:
        return "too few regimes with an optimum to say"
    value, low, high = (fixed(end, 2) for end in (trend.halving.value, trend.halving.low, trend.halving.high))
    return f"half the FLOPs: × {value} [{low}, {high}]; the same in all: {p_value(trend.equality_p)}"
