"""The front: error, or the study's metric, against FLOPs: dense network, uniform pruning, subnetworks to take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prunestats.metric import Metric
from prunestats.noise.best_errors import dense_value
from prunestats.noise.best_result import BestSubnetwork
from prunestats.numeric.intervals import Interval
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.figures.axes import axis_limits, draw_title, needs_log_axis, set_linear_axis, set_log_axis
from prunestats.reports.figures.style import (
    GREY,
    INK,
    WIDTH,
    label,
    panel_grid,
    place_legend,
    space_handles,
    space_look,
)
from prunestats.study_record import Original
from prunestats.wording import share

_HEIGHT = 2.7
"""Inches of a panel: a third of a page, so that the box of answers stands on the same page."""

_MOST_HEIGHT = 8.0
"""Inches of all panels together: with its caption the figure fits a page, whatever the number of networks."""

_MOST_WIDE = 4
"""Networks up to which panels are half as wide as the text; more have three in a row, to keep them from being flat."""

_LOG_SPAN = 2.5
"""FLOPs whose largest fraction is more than this many times the least get a logarithmic axis: each halving of the FLOPs
then takes the same width. A round number; no result depends on it."""

_SHOWN = 0.9
"""Quantile of the errors that the axis reaches in every regime: above it are few subnetworks, and none to take. Of a
metric of which higher values are better it is the quantile from above."""

_COSTS = {"flops": "FLOPs", "params": "parameters"}

_FOUND: dict[str, Any] = {"color": INK, "marker": "D", "markersize": 5, "markeredgecolor": "white", "zorder": 6}
_UNIFORM: dict[str, Any] = {"marker": "s", "markersize": 4.5, "markeredgecolor": "white", "zorder": 5}
_DENSE: dict[str, Any] = {"color": INK, "marker": "*", "markersize": 10, "linestyle": "", "zorder": 4}


def plot_front(study: StudyAnalysis, originals: Sequence[Original]) -> Figure:
    """Error, or the study's own metric, against FLOPs relative to the dense network, a panel per network.

    Parameters
    ----------
    study : StudyAnalysis
        With its subnetworks to take.
    originals : sequence of Original
        The dense networks.

    Returns
    -------
    Figure
    """
    networks = list(dict.fromkeys((one.network, one.dataset) for one in study.best))
    columns = min(len(networks), 2 if len(networks) <= _MOST_WIDE else 3)
    size = (WIDTH / columns, min(_HEIGHT, _MOST_HEIGHT / -(-len(networks) // columns)))
    figure, panels = panel_grid(len(networks), columns, size, least_width=WIDTH)
    for axes, network in zip(panels, networks, strict=True):
        found = [one for one in study.best if (one.network, one.dataset) == network and one.expected is not None]
        dense = [one for one in originals if (one.network, one.dataset) == network]
        _draw_panel(axes, study, found, dense)
        if len(networks) > 1:
            draw_title(axes, label(network[0]))
    place_legend(figure, _entries(study))
    return figure


def _draw_panel(axes: Axes, study: StudyAnalysis, found: Sequence[BestSubnetwork], dense: Sequence[Original]) -> None:
    split, metric = study.best[0].split, study.metric
    cost = "flops" if study.has_flops else "params"
    points = _population(study, {one.key: getattr(one, cost) for one in dense}, split, cost)
    for space in study.spaces:
        mine = points[points["space"] == space]
        color = space_look(study.spaces, space)["color"]
        axes.scatter(mine["x"], mine["y"], s=7, alpha=0.3, linewidths=0, color=color, zorder=2)
    values = [dense_value(one, split, metric) for one in dense]
    known = [metric.scale * value for value in values if value is not None]
    axes.plot([1.0] * len(known), known, **_DENSE)
    # without FLOPs there are no regimes: uniform pruning is compared at a similar number of parameters
    at = [one.params_fraction or 1.0 if one.regime is None else one.regime for one in found]
    means = {x: one.uniform_error for x, one in zip(at, found, strict=True) if one.uniform_error is not None}
    if means:
        look = _UNIFORM | {"color": space_look(study.spaces, str(found[0].uniform))["color"]}
        _draw_intervals(axes, list(means), list(means.values()), look, metric.scale)
    expected = [one.expected for one in found if one.expected is not None]
    _draw_intervals(axes, [getattr(one, f"{cost}_fraction") or 1.0 for one in found], expected, _FOUND, metric.scale)
    bounds = [metric.scale * bound for one in (*expected, *means.values()) for bound in (one.value, one.low, one.high)]
    # the worst subnetworks of a space can be as bad as guessing, and would take most of the axis
    worse = metric.sign * points["y"]
    shown = points["y"][worse <= worse.groupby(points["regime"], dropna=False).quantile(_SHOWN).max()]
    heights = np.array([*shown, *known, *bounds], dtype=float)
    _set_axes(axes, np.array([*points["x"], 1.0]), heights[np.isfinite(heights)], metric)
    axes.set(xlabel=f"{_COSTS[cost]}, relative to the dense network", ylabel=f"{split} {metric.heading}")


def _population(study: StudyAnalysis, costs: dict[str, int | None], split: str, cost: str) -> pd.DataFrame:
    """Every subnetwork of a network: its cost relative to the original's, and its metric as it is printed."""
    column = f"{'test' if split == 'test' else 'val'}_{study.metric.name}"
    every = pd.concat([regime.subnetworks.assign(regime=regime.regime) for regime in study.regimes])
    every = every[every["original"].isin(list(costs)) & every[column].notna()]
    x = (every[cost] / every["original"].map(costs)).astype(float)
    return every[["space", "regime"]].assign(x=x, y=study.metric.scale * every[column].astype(float))


def _draw_intervals(
    axes: Axes, x: Sequence[float], intervals: Sequence[Interval], look: dict[str, Any], scale: int
) -> None:
    """Estimates, joined by a thin line in the order of FLOPs, with the intervals that are known."""
    order = np.argsort(x)
    across = np.array(x)[order]
    axes.plot(across, [scale * intervals[i].value for i in order], linewidth=0.9, **look)
    for i in order:
        if math.isfinite(intervals[i].low) and math.isfinite(intervals[i].high):
            ends = [scale * intervals[i].low, scale * intervals[i].high]
            axes.plot([x[i], x[i]], ends, color=look["color"], linewidth=1.3, zorder=look["zorder"] - 1)


def _set_axes(axes: Axes, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], metric: Metric) -> None:
    wide = bool(x.max() > _LOG_SPAN * x.min())
    high = needs_log_axis(y, metric)
    axes.set(xlim=axis_limits(x, log=wide), ylim=axis_limits(y, log=high))
    for which, log in (("x", wide), ("y", high)):
        if log:
            set_log_axis(axes, "x" if which == "x" else "y", share if which == "x" else None)
        else:
            set_linear_axis(axes, "x" if which == "x" else "y")
    if not wide:
        axes.xaxis.set_major_formatter(lambda value, _: share(value))


def _entries(study: StudyAnalysis) -> list[tuple[Artist, str]]:
    entries = space_handles(study.spaces, dots=True)
    if any(one.dense_error is not None for one in study.best):
        entries.append((Line2D([], [], **_DENSE), "dense network"))
    if any(one.uniform_error is not None for one in study.best):
        name = next(one.uniform for one in study.best if one.uniform is not None)
        color = space_look(study.spaces, name)["color"] if name in study.spaces else GREY
        entries.append((Line2D([], [], linewidth=0.9, **_UNIFORM, color=color), "uniform pruning, mean"))
    return [*entries, (Line2D([], [], linewidth=0.9, **_FOUND), "to take")]
