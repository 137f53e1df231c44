"""Single panels: each draws one result on the axes that it is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from prunestats.distribution.empirical import Edf
from prunestats.optimum.optimum import Optimum, has_estimate
from prunestats.reports.figures.style import (
    GREY,
    INK,
    QUADRATIC_LINE,
    SPLINE_LINE,
    YELLOW,
    label,
    original_marker,
    space_look,
)
from prunestats.wording import fixed, ratio_digits, ratio_range, size

Numbers = NDArray[np.float64]

RESPONSE_NAMES = {"error": "error (%)", "log_cross_entropy": "cross-entropy (nats)"}

# More lines of text than this would run into the curves; the tables have them all.
_MOST_COUNTS = 4

_LADDERS: tuple[tuple[float, ...], ...] = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
)


def draw_edfs(axes: Axes, edfs: dict[str, Edf], spaces: Sequence[str], response: str) -> None:
    """Distribution functions of one response in one regime, with simultaneous bands, a colour a space.

    Parameters
    ----------
    axes : Axes
    edfs : dict of str to Edf
        By space; ``log_cross_entropy`` is drawn as cross-entropy on a logarithmic axis.
    spaces : sequence of str
        All spaces of the study, for their colours.
    response : {"error", "log_cross_entropy"}
    """
    if not edfs:
        say(axes, "no finished run")
        return
    drawn = {space: _scale(np.asarray(found.x, dtype=float), response) for space, found in edfs.items()}
    every = np.concatenate(list(drawn.values()))
    log = wants_log(every, response)
    left, right = limits(every, log=log)
    for place, (space, found) in enumerate(edfs.items()):
        x, look = drawn[space], space_look(spaces, space)
        y, low, high = (np.asarray(values) for values in (found.y, found.band_low, found.band_high))
        axes.step([left, *x, right], [0, *y, 1], where="post", **look)
        ends = [*x, right], [*low, low[-1]], [*high, high[-1]]
        axes.fill_between(*ends, step="post", color=look["color"], alpha=0.16 * min(1, 3 / len(edfs)), linewidth=0)
        if len(edfs) <= _MOST_COUNTS:
            corner = (0.985, 0.04 + 0.095 * (len(edfs) - 1 - place))
            axes.text(*corner, f"n = {found.n}", color=look["color"], transform=axes.transAxes, ha="right", size=7)
    axes.set(xlim=(left, right), ylim=(0, 1.02))
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    _scale_axis(axes, "x", log=log)


def draw_response(
    axes: Axes, subnetworks: pd.DataFrame, optimum: Optimum | None, response: str, originals: Sequence[str], color: str
) -> None:
    """Response against ratio: the subnetworks, the quadratic fit with its band, and the believed interval if any.

    Parameters
    ----------
    axes : Axes
    subnetworks : DataFrame
        Columns original, ratio, and the response on the validation split, as in `RegimeAnalysis.subnetworks`.
    optimum : Optimum or None
        What was concluded; None draws the subnetworks alone.
    response : {"error", "log_cross_entropy"}
    originals : sequence of str
        All originals of the study, for their markers.
    color : str
        Colour of the space.
    """
    if subnetworks.empty:
        say(axes, "no finished run")
        return
    subnetworks = subnetworks.dropna(subset=[f"val_{response}"])
    if subnetworks.empty:
        say(axes, "not on record")
        return
    ratio = subnetworks["ratio"].to_numpy(dtype=float)
    values = _scale(subnetworks[f"val_{response}"].to_numpy(dtype=float), response)
    for low, high in () if optimum is None else optimum.pieces:
        axes.axvspan(low, high, color=YELLOW, alpha=0.38, linewidth=0.8, zorder=0.5)
    if optimum is not None and has_estimate(optimum):
        axes.axvline(optimum.ratio, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1.5)
    for original in originals:
        mine = (subnetworks["original"] == original).to_numpy()
        marker = original_marker(originals, original)
        axes.scatter(ratio[mine], values[mine], s=11, marker=marker, color=color, alpha=0.45, linewidths=0, zorder=2)
    if optimum is not None:
        _draw_fits(axes, optimum, response)
    log = wants_log(values, response)
    axes.set_ylim(limits(values, log=log))
    axes.set_xlim(limits(ratio, log=True))
    _scale_axis(axes, "y", log=log)
    log_axis(axes, "x")


def _draw_fits(axes: Axes, optimum: Optimum, response: str) -> None:
    grid = np.geomspace(optimum.ratio_min, optimum.ratio_max, 120)
    if optimum.quadratic is not None:
        fit, low, high = (_scale(np.asarray(v), response) for v in optimum.quadratic.predict(grid))
        axes.fill_between(grid, low, high, color=INK, alpha=0.14, linewidth=0, zorder=1)
        axes.plot(grid, fit, zorder=3, **QUADRATIC_LINE)
    if optimum.spline is not None:
        axes.plot(grid, _scale(np.asarray(optimum.spline.predict(grid)[0]), response), zorder=3, **SPLINE_LINE)


def verdict_label(optimum: Optimum | None) -> str:
    """The verdict in a few words, for a picture."""
    if optimum is None:
        return "no verdict: not computed"
    if not has_estimate(optimum):
        places = " or ".join(ratio_range(low, high) for low, high in optimum.pieces)
        return f"{optimum.verdict}: {places}" if places else f"{optimum.verdict}: no optimum to believe"
    digits = ratio_digits((optimum.ratio, optimum.low, optimum.high, optimum.ratio_min, optimum.ratio_max))
    ratio, low, high = (fixed(value, digits) for value in (optimum.ratio, optimum.low, optimum.high))
    return f"{optimum.verdict}: {ratio} [{low}, {high}]"


def say(axes: Axes, text: str) -> None:
    """An empty panel that says why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)


def head(axes: Axes, title: str, second: str = "") -> None:
    """A panel's title, and under it a second line in plain weight."""
    axes.set_title(label(title, 60), pad=15 if second else 5)
    if second:
        axes.annotate(second, (0, 1), xytext=(0, 4), xycoords="axes fraction", textcoords="offset points", size=7.5)


def limits(values: Numbers, *, log: bool = False) -> tuple[float, float]:
    """Ends of an axis: the range of the values and a margin, wide enough to draw when all values are equal."""
    finite = values[np.isfinite(values) & ((values > 0) | (not log))]
    if finite.size == 0:
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    if log:
        margin = max((high / low) ** 0.05, 1.03)
        return low / margin, high * margin
    margin = max(0.05 * (high - low), 0.02 * abs(high), 1e-9)
    return max(low - margin, 0.0) if low >= 0 else low - margin, high + margin


def wants_log(values: Numbers, response: str) -> bool:
    """Whether an axis is logarithmic: always for cross-entropy, and for errors that span more than a factor of 5."""
    return response == "log_cross_entropy" or bool(0 < values.min() < values.max() / 5)


def log_axis(axes: Axes, which: str, name: Callable[[float], str] | None = None) -> None:
    """A logarithmic axis, within its present limits, with a few round ticks that can be read."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(readable_ticks(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: name(value) if name else _short(value)))


def readable_ticks(low: float, high: float) -> list[float]:
    """Round numbers inside an interval, four to seven where it can be done.

    Examples
    --------
    >>> readable_ticks(40, 900)
    [50.0, 100.0, 200.0, 500.0]
    """
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for ladder in _LADDERS:
        ticks = [float(f"{step * 10.0**e:.6g}") for e in exponents for step in ladder]
        inside = [tick for tick in ticks if low <= tick <= high]
        if 4 <= len(inside) <= 7:
            return inside
    steps = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in steps if low <= tick <= high]


def _scale(values: Numbers, response: str) -> Numbers:
    return np.exp(values) if response == "log_cross_entropy" else 100 * values


def _scale_axis(axes: Axes, which: str, *, log: bool) -> None:
    if log:
        log_axis(axes, which)
    else:
        axis = axes.xaxis if which == "x" else axes.yaxis
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))


def _short(value: float) -> str:
    return size(value) if value >= 10_000 else f"{value:.4g}"
