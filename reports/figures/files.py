"""Figures as files: SVG, PNG and PDF, the same bytes for the same figure."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from prunestats.errors import InputError
from prunestats.files import write_atomically
from prunestats.reports.figures.style import report_style

_DPI = 200
"""Sharp in print; a figure as wide as the text of a page has 1,300 pixels."""


def svg(figure: Figure, *, outlines: bool = False) -> bytes:
    """A figure as SVG, the same bytes every time.

    Parameters
    ----------
    figure : Figure
    outlines : bool
        Draw letters as outlines, for readers that lack the font (a web page); by default letters stay text.
    """
    metadata = {"Date": None, "Creator": None}
    return _encoded(figure, {"svg.fonttype": "path" if outlines else "none"}, format="svg", metadata=metadata)


def png(figure: Figure, dpi: int = _DPI) -> bytes:
    """A figure as PNG, the same bytes every time."""
    return _encoded(figure, {}, format="png", dpi=dpi, metadata={"Software": None})


def save_figure(draw: Callable[[], Figure], path: Path) -> None:
    """Draw in the style of the reports and write a PNG, SVG or PDF file in one step.

    Parameters
    ----------
    draw : callable
        Returns the figure.
    path : Path
        Its suffix names the kind of file.

    Raises
    ------
    InputError
        For another kind of file, or a folder that does not exist.
    """
    encode = _ENCODERS.get(path.suffix.lower())
    if encode is None:
        raise InputError(f"a figure's name must end in {', '.join(_ENCODERS)}; found {path.name}: choose one of these")
    if not path.parent.is_dir():
        raise InputError(f"a figure needs an existing folder; found none at {str(path.parent)!r}: create it first")
    with report_style():
        figure = draw()
    write_atomically(path, encode(figure))


def _pdf(figure: Figure) -> bytes:
    return _encoded(figure, {}, format="pdf", metadata={"CreationDate": None})


def _encoded(figure: Figure, settings: dict[str, Any], **options: Any) -> bytes:
    written = BytesIO()
    with report_style(**settings):
        figure.savefig(written, **options)
    return written.getvalue()


_ENCODERS: dict[str, Callable[[Figure], bytes]] = {
    ".png": png,
    ".svg": lambda figure: svg(figure, outlines=True),
    ".pdf": _pdf,
}
