"""How every figure looks: one style, one colour a space, readable ticks, and names that cannot break the drawing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D

from prunestats.wording import plain

FONT = "DejaVu Sans"
INK = "#22262b"
GREY = "#8a9099"
PALE = "#e3e6ea"
YELLOW = "#F0C541"
QUADRATIC_LINE: dict[str, Any] = {"color": INK, "linewidth": 1.2}
SPLINE_LINE: dict[str, Any] = {"color": "#a3195b", "linewidth": 1.1, "linestyle": (0, (4, 1.5))}

# Okabe and Ito's colours, told apart with every common colour vision; yellow is left out, being too pale on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
_MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")

_SETTINGS: dict[str, Any] = {
    "font.family": [FONT],
    "font.size": 8.0,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": PALE,
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "prunestats",
}


@contextmanager
def report_style(**settings: Any) -> Iterator[None]:
    """Draw in the style of the reports inside a ``with`` block, and leave matplotlib as it was after it.

    Parameters
    ----------
    **settings
        Matplotlib settings that replace the style's own, such as ``**{"svg.fonttype": "path"}``.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with report_style():
    ...     mpl.rcParams["font.size"]
    8.0
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast(Any, _SETTINGS | settings))
        yield


def space_look(spaces: Sequence[str], space: str) -> dict[str, Any]:
    """Colour and line of a space: the same in every figure, by its place in the study.

    Parameters
    ----------
    spaces : sequence of str
        All spaces of the study, in its order.
    space : str
        One of them.

    Returns
    -------
    dict
        ``color`` and ``linestyle``.

    Examples
    --------
    >>> space_look(["initial", "uniform"], "uniform")["color"]
    '#D55E00'
    """
    place = list(spaces).index(space)
    turn = (place + place // len(_COLOURS)) % len(_LINES)
    return {"color": _COLOURS[place % len(_COLOURS)], "linestyle": _LINES[turn]}


def original_marker(originals: Sequence[str], original: str) -> str:
    """Marker of an original: the same in every figure, by its place in the study."""
    return _MARKERS[list(originals).index(original) % len(_MARKERS)]


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
    head = (length - 1 + 1) // 2
    return f"{drawable[:head]}…{drawable[-(length - 1 - head) :]}"


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


# Width of the text of a report, so that figures are set at their own size and their letters are of one size.
WIDTH = 6.5


def place_legend(figure: Figure, named: Sequence[tuple[Line2D, str]]) -> None:
    """Put a legend above the panels, in as many columns as fit; `named` holds a handle and its name each."""
    if not named:
        return
    longest = max(len(name) for _, name in named)
    columns = max(1, min(len(named), math.floor(14 * figure.get_figwidth() / (longest + 6))))
    legend = figure.legend(
        [handle for handle, _ in named], ["x"] * len(named), loc="outside upper left", ncols=columns, borderpad=0.1
    )
    # Set afterwards: matplotlib drops names that begin with an underscore.
    for text, (_, name) in zip(legend.get_texts(), named, strict=True):
        text.set_text(name)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
