"""The figure of refined spaces against the space that they were derived from."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from prunestats.distribution.best_of_k import BestOf
from prunestats.distribution.empirical import Edf
from prunestats.metric import ERROR, Metric
from prunestats.refinement.gain import HeadToHead
from prunestats.reports.figures.axes import axis_values, draw_title, regime_title, set_linear_axis, set_log_axis
from prunestats.reports.figures.panels import draw_edfs
from prunestats.reports.figures.style import WIDTH, new_figure, place_legend, space_handles, space_look

_PANEL_HEIGHT = 2.3
"""Inches: three regimes, the most of a usual study, still fit one page."""


def plot_refined(contests: Sequence[HeadToHead], metric: Metric = ERROR) -> Figure:
    """Empirical distribution functions and expected best of k of the compared spaces, one row per regime.

    Parameters
    ----------
    contests : sequence of HeadToHead
        Of one study: every later space against its first.
    metric : Metric
        What the spaces are compared by.

    Returns
    -------
    Figure
    """
    regimes = list(dict.fromkeys(found.regime for found in contests))
    spaces = [contests[0].initial, *dict.fromkeys(found.refined for found in contests)]
    figure = new_figure(WIDTH, 0.5 + _PANEL_HEIGHT * len(regimes))
    grid = figure.subplots(len(regimes), 2, squeeze=False)
    for regime, (left, right) in zip(regimes, grid, strict=True):
        mine = [found for found in contests if found.regime == regime]
        draw_edfs(left, _edfs(mine), spaces, metric)
        draw_title(left, regime_title(regime or 1))
        left.set(xlabel=f"test {metric.heading}", ylabel="share of subnetworks")
        largest = 1
        for space, curve in _expected_bests(mine):
            right.plot(curve.k, axis_values(curve.value, metric), **{**space_look(spaces, space), "linewidth": 1.1})
            largest = max(largest, int(curve.k[-1]))
        right.set(xlabel="best of k subnetworks", ylabel=f"expected test {metric.heading}", xlim=(1, largest))
        set_log_axis(right, "x", lambda value: f"{value:g}")
        set_linear_axis(right, "y")
    place_legend(figure, space_handles(spaces))
    return figure


def _edfs(contests: Sequence[HeadToHead]) -> dict[str, Edf]:
    """Distributions by space, of the first original."""
    first = contests[0].curves[0].original
    found = {contests[0].initial: contests[0].curves[0].edf_initial}
    for contest in contests:
        for curves in contest.curves:
            if curves.original == first:
                found[contest.refined] = curves.edf_refined
    return found


def _expected_bests(contests: Sequence[HeadToHead]) -> list[tuple[str, BestOf]]:
    """One curve per space and original."""
    first = [(contests[0].initial, curves.best_initial) for curves in contests[0].curves]
    return first + [(contest.refined, curves.best_refined) for contest in contests for curves in contest.curves]
