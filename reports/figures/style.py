"""How every figure looks: seaborn's theme, one colour per space, legends that fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D

from prunestats.wording import plain

# Matplotlib ships it, so that every machine draws the same letters.
FONT = "DejaVu Sans"
INK = "#22262b"
GREY = "#8a9099"
PALE = "#e3e6ea"
YELLOW = "#F0C541"
QUADRATIC_LINE: dict[str, Any] = {"color": INK, "linewidth": 1.2}
SPLINE_LINE: dict[str, Any] = {"color": "#a3195b", "linewidth": 1.1, "linestyle": (0, (4, 1.5))}

WIDTH = 6.5
"""Inches: the width of a report's text, so that its figures are set at their own size and letters keep theirs."""

BAND_ALPHA = 0.16
"""Opacity of a confidence band: two that overlap still show their edges and the curve in front of them."""

# Okabe and Ito's colours without yellow, which is too pale on white. Under simulated protanopia, deuteranopia and
# tritanopia (matrices of Machado, Oliveira and Fernandes 2009) no two are less than 16 apart in CIELAB; of the six
# closest to them in seaborn's "colorblind" palette, two are 12.6 apart. Line styles differ as well.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
_MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")

_LETTERS_PER_INCH = 14
"""Of a legend, at 7.5 points: names of many wide letters still fit."""
_HANDLE_LETTERS = 6
"""Width of a handle with the gaps around it, in letters."""

_THEME: dict[str, Any] = {
    "axes.grid": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": [FONT],
    "grid.color": PALE,
    "patch.force_edgecolor": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}

# Letters are smaller than seaborn's, as the text beside them has 10 points; lines are thinner, as panels are small.
_CONTEXT: dict[str, Any] = {
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8.5,
    "grid.linewidth": 0.5,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.4,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 3.5,
    "ytick.major.size": 3.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}

_SETTINGS: dict[str, Any] = {
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    # Without a salt of its own an SVG has random identifiers.
    "svg.hashsalt": "prunestats",
    # A name may hold a dollar sign.
    "text.parse_math": False,
}


@contextmanager
def report_style(**settings: Any) -> Iterator[None]:
    """Draw in the style of the reports inside a ``with`` block; matplotlib's settings are restored after it.

    Parameters
    ----------
    **settings
        Matplotlib settings that replace the style's own, such as ``**{"svg.fonttype": "path"}``.

    Notes
    -----
    Seaborn's theme "ticks" in its context "paper", with smaller letters and thinner lines. Seaborn is imported at the
    first use and not with this module: it imports pyplot and registers colormaps.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with report_style():
    ...     mpl.rcParams["font.size"]
    8.0
    """
    # Before the block: seaborn takes the settings that it finds at its import for the user's own.
    style = _style() | settings
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast(Any, style))
        yield


def space_look(spaces: Sequence[str], space: str) -> dict[str, Any]:
    """Colour and line style of a space: the same in every figure, by its position in the study.

    Parameters
    ----------
    spaces : sequence of str
        All spaces of the study, in its order.
    space : str
        One of them.

    Returns
    -------
    dict
        ``color`` and ``linestyle``; no two of the first 24 spaces share both.

    Examples
    --------
    >>> space_look(["initial", "uniform"], "uniform")["color"]
    '#D55E00'
    """
    position = list(spaces).index(space)
    turn = (position + position // len(_COLOURS)) % len(_LINES)
    return {"color": _COLOURS[position % len(_COLOURS)], "linestyle": _LINES[turn]}


def original_markers(originals: Sequence[str]) -> dict[str, str]:
    """Marker of each original: the same in every figure, by its position in the study."""
    return {original: _MARKERS[position % len(_MARKERS)] for position, original in enumerate(originals)}


def label(text: object, length: int = 28) -> str:
    """A name that fits a figure: plain, shortened in its middle, and only with characters that the font has.

    Examples
    --------
    >>> label("a" * 20 + "b" * 20, length=11)
    'aaaaa…bbbbb'
    """
    drawable = "".join(c if ord(c) in _characters() else "\ufffd" for c in plain(text))
    if len(drawable) <= length:
        return drawable
    head = length // 2
    return f"{drawable[:head]}…{drawable[-(length - 1 - head) :]}"


def new_figure(width: float, height: float) -> Figure:
    """A figure, in inches, with a canvas of its own: pyplot, which would keep it in memory, does not know it."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panel_grid(n: int, columns: int, size: tuple[float, float], *, least_width: float) -> tuple[Figure, list[Axes]]:
    """A figure of `n` panels in rows.

    Parameters
    ----------
    n : int
        Panels.
    columns : int
        Most panels in a row.
    size : (float, float)
        Width and height of a panel in inches.
    least_width : float
        Inches that the whole figure has at least, for its legend.

    Returns
    -------
    figure : Figure
    panels : list of Axes
        Row by row.
    """
    across = min(n, columns)
    down = -(-n // across)
    figure = new_figure(max(size[0] * across, least_width), size[1] * down)
    panels = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for spare in panels[n:]:
        spare.set_axis_off()
    return figure, panels[:n]


def space_handles(spaces: Sequence[str], *, dots: bool = False) -> list[tuple[Artist, str]]:
    """Legend entries of spaces: a line each, or a dot each where points are drawn."""
    looks = [space_look(spaces, space) for space in spaces]
    if dots:
        looks = [{"color": look["color"], "linestyle": "", "marker": "o", "markersize": 4} for look in looks]
    return [(Line2D([], [], **look), label(space)) for look, space in zip(looks, spaces, strict=True)]


def place_legend(figure: Figure, entries: Sequence[tuple[Artist, str]]) -> None:
    """Put a legend above the panels, in as many columns as fit; an entry is a handle and its name."""
    if not entries:
        return
    columns = _legend_columns([len(name) for _, name in entries], figure.get_figwidth())
    legend = figure.legend(
        [handle for handle, _ in entries], ["x"] * len(entries), loc="outside upper left", ncols=columns, borderpad=0.1
    )
    # Set afterwards: matplotlib drops names that begin with an underscore.
    for text, (_, name) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(name)


def _legend_columns(lengths: Sequence[int], width: float) -> int:
    """Most columns whose longest names fit side by side into `width` inches; matplotlib fills column by column."""
    for columns in range(len(lengths), 1, -1):
        longest = [max(part) for part in np.array_split(lengths, columns)]
        if sum(longest) + _HANDLE_LETTERS * columns <= _LETTERS_PER_INCH * width:
            return columns
    return 1


@lru_cache(maxsize=1)
def _style() -> dict[str, Any]:
    import seaborn as sns

    theme = sns.axes_style("ticks", rc=_THEME)
    context = sns.plotting_context("paper", rc=_CONTEXT)
    return {**theme, **context, **_SETTINGS}


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())
