"""The blocks that the template can set, and text that breaks well at the end of a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from prunestats.metric import ERROR, Metric
from prunestats.reports.text.table import ReportTable
from prunestats.wording import MINUS, plain, share, shortened

Block = dict[str, Any]

MIDDLE_RATIOS = "middle 80 % of the sampled ratios"
"""What a pale bar in a figure shows: only an optimum inside it can be interior."""

_AXES_NOTE = "Axes are logarithmic, those of error only if errors span more than a factor of 5."

_Row = TypeVar("_Row")

_MOST_ROWS = 3
"""Most rows of panels in a figure: four would not fit a page with their caption."""

# Words of 25 letters or more, such as keys and hashes, may break after every 12. Round numbers: shorter words fit a
# column of a table, and breaking them would only make them harder to read.
_LONG_WORD = re.compile(r"[^\s\u00a0]{25,}")
_QUANTITY = re.compile(r"\d %|\b[np] [=<] (?=\d)")
_HYPHENED = re.compile(r"(?<![^\s(\[])-(?=\d)")


@dataclass(frozen=True)
class Picture:
    """A figure, drawn and written to a file, that the report shows.

    Parameters
    ----------
    path : str
        Name of its SVG file, beside the template.
    width : float
        In inches.
    """

    path: str
    width: float


def axes_note(metric: Metric) -> str:
    """Which axes of a figure are logarithmic."""
    if metric == ERROR:
        return _AXES_NOTE
    # as `needs_log_axis` decides
    if metric.sign < 0 or metric.unit == "dB":
        return f"The axis of {metric.label} is linear."
    return f"The axis of {metric.label} is logarithmic only if its values span more than a factor of 5."


def of_regime(regime: float | None) -> str:
    """Which subnetworks a regime has, after "at" or "At".

    Examples
    --------
    >>> of_regime(0.5), of_regime(None)
    ('50 % of the FLOPs', 'any number of FLOPs')
    """
    return "any number of FLOPs" if regime is None else f"{share(regime)} of the FLOPs"


def breakable(text: object) -> str:
    """Text with marks for line breaks: allowed inside long words, forbidden between a number and its unit.

    Examples
    --------
    >>> breakable("95 % of n = 80")
    '95\\xa0% of n\\xa0=\\xa080'
    """
    joined = _QUANTITY.sub(lambda found: found.group().replace(" ", "\u00a0"), plain(text))
    return _LONG_WORD.sub(lambda word: "\u200b".join(re.findall(".{1,12}", word.group())), joined)


def signed(sentence: str) -> str:
    """A sentence whose negative numbers have minus signs instead of hyphens.

    Examples
    --------
    >>> signed("slope -1.5, two-lines")
    'slope −1.5, two-lines'
    """
    return _HYPHENED.sub(MINUS, sentence)


def heading(text: str, level: int = 1) -> Block:
    """A heading, which the outline of the PDF lists as well."""
    return {"kind": "heading", "level": level, "text": text}


def text_block(text: str) -> Block:
    """A paragraph."""
    return {"kind": "text", "text": breakable(text)}


def note(text: str) -> Block:
    """A line in small letters."""
    return {"kind": "note", "text": breakable(text)}


def list_block(items: Iterable[str]) -> Block:
    """A list."""
    return {"kind": "list", "items": [breakable(item) for item in items]}


def figure_block(picture: Picture, caption: str, alt: str, *, floats: bool = False) -> Block:
    """A figure with its caption and alternative text; one that floats is placed at the top or bottom of a page."""
    placed = {"path": picture.path, "width": picture.width, "floats": floats}
    return {"kind": "figure", "caption": breakable(caption), "alt": breakable(alt), **placed}


def table_block(table: ReportTable) -> Block:
    """A table, with long names shortened."""
    columns = [{"head": c.head, "group": c.group, "align": c.align} for c in table.columns]
    rows = [[breakable(shortened(cell)) for cell in row] for row in table.rows]
    return {"kind": "table", "caption": breakable(table.caption), "columns": columns, "rows": rows}


def figure_parts(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Regimes or networks, figure by figure: as many as fit a page, in parts of nearly equal size."""
    parts = -(-len(rows) // _MOST_ROWS)
    bounds = [round(part * len(rows) / parts) for part in range(parts + 1)]
    return [list(rows[low:high]) for low, high in pairwise(bounds)]
