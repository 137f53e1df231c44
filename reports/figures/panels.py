"""Single panels: each draws one result on the axes that it is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from prunestats.distribution.empirical import Edf
from prunestats.metric import Metric
from prunestats.optimum.optimum import Optimum, has_estimate
from prunestats.reports.figures.axes import (
    Numbers,
    Which,
    axis_limits,
    axis_values,
    draw_message,
    drawn_metric,
    needs_log_axis,
    set_linear_axis,
    set_log_axis,
)
from prunestats.reports.figures.style import (
    BAND_ALPHA,
    INK,
    QUADRATIC_LINE,
    SPLINE_LINE,
    YELLOW,
    original_markers,
    space_look,
)
from prunestats.wording import fixed, ratio_digits, ratio_range

_MOST_COUNTS = 4
"""With more spaces their sample sizes, written one under the other, would reach the curves; captions list all."""

_MOST_OPAQUE = 3
"""With more spaces than this the bands get paler, so that together they stay as dark as three."""

_FIT_POINTS = 120
"""Points per fitted curve: over half the width of a page they are less than a millimetre apart."""


def draw_edfs(axes: Axes, edfs: dict[str, Edf], spaces: Sequence[str], response: str | Metric) -> None:
    """Empirical distribution functions of one response in one regime with simultaneous bands, one colour per space.

    Parameters
    ----------
    axes : Axes
    edfs : dict of str to Edf
        By space; ``log_cross_entropy`` is drawn as cross-entropy on a logarithmic axis.
    spaces : sequence of str
        All spaces of the study, for their colours.
    response : Metric, or {"error", "log_cross_entropy"}

    Notes
    -----
    Steps and bands are those of `Edf`, whose bands are exact: seaborn's ``ecdfplot`` would compute the steps again
    from the sample and has no band.
    """
    if not edfs:
        draw_message(axes, "no finished run")
        return
    drawn = {space: axis_values(np.asarray(found.x, dtype=float), response) for space, found in edfs.items()}
    every = np.concatenate(list(drawn.values()))
    log = needs_log_axis(every, response)
    left, right = axis_limits(every, log=log)
    alpha = BAND_ALPHA * min(1, _MOST_OPAQUE / len(edfs))
    for position, (space, found) in enumerate(edfs.items()):
        x, look = drawn[space], space_look(spaces, space)
        y, low, high = (np.asarray(values) for values in (found.y, found.band_low, found.band_high))
        axes.step([left, *x, right], [0, *y, 1], where="post", **look)
        bounds = [*x, right], [*low, low[-1]], [*high, high[-1]]
        axes.fill_between(*bounds, step="post", color=look["color"], alpha=alpha, linewidth=0)
        if len(edfs) <= _MOST_COUNTS:
            # In a corner that a distribution function leaves empty, one line of text per space: the lower right one,
            # or the upper left one where most subnetworks are near the highest values.
            left_corner = isinstance(response, Metric) and response.sign < 0
            where = (
                (0.015, 0.87 - 0.095 * position) if left_corner else (0.985, 0.04 + 0.095 * (len(edfs) - 1 - position))
            )
            side = "left" if left_corner else "right"
            axes.text(*where, f"n = {found.n}", color=look["color"], transform=axes.transAxes, ha=side, size=7)
    # The margin above 1 keeps the curve's line whole where it reaches 1.
    axes.set(xlim=(left, right), ylim=(0, 1.02))
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    _set_scale(axes, "x", log=log)


def draw_response(
    axes: Axes,
    subnetworks: pd.DataFrame,
    optimum: Optimum | None,
    response: str | Metric,
    originals: Sequence[str],
    color: str,
) -> None:
    """Response against ratio: the subnetworks, the fits, and the interval of the optimum if one is reported.

    Parameters
    ----------
    axes : Axes
    subnetworks : DataFrame
        Columns original, ratio, and the response on the validation split, as in `RegimeAnalysis.subnetworks`.
    optimum : Optimum or None
        The result to draw; None draws the subnetworks alone.
    response : Metric, or {"error", "log_cross_entropy"}
        Where there is an optimum, the metric is that of the optimum.
    originals : sequence of str
        All originals of the study, for their markers.
    color : str
        Colour of the space.
    """
    if subnetworks.empty:
        draw_message(axes, "no finished run")
        return
    metric = drawn_metric(response) if optimum is None else optimum.metric
    column = f"val_{metric.name}"
    subnetworks = subnetworks.dropna(subset=[column])
    if subnetworks.empty:
        draw_message(axes, "not recorded")
        return
    ratio = subnetworks["ratio"].to_numpy(dtype=float)
    values = axis_values(subnetworks[column].to_numpy(dtype=float), metric)
    if optimum is not None:
        _draw_estimate(axes, optimum)
    _draw_points(axes, ratio, values, subnetworks["original"].to_numpy(), originals, color)
    if optimum is not None:
        _draw_fits(axes, optimum)
    log = needs_log_axis(values, metric)
    axes.set_ylim(axis_limits(values, log=log))
    axes.set_xlim(axis_limits(ratio, log=True))
    _set_scale(axes, "y", log=log)
    set_log_axis(axes, "x")


def verdict_label(optimum: Optimum | None) -> str:
    """The verdict in a few words, for a figure: with the estimate and its interval, or why there is none."""
    if optimum is None:
        return "not computed"
    if has_estimate(optimum):
        digits = ratio_digits((optimum.ratio, optimum.low, optimum.high, optimum.ratio_min, optimum.ratio_max))
        ratio, low, high = (fixed(value, digits) for value in (optimum.ratio, optimum.low, optimum.high))
        return f"{optimum.verdict}: {ratio} [{low}, {high}]"
    if optimum.pieces:
        return f"{optimum.verdict}: {' or '.join(ratio_range(low, high) for low, high in optimum.pieces)}"
    why = "no estimate" if optimum.verdict == "unidentified" else "no interior optimum"
    return f"{optimum.verdict}: {why}"


def _draw_points(axes: Axes, x: Numbers, y: Numbers, of: Numbers, originals: Sequence[str], color: str) -> None:
    """One point per subnetwork, one marker per original."""
    import seaborn as sns

    sns.scatterplot(
        x=x, y=y, style=of, style_order=list(originals), markers=original_markers(originals), color=color,
        s=11, alpha=0.45, linewidth=0, zorder=2, legend=False, ax=axes,
    )  # fmt: skip


def _draw_estimate(axes: Axes, optimum: Optimum) -> None:
    """The confidence set of the optimum, one shaded span per piece, and a dashed line at the estimate."""
    for low, high in optimum.pieces:
        axes.axvspan(low, high, color=YELLOW, alpha=0.38, linewidth=0.8, zorder=0.5)
    if has_estimate(optimum):
        axes.axvline(optimum.ratio, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1.5)


def _draw_fits(axes: Axes, optimum: Optimum) -> None:
    metric = optimum.metric
    grid = np.geomspace(optimum.ratio_min, optimum.ratio_max, _FIT_POINTS)
    if optimum.quadratic is not None:
        fit, low, high = (axis_values(np.asarray(v), metric) for v in optimum.quadratic.predict(grid))
        axes.fill_between(grid, low, high, color=INK, alpha=BAND_ALPHA, linewidth=0, zorder=1)
        axes.plot(grid, fit, zorder=3, **QUADRATIC_LINE)
    if optimum.spline is not None:
        axes.plot(grid, axis_values(np.asarray(optimum.spline.predict(grid)[0]), metric), zorder=3, **SPLINE_LINE)


def _set_scale(axes: Axes, which: Which, *, log: bool) -> None:
    (set_log_axis if log else set_linear_axis)(axes, which)
