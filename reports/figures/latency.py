"""The front of the metric against latency, beside that against FLOPs, and how well FLOPs predict latency."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prunestats.errors import InputError
from prunestats.metric import Metric, lower_is_better, metric_of
from prunestats.numeric.correlation import correlation
from prunestats.numeric.pareto import pareto_front
from prunestats.reports.figures.axes import (
    Numbers,
    axis_label,
    axis_limits,
    axis_values,
    draw_title,
    needs_log_axis,
    set_linear_axis,
    set_log_axis,
)
from prunestats.reports.figures.style import INK, label, panel_grid, place_legend, space_handles, space_look
from prunestats.wording import fixed, size

_SIZE = (3.0, 2.7)
"""Inches of a panel: three in a row fill the width of a landscape page."""

_LINE = 48
"""Characters of a line below a panel: of the label's size, that many fit its width."""

_SUBNETWORK = ["network", "original", "subnetwork"]
_HEADINGS = {"flops": "FLOPs (multiply-adds)", "latency_ms": "latency (ms)"}
_FRONT: dict[str, Any] = {
    **{"color": INK, "marker": "D", "markersize": 4, "markeredgecolor": "white"},
    **{"linewidth": 0.9, "zorder": 5},
}


def plot_latency_front(runs: pd.DataFrame, setting: str = "") -> Figure:
    """Front of the validation metric against FLOPs and against latency, and FLOPs against latency, a row per network.

    Parameters
    ----------
    runs : pandas.DataFrame
        Finished runs on the split that selects (validation): network, original, subnetwork, space, flops, the metric,
        and latency_ms where latencies of one setting are stored.
    setting : str
        This setting in words, below the axes of latency.

    Returns
    -------
    Figure
        Panels of latency only where latencies are there. A point is a subnetwork, with the mean of its seeds.

    Raises
    ------
    InputError
        If subnetworks have neither FLOPs nor latencies.
    """
    metric = metric_of(runs)
    costs = [cost for cost in _HEADINGS if cost in runs and bool(runs[cost].notna().any())]
    if not costs:
        raise InputError("--plot needs FLOPs or latencies of subnetworks; found neither: leave it out")
    units = runs.groupby([*_SUBNETWORK, "space"], as_index=False)[[metric.name, *costs]].mean()
    spaces, networks = list(dict.fromkeys(runs["space"])), list(dict.fromkeys(units["network"]))
    both = len(costs) == len(_HEADINGS)
    in_a_row = len(costs) + both
    figure, panels = panel_grid(in_a_row * len(networks), in_a_row, _SIZE, least_width=2 * _SIZE[0])
    for row, network in enumerate(networks):
        mine, row_panels = units[units["network"] == network], panels[row * in_a_row : (row + 1) * in_a_row]
        for axes, cost in zip(row_panels, costs, strict=False):
            _draw_front(axes, mine, spaces, cost, metric)
            draw_title(axes, label(network))
            if cost == "latency_ms":
                axes.set_xlabel("\n".join([_HEADINGS[cost], *wrap(label(setting, 3 * _LINE), _LINE)]))
        if both:
            _draw_association(row_panels[-1], mine, spaces)
    place_legend(figure, [*space_handles(spaces, dots=True), (Line2D([], [], **_FRONT), "front")])
    return figure


def _draw_front(axes: Axes, units: pd.DataFrame, spaces: list[str], cost: str, metric: Metric) -> None:
    known = units[units[cost].notna() & units[metric.name].notna()].sort_values(cost)
    if known.empty:
        return
    y = axis_values(known[metric.name].to_numpy(dtype=float), metric)
    _draw_points(axes, known, spaces, cost, y)
    worse = lower_is_better(known, metric)[metric.name]
    front = pareto_front(known[cost], worse)
    axes.plot(known[cost].to_numpy()[front], y[front], **_FRONT)
    high = needs_log_axis(y, metric)
    axes.set(xlabel=_HEADINGS[cost], ylabel=f"validation {axis_label(metric)}", ylim=axis_limits(y, log=high))
    _set_cost_axis(axes, cost)
    (set_log_axis if high else set_linear_axis)(axes, "y")


def _draw_association(axes: Axes, units: pd.DataFrame, spaces: list[str]) -> None:
    known = units[units["flops"].notna() & units["latency_ms"].notna()]
    _draw_points(axes, known, spaces, "flops", known["latency_ms"].to_numpy(dtype=float))
    measured = known.drop_duplicates(_SUBNETWORK)
    rank = correlation(measured["flops"], measured["latency_ms"], method="spearman")
    interval = f", 95 % interval {fixed(rank.low, 2)} to {fixed(rank.high, 2)}" if np.isfinite(rank.low) else ""
    found = f"Spearman's correlation {fixed(rank.value, 2)}" if np.isfinite(rank.value) else "too few for a correlation"
    draw_title(axes, found, f"of {len(measured):,} subnetworks{interval}")
    axes.set(xlabel=_HEADINGS["flops"], ylabel=_HEADINGS["latency_ms"])
    _set_cost_axis(axes, "flops")
    set_linear_axis(axes, "y")


def _set_cost_axis(axes: Axes, cost: str) -> None:
    set_linear_axis(axes, "x")
    if cost == "flops":
        axes.xaxis.set_major_formatter(lambda value, _: size(value))


def _draw_points(axes: Axes, units: pd.DataFrame, spaces: list[str], cost: str, y: Numbers) -> None:
    for space in spaces:
        mine = (units["space"] == space).to_numpy()
        color = space_look(spaces, space)["color"]
        axes.scatter(units[cost].to_numpy()[mine], y[mine], s=9, alpha=0.5, linewidths=0, color=color, zorder=2)
