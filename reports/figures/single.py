"""Figures of one analysis: each draws the result that it is given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunestats.comparison.comparison import Comparison
from prunestats.distribution.best_of_k import BestOf
from prunestats.distribution.empirical import Edf
from prunestats.metric import Metric
from prunestats.optimum.optimum import Optimum
from prunestats.reports.figures.axes import (
    axis_label,
    axis_values,
    draw_title,
    regime_title,
    set_linear_axis,
    set_log_axis,
)
from prunestats.reports.figures.panels import draw_edfs, draw_response, verdict_label
from prunestats.reports.figures.style import (
    BAND_ALPHA,
    GREY,
    INK,
    label,
    panel_grid,
    place_legend,
    space_handles,
    space_look,
)
from prunestats.results.means import drop_repeats, subnetwork_means
from prunestats.results.ratio import ratio
from prunestats.wording import ratio_unit

PopulationKey = tuple[float | None, str]
_COLUMNS = 3
"""Panels in a row: at 2.9 inches each they fill the width of a landscape page."""


def plot_edf(found: Mapping[PopulationKey, Edf], response: str | Metric = "error") -> Figure:
    """Empirical distribution functions with simultaneous bands, one panel per regime.

    Parameters
    ----------
    found : mapping of (regime, space) to Edf
    response : Metric, or {"error", "log_cross_entropy"}
        Fractions are drawn in %, log cross-entropies as cross-entropy.

    Returns
    -------
    Figure
    """
    regimes, spaces = _axes_of(found)
    figure, grid = _panels(len(regimes))
    for regime, axes in zip(regimes, grid, strict=True):
        mine = {space: found[regime, space] for space in spaces if (regime, space) in found}
        draw_edfs(axes, mine, spaces, response)
        draw_title(axes, _title(regime))
        axes.set_xlabel(axis_label(response))
    grid[0].set_ylabel("share of subnetworks")
    place_legend(figure, space_handles(spaces))
    return figure


def plot_best_of(found: Mapping[PopulationKey, BestOf], response: str | Metric = "error") -> Figure:
    """Expected best of k against k with its simultaneous band, one panel per regime.

    Parameters
    ----------
    found : mapping of (regime, space) to BestOf
        With k from 1 on.
    response : Metric, or {"error", "log_cross_entropy"}
        Fractions are drawn in %, log cross-entropies as cross-entropy.

    Returns
    -------
    Figure
    """
    regimes, spaces = _axes_of(found)
    figure, grid = _panels(len(regimes))
    for regime, axes in zip(regimes, grid, strict=True):
        for space in spaces:
            if (regime, space) in found:
                curve, look = found[regime, space], space_look(spaces, space)
                axes.plot(curve.k, axis_values(curve.value, response), **look)
                known = np.isfinite(curve.band_low) & np.isfinite(curve.band_high)
                low, high = (axis_values(band[known], response) for band in (curve.band_low, curve.band_high))
                axes.fill_between(curve.k[known], low, high, color=look["color"], alpha=BAND_ALPHA, linewidth=0)
        draw_title(axes, _title(regime))
        axes.set_xlabel("best of k subnetworks")
        axes.set_xlim(1, max(curve.k[-1] for (where, _), curve in found.items() if where == regime))
        set_log_axis(axes, "x", lambda value: f"{value:g}")
        least = min(float(curve.value.min()) for (where, _), curve in found.items() if where == regime)
        if least >= 0:
            axes.set_ylim(bottom=max(axes.get_ylim()[0], 0))
        set_linear_axis(axes, "y")
    grid[0].set_ylabel(f"expected {axis_label(response)}")
    place_legend(figure, space_handles(spaces))
    return figure


def plot_comparison(found: Comparison) -> Figure:
    """Differences of means with their confidence intervals, one row per pair of spaces and one panel per regime.

    A filled dot marks a pair whose means are significantly different, each pair at its own level.

    Parameters
    ----------
    found : Comparison
        Of fractions, drawn in percentage points; of another metric, in its own unit.

    Returns
    -------
    Figure
    """
    regimes = list(dict.fromkeys(pair.regime for pair in found.pairs))
    pairs = list(dict.fromkeys((pair.a, pair.b) for pair in found.pairs))
    figure, grid = _panels(len(regimes), height=1.1 + 0.28 * len(pairs))
    metric = found.pairs[0].metric
    factor, unit = (100, "% points") if metric.is_fraction else (1, metric.difference_unit or metric.label)
    for regime, axes in zip(regimes, grid, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        for pair in (pair for pair in found.pairs if pair.regime == regime):
            row, part = pairs.index((pair.a, pair.b)), pair.mean_difference
            differs = not part.low <= 0 <= part.high
            axes.plot([factor * part.low, factor * part.high], [row, row], color=INK, linewidth=1.2)
            axes.plot(factor * part.value, row, "o", color=INK, markersize=4, fillstyle="full" if differs else "none")
        axes.set(yticks=range(len(pairs)), ylim=(len(pairs) - 0.5, -0.5), xlabel=f"difference of means ({unit})")
        set_linear_axis(axes, "x")
        names = [f"{label(a, 16)} − {label(b, 16)}" for a, b in pairs]
        axes.set_yticklabels(names if axes in grid[::_COLUMNS] else [])
        draw_title(axes, _title(regime))
    return figure


def plot_optimum(found: Mapping[float, Optimum], runs: pd.DataFrame) -> Figure:
    """Response against ratio with the fits and the interval of a reported optimum, one panel per regime.

    Parameters
    ----------
    found : mapping of regime to Optimum
    runs : pandas.DataFrame
        The results frame that they were computed from.

    Returns
    -------
    Figure
    """
    figure, grid = _panels(len(found))
    originals = list(dict.fromkeys(runs["original"]))
    color = space_look(["x"], "x")["color"]
    for (regime, one), axes in zip(found.items(), grid, strict=True):
        inside = drop_repeats(runs[runs["regime"] == regime]).drop(columns="space")
        means = subnetwork_means(inside, one.response)
        means["ratio"] = ratio(means, one.bucket)
        drawn = means.rename(columns={one.response: f"val_{one.response}"})
        draw_response(axes, drawn, one, one.metric, originals, color)
        draw_title(axes, _title(regime), verdict_label(one))
        axes.set_xlabel(f"ratio ({ratio_unit(one.bucket)})")
    grid[0].set_ylabel(axis_label(next(iter(found.values())).metric))
    return figure


def _axes_of(found: Mapping[PopulationKey, object]) -> tuple[list[float | None], list[str]]:
    return list(dict.fromkeys(regime for regime, _ in found)), list(dict.fromkeys(space for _, space in found))


def _panels(n: int, height: float = 2.6) -> tuple[Figure, list[Axes]]:
    return panel_grid(n, _COLUMNS, (2.9, height), least_width=3.6)


def _title(regime: float | str | None) -> str:
    return "all regimes" if isinstance(regime, str) else regime_title(regime)
