"""Figures as files: SVG with the same bytes every time, PNG, PDF."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from prunestats.errors import InputError
from prunestats.reports.figures.style import report_style


def svg(figure: Figure, *, outlines: bool = False) -> bytes:
    """A figure as SVG, the same bytes every time.

    Parameters
    ----------
    figure : Figure
    outlines : bool
        Draw letters as outlines, for readers that lack the font (a web page); by default letters stay text.
    """
    written = BytesIO()
    with report_style(**{"svg.fonttype": "path" if outlines else "none"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def png(figure: Figure, dpi: int = 200) -> bytes:
    """A figure as PNG, the same bytes every time."""
    written = BytesIO()
    with report_style():
        figure.savefig(written, format="png", dpi=dpi, metadata={"Software": None})
    return written.getvalue()


def save_figure(draw: Callable[[], Figure], path: Path) -> None:
    """Draw in the style of the reports and write a PNG, SVG or PDF file.

    Raises
    ------
    InputError
        For another kind of file, or a folder that is not there.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"a plot is a file that ends in {', '.join(_SUFFIXES)}; found {path.name}: name another")
    if not path.parent.is_dir():
        raise InputError(f"a plot goes into a folder that is there; found none at {str(path.parent)!r}: make it first")
    with report_style(**{"svg.fonttype": "path"}):
        draw().savefig(path, dpi=200)


_SUFFIXES = (".png", ".svg", ".pdf")
