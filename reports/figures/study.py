"""The figures of a report. A figure draws what it is given; it computes nothing but where to put it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prunestats.reports.analysis.results import DesignAnalysis, RegimeAnalysis, StudyAnalysis
from prunestats.reports.figures.panels import (
    RESPONSE_NAMES,
    draw_edfs,
    draw_response,
    head,
    limits,
    log_axis,
    readable_ticks,
    say,
    verdict_label,
)
from prunestats.reports.figures.style import (
    GREY,
    INK,
    QUADRATIC_LINE,
    SPLINE_LINE,
    WIDTH,
    _figure,
    label,
    original_marker,
    place_legend,
    space_look,
)
from prunestats.wording import ratio_unit, share, size

RESPONSES = ("log_cross_entropy", "error")

# Letters of a bold title over one of two panels.
_PANEL_NAME = 36


def plot_populations(study: StudyAnalysis, originals: Sequence[tuple[str, float, float]] = ()) -> Figure:
    """FLOPs against parameters of every subnetwork that finished, a colour a space.

    Parameters
    ----------
    study : StudyAnalysis
    originals : sequence of (str, float, float)
        Name, FLOPs and parameters of the originals, drawn as stars.

    Returns
    -------
    Figure
    """
    figure = _figure(WIDTH, 3.5)
    axes = figure.subplots()
    drawn = [regime.subnetworks for regime in study.regimes if len(regime.subnetworks)]
    if not drawn:
        say(axes, "no finished run")
        return figure
    for subnetworks in drawn:
        for space, mine in subnetworks.groupby("space", sort=False):
            color = space_look(study.spaces, str(space))["color"]
            axes.scatter(mine["params"], mine["flops"], s=8, color=color, alpha=0.45, linewidths=0, zorder=2)
    for _, its_flops, its_params in originals:
        axes.scatter([its_params], [its_flops], s=70, marker="*", color=INK, linewidths=0, zorder=3)
    every = pd.concat(drawn)
    params = np.array([*every["params"], *(params for _, _, params in originals)], dtype=float)
    flops = np.array([*every["flops"], *(flops for _, flops, _ in originals)], dtype=float)
    axes.set(xlim=limits(params, log=True), ylim=limits(flops, log=True))
    axes.set(xlabel="parameters", ylabel="FLOPs (multiply-adds)")
    log_axis(axes, "x", size)
    log_axis(axes, "y", size)
    _iso_ratios(axes, flops / params)
    extra = [Line2D([], [], color=INK, marker="*", linestyle="", markersize=8)] if originals else []
    _legend(figure, study, [(handle, "original, not pruned") for handle in extra], dots=True)
    return figure


def plot_edfs(study: StudyAnalysis, regimes: Sequence[RegimeAnalysis] | None = None) -> Figure:
    """Distribution functions on the test split with simultaneous bands: a row a regime, a column a response."""
    shown = list(study.regimes if regimes is None else regimes)
    figure = _figure(WIDTH, 0.5 + 1.95 * len(shown))
    grid = figure.subplots(len(shown), 2, squeeze=False, sharey=True)
    for regime, row in zip(shown, grid, strict=True):
        for response, axes in zip(("error", "log_cross_entropy"), row, strict=True):
            _edf_panel(axes, study, regime, response)
            axes.set_xlabel(f"test {RESPONSE_NAMES[response]}")
        row[0].set_ylabel("share of subnetworks")
    _legend(figure, study)
    return figure


def plot_responses(study: StudyAnalysis, regimes: Sequence[RegimeAnalysis] | None = None) -> Figure:
    """Response against ratio on the validation split, initial space: a row a regime, a column a response."""
    shown = list(study.regimes if regimes is None else regimes)
    figure = _figure(WIDTH, 0.5 + 2.2 * len(shown))
    grid = figure.subplots(len(shown), len(RESPONSES), squeeze=False)
    for regime, row in zip(shown, grid, strict=True):
        for response, axes in zip(RESPONSES, row, strict=True):
            _response_panel(axes, study, regime, response)
            axes.set_ylabel(f"validation {RESPONSE_NAMES[response]}")
    for axes in grid[-1]:
        axes.set_xlabel(f"ratio ({ratio_unit(study.bucket)})")
    place_legend(figure, _response_handles(study, _names(study), shown))
    return figure


def plot_networks(study: StudyAnalysis, regime: RegimeAnalysis, designs: Sequence[DesignAnalysis]) -> Figure:
    """Response against ratio in one regime: a row a network, a column a response, a marker an original of it."""
    figure = _figure(WIDTH, 0.5 + 2.2 * len(designs))
    grid = figure.subplots(len(designs), len(RESPONSES), squeeze=False)
    units = regime.subnetworks[regime.subnetworks["space"] == study.spaces[0]]
    color = space_look(study.spaces, study.spaces[0])["color"]
    for one, row in zip(designs, grid, strict=True):
        originals = one.design.originals
        mine = units[units["original"].isin(originals)]
        for response, axes in zip(RESPONSES, row, strict=True):
            optimum = one.optima.get(response)
            draw_response(axes, mine, optimum, response, originals, color)
            head(axes, label(one.design.name, _PANEL_NAME), verdict_label(optimum))
            axes.set_ylabel(f"validation {RESPONSE_NAMES[response]}")
    for axes in grid[-1]:
        axes.set_xlabel(f"ratio ({ratio_unit(study.bucket)})")
    most = max((one.design.originals for one in designs), key=len)
    names = {original: f"original {place}" for place, original in enumerate(most, 1)} if len(most) > 1 else {}
    place_legend(figure, _response_handles(study, names, designs))
    return figure


def plot_summary(study: StudyAnalysis, columns: int = 3) -> Figure:
    """The study in one picture: distributions above, response against ratio below, a column a regime.

    Parameters
    ----------
    study : StudyAnalysis
    columns : int
        Most regimes to show; of more, evenly spread ones are shown, and the picture says so.
    """
    every = study.regimes
    places = sorted({round(place) for place in np.linspace(0, len(every) - 1, min(columns, len(every)))})
    shown = [every[place] for place in places]
    figure = _figure(max(3.0 * len(shown), 5.0), 5.2)
    grid = figure.subplots(2, len(shown), squeeze=False)
    for column, regime in enumerate(shown):
        top, bottom = grid[:, column]
        _edf_panel(top, study, regime, "error")
        _response_panel(bottom, study, regime, "log_cross_entropy", title=False)
        top.set_xlabel("test error (%)")
        bottom.set_xlabel(f"ratio ({ratio_unit(study.bucket)})")
    grid[0, 0].set_ylabel("share of subnetworks")
    grid[1, 0].set_ylabel("validation cross-entropy (nats)")
    if len(shown) < len(every):
        figure.supxlabel(f"{len(shown)} of {len(every)} regimes", x=0.995, ha="right", size=7, color=GREY)
    _legend(figure, study, _response_handles(study, _names(study), shown))
    return figure


def _edf_panel(axes: Axes, study: StudyAnalysis, regime: RegimeAnalysis, response: str) -> None:
    edfs = {space.space: found for space in regime.spaces if (found := getattr(space, response)) is not None}
    draw_edfs(axes, edfs, study.spaces, response)
    head(axes, f"{share(regime.regime)} of the FLOPs")


def _response_panel(
    axes: Axes, study: StudyAnalysis, regime: RegimeAnalysis, response: str, *, title: bool = True
) -> None:
    units = regime.subnetworks[regime.subnetworks["space"] == study.spaces[0]]
    optimum = regime.optima.get(response)
    color = space_look(study.spaces, study.spaces[0])["color"]
    draw_response(axes, units, optimum, response, study.originals, color)
    inside = sum(one.optimum is not None and one.optimum.verdict == "interior" for one in regime.designs)
    second = f"interior: {inside} of {len(regime.designs)} networks" if regime.designs else verdict_label(optimum)
    head(axes, f"{share(regime.regime)} of the FLOPs", second) if title else head(axes, "", second)


def _iso_ratios(axes: Axes, ratios: Any) -> None:
    """Lines of equal ratio, labelled where they leave the picture."""
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


def _legend(
    figure: Figure, study: StudyAnalysis, more: Sequence[tuple[Line2D, str]] = (), *, dots: bool = False
) -> None:
    looks = [space_look(study.spaces, space) for space in study.spaces]
    if dots:
        looks = [{"color": look["color"], "linestyle": "", "marker": "o", "markersize": 4} for look in looks]
    named = [(Line2D([], [], **look), label(space)) for look, space in zip(looks, study.spaces, strict=True)]
    place_legend(figure, [*named, *more])


def _names(study: StudyAnalysis) -> dict[str, str]:
    """Originals by their names, where there are several."""
    return {key: f"original {study.names[key]}" for key in study.originals if len(study.originals) > 1}


def _response_handles(
    study: StudyAnalysis, names: Mapping[str, str], drawn: Sequence[RegimeAnalysis | DesignAnalysis]
) -> list[tuple[Line2D, str]]:
    """What the panels of response against ratio hold: a marker an original, and the fits of what is drawn."""
    color = space_look(study.spaces, study.spaces[0])["color"]
    handles = []
    for original, name in names.items():
        marker = original_marker(tuple(names), original)
        dot = Line2D([], [], color=color, linestyle="", marker=marker, markersize=4, alpha=0.6)
        handles.append((dot, label(name)))
    optima = [optimum for one in drawn for optimum in one.optima.values()]
    if any(optimum.quadratic for optimum in optima):
        handles.append((Line2D([], [], **QUADRATIC_LINE), "quadratic"))
    if any(optimum.spline for optimum in optima):
        handles.append((Line2D([], [], **SPLINE_LINE), "spline"))
    return handles
