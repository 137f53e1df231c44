"""Optima with their intervals: the marks that the figures across regimes and across networks share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from prunestats.optimum.optimum import Optimum
from prunestats.reports.figures.style import INK, PALE
from prunestats.reports.text.blocks import MIDDLE_RATIOS
from prunestats.wording import share

_DOT: dict[str, Any] = {"color": INK, "marker": "o", "markersize": 4.5}
_BAR: dict[str, Any] = {"color": INK, "linewidth": 1.4}

_RANGE_WIDTH = 8
"""Points: wider than the marks that stand before it."""


def draw_middle_ratios(axes: Axes, x: float, optimum: Optimum) -> None:
    """A pale bar over the middle 80 % of the sampled ratios, where an optimum counts as interior."""
    bounds = [optimum.ratio_q10, optimum.ratio_q90]
    axes.plot([x] * 2, bounds, color=PALE, linewidth=_RANGE_WIDTH, solid_capstyle="butt", zorder=1)


def draw_interval(axes: Axes, x: float, optimum: Optimum) -> None:
    """An optimal ratio as a dot with its confidence interval as a line."""
    axes.plot([x] * 2, [optimum.low, optimum.high], zorder=3, **_BAR)
    axes.plot([x], [optimum.ratio], linestyle="", zorder=3, **_DOT)


def drawn_ratios(optima: Iterable[tuple[Optimum, bool]]) -> list[float]:
    """Bounds of all bars, and of the interval of each optimum that is drawn with one: what an axis must hold."""
    found = []
    for optimum, with_interval in optima:
        found += [optimum.ratio_q10, optimum.ratio_q90]
        found += [optimum.low, optimum.high] if with_interval else []
    return found


def interval_handles(level: float) -> list[tuple[Artist, str]]:
    """Legend entries of the two marks."""
    return [
        (Line2D([], [], **(_DOT | _BAR)), f"optimum, {share(level)} confidence interval"),
        (Patch(color=PALE), MIDDLE_RATIOS),
    ]
