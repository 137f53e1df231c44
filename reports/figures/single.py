"""Figures of one analysis: each draws the result that it is given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from prunestats.comparison.comparison import Comparison
from prunestats.distribution.best_of_k import BestOf
from prunestats.distribution.empirical import Edf
from prunestats.optimum.optimum import Optimum
from prunestats.reports.figures.panels import RESPONSE_NAMES, draw_edfs, draw_response, head, log_axis, verdict_label
from prunestats.reports.figures.style import GREY, INK, label, space_look
from prunestats.results.means import drop_repeats, subnetwork_means
from prunestats.results.ratio import ratio
from prunestats.wording import ratio_unit, share

Population = tuple[float | None, str]
_COLUMNS = 3


def plot_edf(found: Mapping[Population, Edf], response: str = "error") -> Figure:
    """Distribution functions with simultaneous bands, a panel a regime.

    Parameters
    ----------
    found : mapping of (regime, space) to Edf
    response : {"error", "log_cross_entropy"}

    Returns
    -------
    Figure
    """
    regimes, spaces = _axes_of(found)
    figure, grid = _panels(len(regimes))
    for regime, axes in zip(regimes, grid, strict=True):
        mine = {space: found[regime, space] for space in spaces if (regime, space) in found}
        draw_edfs(axes, mine, spaces, response)
        head(axes, _title(regime))
        axes.set_xlabel(RESPONSE_NAMES[response])
    grid[0].set_ylabel("share of subnetworks")
    _name_spaces(figure, spaces)
    return figure


def plot_best_of(found: Mapping[Population, BestOf], response: str = "error") -> Figure:
    """Expected best of k against k with its simultaneous band, a panel a regime.

    Parameters
    ----------
    found : mapping of (regime, space) to BestOf
        Whole curves.
    response : {"error", "log_cross_entropy"}
        Errors are drawn in %, log cross-entropies as cross-entropy.

    Returns
    -------
    Figure
    """
    regimes, spaces = _axes_of(found)
    figure, grid = _panels(len(regimes))
    scale = np.exp if response == "log_cross_entropy" else lambda values: 100 * values
    for regime, axes in zip(regimes, grid, strict=True):
        for space in spaces:
            if (regime, space) in found:
                curve, look = found[regime, space], space_look(spaces, space)
                axes.plot(curve.k, scale(curve.value), **look)
                known = np.isfinite(curve.band_low) & np.isfinite(curve.band_high)
                low, high = scale(curve.band_low[known]), scale(curve.band_high[known])
                axes.fill_between(curve.k[known], low, high, color=look["color"], alpha=0.16, linewidth=0)
        head(axes, _title(regime))
        axes.set_xlabel("best of k subnetworks")
        axes.set_xlim(1, max(curve.k[-1] for (where, _), curve in found.items() if where == regime))
        log_axis(axes, "x", lambda value: f"{value:g}")
        axes.set_ylim(bottom=max(axes.get_ylim()[0], 0))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    grid[0].set_ylabel(f"expected {RESPONSE_NAMES[response]}")
    _name_spaces(figure, spaces)
    return figure


def plot_comparison(found: Comparison) -> Figure:
    """Differences of means with their intervals, a row a pair and a panel a regime.

    Parameters
    ----------
    found : Comparison
        Of errors, drawn in percentage points; of another response, in its unit.

    Returns
    -------
    Figure
    """
    regimes = list(dict.fromkeys(pair.regime for pair in found.pairs))
    pairs = list(dict.fromkeys((pair.a, pair.b) for pair in found.pairs))
    figure, grid = _panels(len(regimes), height=1.1 + 0.28 * len(pairs))
    factor, unit = (100, "points") if found.pairs[0].response == "error" else (1, found.pairs[0].response)
    for regime, axes in zip(regimes, grid, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        for pair in (pair for pair in found.pairs if pair.regime == regime):
            row, part = pairs.index((pair.a, pair.b)), pair.mean_difference
            told = not part.low <= 0 <= part.high
            axes.plot([factor * part.low, factor * part.high], [row, row], color=INK, linewidth=1.2)
            axes.plot(factor * part.value, row, "o", color=INK, markersize=4, fillstyle="full" if told else "none")
        axes.set(yticks=range(len(pairs)), ylim=(len(pairs) - 0.5, -0.5), xlabel=f"difference of means ({unit})")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        names = [f"{label(a, 16)} − {label(b, 16)}" for a, b in pairs]
        axes.set_yticklabels(names if axes in grid[::_COLUMNS] else [])
        head(axes, _title(regime))
    return figure


def plot_optimum(found: Mapping[float, Optimum], runs: pd.DataFrame) -> Figure:
    """Response against ratio with the fits and the believed interval, a panel a regime.

    Parameters
    ----------
    found : mapping of regime to Optimum
    runs : pandas.DataFrame
        The results frame that they were found in.

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
        draw_response(axes, drawn, one, one.response, originals, color)
        head(axes, _title(regime), verdict_label(one))
        axes.set_xlabel(f"ratio ({ratio_unit(one.bucket)})")
    grid[0].set_ylabel(RESPONSE_NAMES[next(iter(found.values())).response])
    return figure


def _axes_of(found: Mapping[Population, object]) -> tuple[list[float | None], list[str]]:
    return list(dict.fromkeys(regime for regime, _ in found)), list(dict.fromkeys(space for _, space in found))


def _panels(n: int, height: float = 2.6) -> tuple[Figure, list[Axes]]:
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    figure = Figure(figsize=(max(2.9 * columns, 3.6), height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in grid[n:]:
        spare.set_axis_off()
    return figure, grid[:n]


def _title(regime: float | str | None) -> str:
    if isinstance(regime, str):
        return "all regimes"
    return "" if regime is None else f"{share(regime)} of the FLOPs"


def _name_spaces(figure: Figure, spaces: list[str]) -> None:
    handles = [Line2D([], [], **space_look(spaces, space)) for space in spaces]
    legend = figure.legend(handles, ["x"] * len(spaces), loc="outside upper left", ncols=4, borderpad=0.1)
    # Set afterwards: matplotlib drops names that begin with an underscore.
    for text, space in zip(legend.get_texts(), spaces, strict=True):
        text.set_text(label(space))
