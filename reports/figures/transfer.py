"""The optimum against the ratio of the original, a panel a regime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from prunestats.conjectures.transfer_result import DesignOptimum, PredictedOptimum, Transfer
from prunestats.reports.figures.panels import Numbers, head, limits, log_axis
from prunestats.reports.figures.style import GREY, INK, PALE, SPLINE_LINE
from prunestats.wording import p_value, ratio_unit, share

_COLUMNS = 3
_POINTS = 60
_WIDE = 7.0
_NEW = "#0072B2"
_MARKERS = {"edge": "v", "monotone": "^", "flat": "s", "unidentified": "x"}


def plot_transfer(found: Transfer, predictions: Sequence[PredictedOptimum] = (), *, columns: int = _COLUMNS) -> Figure:
    """Optimal ratio with its interval against the ratio of the original, with line, prediction band and predictions.

    Parameters
    ----------
    found : Transfer
        Designs without an optimum are marked by their verdict.
    predictions : sequence of PredictedOptimum
        Drawn in the panel of their regime.
    columns : int
        Most panels in a row.

    Returns
    -------
    Figure
    """
    regimes = list(dict.fromkeys(one.regime for one in found.optima))
    figure, grid = _panels(len(regimes), columns)
    left, right = limits(
        np.array([*(one.design.ratio for one in found.optima), *(one.ratio for one in predictions)]), log=True
    )
    bottom, top = _heights(found)
    for regime, axes in zip(regimes, grid, strict=True):
        axes.set(xlim=(left / 1.15, right * 1.15), ylim=(bottom, top))
        _draw_line(axes, found, regime)
        for one in found.optima:
            if one.regime == regime:
                _draw_optimum(axes, one)
        for new in predictions:
            if new.regime == regime:
                _draw_prediction(axes, new)
        axes.set_xlabel("ratio of the original")
        log_axis(axes, "x")
        log_axis(axes, "y")
        if regime is not None:
            head(axes, f"{share(regime)} of the FLOPs")
    for axes in grid[::columns]:
        axes.set_ylabel(f"optimal ratio ({ratio_unit(found.meta.bucket)})")
    _legend(figure, found, bool(predictions))
    return figure


def _panels(n: int, most: int) -> tuple[Figure, list[Axes]]:
    columns = min(n, most)
    rows = -(-n // columns)
    figure = Figure(figsize=(max(2.9 * columns, 4.6), 3.0 * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in grid[n:]:
        spare.set_axis_off()
    return figure, grid[:n]


def _heights(found: Transfer) -> tuple[float, float]:
    """Limits that hold all ratios drawn and all optima: a prediction band may leave them."""
    optima = [one.optimum for one in found.optima]
    ends = [end for one in optima for end in (one.ratio_q10, one.ratio_q90)]
    ends += [end for one in optima if one.verdict == "interior" for end in (one.low, one.high)]
    bottom, top = limits(np.array(ends), log=True)
    return bottom / 1.1, top * 1.25


def _draw_optimum(axes: Axes, one: DesignOptimum) -> None:
    x, found = one.design.ratio, one.optimum
    axes.plot([x] * 2, [found.ratio_q10, found.ratio_q90], color=PALE, linewidth=7, solid_capstyle="butt", zorder=1)
    if found.verdict != "interior":
        axes.plot([x], [np.sqrt(found.ratio_q10 * found.ratio_q90)], zorder=4, **_look(found.verdict))
        return
    axes.plot([x] * 2, [found.low, found.high], color=INK, linewidth=1.4, zorder=3)
    axes.plot([x], [found.ratio], color=INK, marker="o", markersize=4.5, linestyle="", zorder=3)


def _look(verdict: str) -> dict[str, Any]:
    """The mark of a population without an optimum."""
    return {"color": GREY, "marker": _MARKERS[verdict], "markersize": 5, "fillstyle": "none", "linestyle": ""}


def _draw_line(axes: Axes, found: Transfer, regime: float | None) -> None:
    if found.meta.fit is None:
        return
    grid = np.geomspace(*axes.get_xlim(), _POINTS)
    at = [found.meta.predict(float(x), regime) for x in grid]
    value, low, high = (_clipped([getattr(one.new, end) for one in at]) for end in ("value", "low", "high"))
    axes.fill_between(grid, low, high, color=SPLINE_LINE["color"], alpha=0.13, linewidth=0, zorder=0.5)
    axes.plot(grid, value, zorder=2, **SPLINE_LINE)


def _draw_prediction(axes: Axes, one: PredictedOptimum) -> None:
    low, high = _clipped([one.new.low, one.new.high])
    axes.plot([one.ratio] * 2, [low, high], color=_NEW, linewidth=1.2, linestyle=(0, (3, 1.5)), zorder=3.5)
    axes.plot([one.ratio], [one.new.value], color=_NEW, marker="D", markersize=4.5, linestyle="", zorder=3.5)


def _clipped(values: Sequence[float]) -> Numbers:
    """Numbers that a logarithmic axis can place, however far outside."""
    return np.array(values, dtype=float).clip(1e-12, 1e12)


def _legend(figure: Figure, found: Transfer, predicted: bool) -> None:
    level = share(found.meta.level)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=INK, marker="o", markersize=4.5, linewidth=1.4, label=f"optimum, {level} interval"),
        Patch(color=PALE, label="middle 80 % of the ratios drawn"),
    ]
    if found.meta.fit is not None:
        slope = "" if found.slope is None else f": slope {found.slope}, {p_value(found.slope_p)}"
        handles += [
            Line2D([], [], label=f"line{slope}", **SPLINE_LINE),
            Patch(color=SPLINE_LINE["color"], alpha=0.13, label=f"a new original, {level}"),
        ]
    there = {one.optimum.verdict for one in found.optima}
    handles += [Line2D([], [], label=f"none: {name}", **_look(name)) for name in _MARKERS if name in there]
    if predicted:
        handles.append(Line2D([], [], color=_NEW, marker="D", markersize=4.5, linestyle="", label="predicted"))
    figure.legend(
        handles=handles, loc="outside upper left", ncols=2 if figure.get_figwidth() < _WIDE else 3, borderpad=0.1
    )
