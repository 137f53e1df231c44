"""Layout of a table in the width of a terminal: numbers and names are never cut."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

GAP = 2
"""Spaces between two columns."""

_LONGEST_NAME = 24
"""Longest text that counts as a name, which is not cut: above the 16 digits of a key, below a sentence."""

_NUMBERS = re.compile(r"[-+−–]?[\d.,]+(e[-+]?\d+)?( ?%)?( \[.*\])?")


@dataclass(frozen=True)
class Layout:
    """Headings and widths of the columns that are printed, and what is the same in all rows.

    Parameters
    ----------
    shown : tuple of int
        Indices of the printed columns.
    headings : tuple of str
        Their headings, with line breaks.
    widths : tuple of int
    same : tuple of (str, str)
        Name and value of the columns that are left out because all rows agree in them.
    """

    shown: tuple[int, ...]
    headings: tuple[str, ...]
    widths: tuple[int, ...]
    same: tuple[tuple[str, str], ...]


def fit_columns(
    columns: Sequence[str], cells: Sequence[Sequence[str]], width: int, wrapped: Collection[str] = ()
) -> Layout | None:
    """Fit a table into a width; None where that would cut a number or a name.

    Headings are broken first; then columns in which all rows agree are left out, and long text gets what is left.

    Parameters
    ----------
    columns : sequence of str
    cells : sequence of sequence of str
        Rows as text.
    width : int
        Characters of a line.
    wrapped : collection of str
        Columns whose text may take several lines, and so needs no more width than its longest word.

    Examples
    --------
    >>> rows = [["0.5", "0.123456"], ["0.25", "0.234567"]]
    >>> fit_columns(["regime", "median_of_errors"], rows, 24).headings
    ('regime', 'median_of_errors')
    >>> fit_columns(["regime", "median_of_errors"], rows, 20).headings
    ('regime', 'median_of_\\nerrors')
    >>> fit_columns(["regime", "median_of_errors"], rows, 10) is None
    True
    """
    every = tuple(range(len(columns)))
    contents = [max((cell_len(row[index]) for row in cells), default=0) for index in every]
    natural = [max(cell_len(name), content) for name, content in zip(columns, contents, strict=True)]
    if _total(natural) <= width:
        return Layout(every, tuple(columns), tuple(natural), ())
    same = [index for index in every if len(cells) > 1 and len({row[index] for row in cells}) == 1]
    for shown in (every, tuple(index for index in every if index not in same)):
        least = [_least_width(columns[index], [row[index] for row in cells], wrapped) for index in shown]
        if shown and _total(least) <= width:
            most = [max(low, contents[index]) for low, index in zip(least, shown, strict=True)]
            room = width - GAP * (len(shown) - 1)
            # text before headings, which can be broken without loss
            widths = _share(_share(least, most, room), [natural[index] for index in shown], room)
            headings = [_broken(columns[index], wide) for index, wide in zip(shown, widths, strict=True)]
            left_out = tuple((columns[index], cells[0][index]) for index in every if index not in shown)
            return Layout(shown, tuple(headings), tuple(widths), left_out)
    return None


def blocks_of_rows(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> Iterator[list[list[str]]]:
    """Yield transposed blocks of a table: a line per column, with its name and the values of as many rows as fit.

    Examples
    --------
    >>> list(blocks_of_rows(["a", "b"], [["1", "2"], ["3", "4"]], 5))
    [[['a', '1'], ['b', '2']], [['a', '3'], ['b', '4']]]
    """
    names = max(map(cell_len, columns), default=0)
    block: list[Sequence[str]] = []
    used = names
    for row in cells:
        room = GAP + max(map(cell_len, row), default=0)
        if block and used + room > width:
            yield _transposed(columns, block)
            block, used = [], names
        block.append(row)
        used += room
    if block:
        yield _transposed(columns, block)


def is_number(value: Any) -> bool:
    """Return whether a value is aligned right."""
    return isinstance(value, int | float)


def _transposed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[name, *(row[index] for row in rows)] for index, name in enumerate(columns)]


def _least_width(name: str, cells: Sequence[str], wrapped: Collection[str]) -> int:
    """Return the width below which a heading's part, a number or a name would be cut."""
    heading = max(map(cell_len, _parts(name)), default=0)
    if name in wrapped:
        return max([heading, *(cell_len(word) for cell in cells for word in cell.split())])
    content = max(map(cell_len, cells), default=0)
    if all(_NUMBERS.fullmatch(cell) for cell in cells if cell):
        return max(heading, content)
    return max(heading, min(content, _LONGEST_NAME))


def _share(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Widen columns from their least to their most useful width, the narrowest first, as far as there is room."""
    widths = list(least)
    for index in sorted(range(len(widths)), key=lambda index: most[index] - least[index]):
        widths[index] += min(most[index] - least[index], room - sum(widths))
    return widths


def _broken(heading: str, room: int) -> str:
    """Break a heading at spaces and underscores."""
    lines = [""]
    for part in _parts(heading):
        if lines[-1] and cell_len(lines[-1] + part) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def _parts(heading: str) -> list[str]:
    return re.findall(r"[^_ ]*[_ ]|[^_ ]+", heading)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
