"""Limits, scales, ticks and titles of panels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from prunestats.metric import Metric, metric_of
from prunestats.reports.figures.style import GREY, label
from prunestats.wording import share, size

Numbers = NDArray[np.float64]
Which = Literal["x", "y"]

AXIS_LABELS = {"error": "error (%)", "log_cross_entropy": "cross-entropy (nats)"}
"""Axis label of a response: cross-entropy is analysed as its logarithm and drawn as itself, on a logarithmic axis.
Other metrics have their own heading."""

_LOG_SPAN = 5
"""Errors whose largest is more than this many times the smallest get a logarithmic axis. A round number: a linear axis
shows a narrower range as well, with ticks that are easier to read; no result depends on it."""

_LADDERS: tuple[tuple[float, ...], ...] = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
)
"""Ticks per decade, coarse to fine; the first that gives 4 to 7 ticks is used."""

_ROUND_STEPS = (1, 2, 2.5, 5, 10)
"""Steps between ticks of a linear axis, times a power of ten: the usual round ones."""

_FULL_DIGITS = 10_000
"""Tick values from here on have a prefix (10 k): their digits would run into each other."""


def draw_message(axes: Axes, text: str) -> None:
    """An empty panel that says why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)


def draw_title(axes: Axes, title: str, second: str = "") -> None:
    """A panel's title, and under it a second line in plain weight."""
    axes.set_title(label(title, 60), pad=15 if second else 5)
    if second:
        axes.annotate(second, (0, 1), xytext=(0, 4), xycoords="axes fraction", textcoords="offset points", size=7.5)


def regime_title(regime: float | None) -> str:
    """The FLOPs fraction of a panel; nothing where results name none.

    Examples
    --------
    >>> regime_title(0.25), regime_title(None)
    ('25 % of the FLOPs', '')
    """
    return "" if regime is None else f"{share(regime)} of the FLOPs"


def axis_limits(values: Numbers, *, log: bool = False) -> tuple[float, float]:
    """Bounds of an axis: the range of the values with a margin, of positive width even where all values are equal.

    Parameters
    ----------
    values : ndarray
        Those that are not finite, and on a logarithmic axis those that are not positive, are left out.
    log : bool
    """
    finite = values[np.isfinite(values) & ((values > 0) | (not log))]
    if finite.size == 0:
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    # 5 % of the range on either side, as matplotlib has it; 3 % or 2 % of the value where the range is next to nothing
    if log:
        margin = max((high / low) ** 0.05, 1.03)
        return low / margin, high * margin
    # the last is for values that are all 0
    margin = max(0.05 * (high - low), 0.02 * abs(high), 1e-9)
    return max(low - margin, 0.0) if low >= 0 else low - margin, high + margin


def needs_log_axis(values: Numbers, response: str | Metric) -> bool:
    """Whether an axis is logarithmic: always for cross-entropy, and for errors that span more than a factor of 5.

    A metric of which higher values are better has a linear axis, as a logarithmic one spreads out the worst values, and
    so has one in decibels, which are logarithms.
    """
    metric = drawn_metric(response)
    if metric.sign < 0 or metric.unit == "dB":
        return False
    return metric.name == "log_cross_entropy" or bool(0 < values.min() < values.max() / _LOG_SPAN)


def set_log_axis(axes: Axes, which: Which, name: Callable[[float], str] | None = None) -> None:
    """Make an axis logarithmic within its present limits, with a few round ticks.

    Parameters
    ----------
    axes : Axes
    which : {"x", "y"}
    name : callable, optional
        Label of a tick; by default its digits, or its prefix from 10,000 on.
    """
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(readable_ticks(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: name(value) if name else _tick_label(value)))


def set_linear_axis(axes: Axes, which: Which) -> None:
    """Give a linear axis a few round ticks."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(_round_ticks())


def readable_ticks(low: float, high: float) -> list[float]:
    """Round numbers inside an interval of positive numbers, four to seven where possible.

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
    return [float(tick) for tick in _round_ticks().tick_values(low, high) if low <= tick <= high]


def axis_values(values: Numbers, response: str | Metric) -> Numbers:
    """Values of a response in the unit of its axis: fractions in %, log cross-entropies as cross-entropy in nats.

    Examples
    --------
    >>> axis_values(np.array([0.25]), "error"), axis_values(np.array([31.2]), Metric("psnr", "maximize", "dB"))
    (array([25.]), array([31.2]))
    """
    metric = drawn_metric(response)
    return np.exp(values) if metric.name == "log_cross_entropy" else metric.scale * values


def axis_label(response: str | Metric) -> str:
    """Name of a response with the unit of its axis.

    Examples
    --------
    >>> axis_label("error"), axis_label("log_cross_entropy"), axis_label(Metric("psnr", "maximize", "dB"))
    ('error (%)', 'cross-entropy (nats)', 'psnr (dB)')
    """
    metric = drawn_metric(response)
    return AXIS_LABELS.get(metric.name, metric.heading)


def drawn_metric(response: str | Metric) -> Metric:
    """The metric of a name; one that is unknown has no unit."""
    return response if isinstance(response, Metric) else metric_of(pd.DataFrame(), response)


def _round_ticks() -> MaxNLocator:
    return MaxNLocator(nbins=5, steps=_ROUND_STEPS)


def _tick_label(value: float) -> str:
    return size(value) if value >= _FULL_DIGITS else f"{value:.4g}"
