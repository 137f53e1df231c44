"""Distributions and responses of a study: which results go into which panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prunestats.metric import ERROR, Metric
from prunestats.reports.analysis.results import DesignAnalysis, RegimeAnalysis, StudyAnalysis
from prunestats.reports.figures.axes import (
    axis_label,
    draw_message,
    draw_title,
    regime_title,
)
from prunestats.reports.figures.panels import draw_edfs, draw_response, verdict_label
from prunestats.reports.figures.style import (
    GREY,
    QUADRATIC_LINE,
    SPLINE_LINE,
    WIDTH,
    label,
    new_figure,
    original_markers,
    place_legend,
    space_handles,
    space_look,
)
from prunestats.wording import ratio_unit

_TITLE_LENGTH = 36
"""Letters of a bold title that fit over a panel of half the width."""

_LEGEND_HEIGHT = 0.5
"""Inches for the legend above the panels."""


def plot_edfs(study: StudyAnalysis, regimes: Sequence[RegimeAnalysis] | None = None) -> Figure:
    """Empirical distribution functions on the test split with simultaneous bands.

    Parameters
    ----------
    study : StudyAnalysis
    regimes : sequence of RegimeAnalysis, optional
        One row each, one column per response; by default all.

    Returns
    -------
    Figure
    """
    shown = list(study.regimes if regimes is None else regimes)
    # the response that is reported comes first, that of the verdict after it
    responses = study.responses[::-1]
    figure = new_figure(WIDTH, _LEGEND_HEIGHT + 1.95 * len(shown))
    grid = figure.subplots(len(shown), len(responses), squeeze=False, sharey=True)
    for regime, row in zip(shown, grid, strict=True):
        for response, axes in zip(responses, row, strict=True):
            _edf_panel(axes, study, regime, response)
            axes.set_xlabel(f"test {axis_label(_drawn(study, response))}")
        row[0].set_ylabel("share of subnetworks")
    place_legend(figure, space_handles(study.spaces))
    return figure


def plot_responses(study: StudyAnalysis, regimes: Sequence[RegimeAnalysis] | None = None) -> Figure:
    """Response against ratio on the validation split, subnetworks of the initial space.

    Parameters
    ----------
    study : StudyAnalysis
    regimes : sequence of RegimeAnalysis, optional
        One row each, one column per response; by default all.

    Returns
    -------
    Figure
    """
    shown = list(study.regimes if regimes is None else regimes)
    figure, grid = _response_grid(study, len(shown))
    for regime, row in zip(shown, grid, strict=True):
        for response, axes in zip(study.responses, row, strict=True):
            _response_panel(axes, study, regime, response)
    place_legend(figure, _response_handles(study, _names(study), shown))
    return figure


def plot_networks(study: StudyAnalysis, regime: RegimeAnalysis, designs: Sequence[DesignAnalysis]) -> Figure:
    """Response against ratio in one regime, network by network.

    Parameters
    ----------
    study : StudyAnalysis
    regime : RegimeAnalysis
    designs : sequence of DesignAnalysis
        One row each, one column per response, one marker per original.

    Returns
    -------
    Figure
    """
    figure, grid = _response_grid(study, len(designs))
    units = regime.subnetworks[regime.subnetworks["space"] == study.spaces[0]]
    color = space_look(study.spaces, study.spaces[0])["color"]
    for one, row in zip(designs, grid, strict=True):
        originals = one.design.originals
        mine = units[units["original"].isin(originals)]
        for response, axes in zip(study.responses, row, strict=True):
            optimum = one.optima.get(response)
            draw_response(axes, mine, optimum, _drawn(study, response), originals, color)
            draw_title(axes, label(one.design.name, _TITLE_LENGTH), verdict_label(optimum))
    most = max((one.design.originals for one in designs), key=len)
    names = {original: f"original {position}" for position, original in enumerate(most, 1)} if len(most) > 1 else {}
    place_legend(figure, _response_handles(study, names, designs))
    return figure


def plot_summary(study: StudyAnalysis, columns: int = 3) -> Figure:
    """The study in one figure: distributions above, response against ratio below, one column per regime.

    Parameters
    ----------
    study : StudyAnalysis
    columns : int
        Most regimes to show; of more, evenly spread ones are shown, and the figure says so.

    Returns
    -------
    Figure
    """
    every = study.regimes
    positions = sorted({round(one) for one in np.linspace(0, len(every) - 1, min(columns, len(every)))})
    shown = [every[position] for position in positions]
    figure = new_figure(max(3.0 * len(shown), 5.0), 5.2)
    grid = figure.subplots(2, len(shown), squeeze=False)
    for column, regime in enumerate(shown):
        top, bottom = grid[:, column]
        _edf_panel(top, study, regime, study.metric.name)
        _response_panel(bottom, study, regime, study.responses[0], title=False)
        top.set_xlabel(f"test {axis_label(_drawn(study, study.metric.name))}")
        bottom.set_xlabel(f"ratio ({ratio_unit(study.bucket)})")
    grid[0, 0].set_ylabel("share of subnetworks")
    grid[1, 0].set_ylabel(f"validation {axis_label(_drawn(study, study.responses[0]))}")
    if len(shown) < len(every):
        figure.supxlabel(f"{len(shown)} of {len(every)} regimes", x=0.995, ha="right", size=7, color=GREY)
    place_legend(figure, [*space_handles(study.spaces), *_response_handles(study, _names(study), shown)])
    return figure


def _edf_panel(axes: Axes, study: StudyAnalysis, regime: RegimeAnalysis, response: str) -> None:
    which = "error" if response == study.metric.name else response
    edfs = {space.space: found for space in regime.spaces if (found := getattr(space, which)) is not None}
    draw_edfs(axes, edfs, study.spaces, _drawn(study, response))
    draw_title(axes, regime_title(regime.regime))


def _response_grid(study: StudyAnalysis, rows: int) -> tuple[Figure, list[list[Axes]]]:
    """Panels with the names of their axes: one column per response."""
    figure = new_figure(WIDTH, _LEGEND_HEIGHT + 2.2 * rows)
    grid = figure.subplots(rows, len(study.responses), squeeze=False)
    for row in grid:
        for response, axes in zip(study.responses, row, strict=True):
            axes.set_ylabel(f"validation {axis_label(_drawn(study, response))}")
    for axes in grid[-1]:
        axes.set_xlabel(f"ratio ({ratio_unit(study.bucket)})")
    return figure, grid.tolist()


def _response_panel(
    axes: Axes, study: StudyAnalysis, regime: RegimeAnalysis, response: str, *, title: bool = True
) -> None:
    if not study.has_flops:
        draw_message(axes, "FLOPs are not recorded")
        return
    units = regime.subnetworks[regime.subnetworks["space"] == study.spaces[0]]
    optimum = regime.optima.get(response)
    color = space_look(study.spaces, study.spaces[0])["color"]
    draw_response(axes, units, optimum, _drawn(study, response), study.originals, color)
    interior = sum(one.optimum is not None and one.optimum.verdict == "interior" for one in regime.designs)
    second = f"interior: {interior} of {len(regime.designs)} networks" if regime.designs else verdict_label(optimum)
    draw_title(axes, regime_title(regime.regime) if title else "", second)


def _drawn(study: StudyAnalysis, response: str) -> str | Metric:
    """What panels draw: one of the two responses of a classification study, or the study's own metric."""
    return response if study.metric == ERROR else study.metric


def _names(study: StudyAnalysis) -> dict[str, str]:
    """Originals by their names, where there are several."""
    return {key: f"original {study.names[key]}" for key in study.originals if len(study.originals) > 1}


def _response_handles(
    study: StudyAnalysis, names: Mapping[str, str], drawn: Sequence[RegimeAnalysis | DesignAnalysis]
) -> list[tuple[Artist, str]]:
    """Legend entries of response against ratio: one marker per original, and the fits that are drawn."""
    look = {"color": space_look(study.spaces, study.spaces[0])["color"], "linestyle": "", "markersize": 4, "alpha": 0.6}
    entries: list[tuple[Artist, str]] = [
        (Line2D([], [], marker=marker, **look), label(names[original]))
        for original, marker in original_markers(tuple(names)).items()
    ]
    optima = [optimum for one in drawn for optimum in one.optima.values()]
    if any(optimum.quadratic for optimum in optima):
        entries.append((Line2D([], [], **QUADRATIC_LINE), "quadratic"))
    if any(optimum.spline for optimum in optima):
        entries.append((Line2D([], [], **SPLINE_LINE), "spline"))
    return entries
