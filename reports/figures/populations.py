"""The populations of a study: FLOPs against parameters of its subnetworks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.figures.axes import Numbers, axis_limits, draw_message, readable_ticks, set_log_axis
from prunestats.reports.figures.style import GREY, INK, WIDTH, new_figure, place_legend, space_handles, space_look
from prunestats.wording import size


def plot_populations(study: StudyAnalysis, originals: Sequence[tuple[str, float, float]] = ()) -> Figure:
    """FLOPs against parameters of every subnetwork with a finished run, one colour per space.

    Parameters
    ----------
    study : StudyAnalysis
    originals : sequence of (str, float, float)
        Name, FLOPs and parameters of the originals, drawn as stars.

    Returns
    -------
    Figure
    """
    figure = new_figure(WIDTH, 3.5)
    axes = figure.subplots()
    drawn = [regime.subnetworks for regime in study.regimes if len(regime.subnetworks)]
    if not drawn:
        draw_message(axes, "no finished run")
        return figure
    every = pd.concat(drawn)
    _draw_populations(axes, every, study.spaces)
    for _, its_flops, its_params in originals:
        axes.scatter([its_params], [its_flops], s=70, marker="*", color=INK, linewidths=0, zorder=3)
    params = np.array([*every["params"], *(params for _, _, params in originals)], dtype=float)
    flops = np.array([*every["flops"], *(flops for _, flops, _ in originals)], dtype=float)
    axes.set(xlim=axis_limits(params, log=True), ylim=axis_limits(flops, log=True))
    axes.set(xlabel="parameters", ylabel="FLOPs (multiply-adds)")
    set_log_axis(axes, "x", size)
    set_log_axis(axes, "y", size)
    _draw_equal_ratios(axes, flops / params)
    star = Line2D([], [], color=INK, marker="*", linestyle="", markersize=8)
    entries = space_handles(study.spaces, dots=True)
    place_legend(figure, [*entries, (star, "original, not pruned")] if originals else entries)
    return figure


def _draw_populations(axes: Axes, subnetworks: pd.DataFrame, spaces: Sequence[str]) -> None:
    import seaborn as sns

    palette = {space: space_look(spaces, space)["color"] for space in spaces}
    sns.scatterplot(
        subnetworks, x="params", y="flops", hue="space", hue_order=list(spaces), palette=palette,
        s=8, alpha=0.45, linewidth=0, zorder=2, legend=False, ax=axes,
    )  # fmt: skip


def _draw_equal_ratios(axes: Axes, ratios: Numbers) -> None:
    """Lines of equal ratio, labelled where they leave the panel."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for ratio in readable_ticks(float(ratios.min()), float(ratios.max())):
        axes.plot([left, right], [left * ratio, right * ratio], color=GREY, linewidth=0.6, linestyle=":", zorder=1)
        at_top = right * ratio > top
        spot = (top / ratio, top) if at_top else (right, right * ratio)
        if left <= spot[0] <= right and bottom <= spot[1] <= top:
            ha, va, shift = ("center", "bottom", (0, 2)) if at_top else ("left", "center", (3, 0))
            axes.annotate(
                f"{ratio:g}", spot, xytext=shift, textcoords="offset points", size=7, color=GREY, ha=ha, va=va
            )
