"""The figure of the optimum against the ratio of the original, one panel per regime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from prunestats.conjectures.transfer_result import DesignOptimum, PredictedOptimum, Transfer
from prunestats.reports.figures.axes import Numbers, axis_limits, draw_title, regime_title, set_log_axis
from prunestats.reports.figures.intervals import draw_interval, draw_middle_ratios, drawn_ratios, interval_handles
from prunestats.reports.figures.style import BAND_ALPHA, GREY, SPLINE_LINE, panel_grid, place_legend
from prunestats.wording import p_value, ratio_unit, share

_COLUMNS = 3
"""Panels in a row: with four, the tick labels of a log axis run into each other."""

_POINTS = 60
"""Per curve: the band bends gently, and panels are 3 inches wide."""

_PREDICTED = "#0072B2"
_MARKERS = {"edge": "v", "monotone": "^", "flat": "s", "unidentified": "x"}


def plot_transfer(found: Transfer, predictions: Sequence[PredictedOptimum] = (), *, columns: int = _COLUMNS) -> Figure:
    """Optimal ratio with its interval against the ratio of the original, with line, prediction band and predictions.

    Parameters
    ----------
    found : Transfer
        Networks without an optimum are marked by their verdict.
    predictions : sequence of PredictedOptimum
        Drawn in the panel of their regime.
    columns : int
        Most panels in a row.

    Returns
    -------
    Figure
    """
    regimes = list(dict.fromkeys(one.regime for one in found.optima))
    figure, panels = panel_grid(len(regimes), columns, (2.9, 3.1), least_width=5.8)
    left, right = axis_limits(
        np.array([*(one.design.ratio for one in found.optima), *(one.ratio for one in predictions)]), log=True
    )
    bottom, top = _heights(found)
    for regime, axes in zip(regimes, panels, strict=True):
        # Bars stand apart from the frame.
        axes.set(xlim=(left / 1.15, right * 1.15), ylim=(bottom, top))
        _draw_line(axes, found, regime)
        for one in found.optima:
            if one.regime == regime:
                _draw_optimum(axes, one)
        for new in predictions:
            if new.regime == regime:
                _draw_prediction(axes, new)
        axes.set_xlabel("ratio of the original")
        set_log_axis(axes, "x")
        set_log_axis(axes, "y")
        if regime is not None:
            draw_title(axes, regime_title(regime))
    for axes in panels[::columns]:
        axes.set_ylabel(f"optimal ratio ({ratio_unit(found.meta.bucket)})")
    place_legend(figure, _legend_entries(found, bool(predictions)))
    return figure


def _heights(found: Transfer) -> tuple[float, float]:
    """Limits that hold all bars and all intervals of optima; a prediction band may leave them."""
    ratios = drawn_ratios((one.optimum, one.optimum.verdict == "interior") for one in found.optima)
    bottom, top = axis_limits(np.array(ratios), log=True)
    return bottom / 1.1, top * 1.25


def _draw_optimum(axes: Axes, one: DesignOptimum) -> None:
    x, found = one.design.ratio, one.optimum
    draw_middle_ratios(axes, x, found)
    if found.verdict == "interior":
        draw_interval(axes, x, found)
    else:
        axes.plot([x], [np.sqrt(found.ratio_q10 * found.ratio_q90)], zorder=4, **_verdict_mark(found.verdict))


def _verdict_mark(verdict: str) -> dict[str, Any]:
    """The mark of a network without an interior optimum."""
    return {"color": GREY, "marker": _MARKERS[verdict], "markersize": 5, "fillstyle": "none", "linestyle": ""}


def _draw_line(axes: Axes, found: Transfer, regime: float | None) -> None:
    if found.meta.fit is None:
        return
    grid = np.geomspace(*axes.get_xlim(), _POINTS)
    at = [found.meta.predict(float(x), regime) for x in grid]
    value, low, high = (_clipped([getattr(one.new, name) for one in at]) for name in ("value", "low", "high"))
    axes.fill_between(grid, low, high, color=SPLINE_LINE["color"], alpha=BAND_ALPHA, linewidth=0, zorder=0.5)
    axes.plot(grid, value, zorder=2, **SPLINE_LINE)


def _draw_prediction(axes: Axes, one: PredictedOptimum) -> None:
    low, high = _clipped([one.new.low, one.new.high])
    axes.plot([one.ratio] * 2, [low, high], color=_PREDICTED, linewidth=1.2, linestyle=(0, (3, 1.5)), zorder=3.5)
    axes.plot([one.ratio], [one.new.value], color=_PREDICTED, marker="D", markersize=4.5, linestyle="", zorder=3.5)


def _clipped(values: Sequence[float]) -> Numbers:
    """Numbers that a logarithmic axis can place, with bounds far beyond any ratio: an interval may be unbounded."""
    return np.array(values, dtype=float).clip(1e-12, 1e12)


def _legend_entries(found: Transfer, predicted: bool) -> list[tuple[Artist, str]]:
    entries = interval_handles(found.meta.level)
    if found.meta.fit is not None:
        slope = "" if found.slope is None else f": slope {found.slope}, {p_value(found.slope_p)}"
        band = Patch(color=SPLINE_LINE["color"], alpha=BAND_ALPHA)
        entries += [
            (Line2D([], [], **SPLINE_LINE), f"regression{slope}"),
            (band, f"{share(found.meta.level)} prediction interval"),
        ]
    present = {one.optimum.verdict for one in found.optima}
    entries += [(Line2D([], [], **_verdict_mark(name)), f"no optimum: {name}") for name in _MARKERS if name in present]
    if predicted:
        entries.append((Line2D([], [], color=_PREDICTED, marker="D", markersize=4.5, linestyle=""), "predicted"))
    return entries
