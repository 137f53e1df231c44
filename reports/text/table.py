"""Printed tables: columns of rounded cells, aligned by their decimal points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prunestats.wording import PREFIXES, count, decimals, fixed, p_value, plain, times100


@dataclass(frozen=True)
class Column:
    """One column of a printed table: rounded cells under a heading.

    Parameters
    ----------
    head : str
        Heading, with the unit in brackets.
    cells : tuple of str
        Printed cells. Numbers have the same decimals, so that flush right aligns the decimal points.
    group : str
        Heading over neighbouring columns that belong together, or nothing.
    align : str
        ``"left"`` for words, ``"right"`` for numbers.
    """

    head: str
    cells: tuple[str, ...]
    group: str = ""
    align: str = "right"


@dataclass(frozen=True)
class Table:
    """A printed table.

    Parameters
    ----------
    name : str
        Short key, unique in a report.
    caption : str
        What is shown: which split, which interval, how many.
    columns : tuple of Column
    """

    name: str
    caption: str
    columns: tuple[Column, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Printed cells, a tuple a row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain JSON types."""
        return asdict(self)


def words(head: str, cells: Iterable[object], group: str = "") -> Column:
    """A column of words, flush left."""
    return Column(head, tuple(plain(cell) for cell in cells), group, "left")


def numbers(head: str, values: Iterable[float | None], digits: int, group: str = "") -> Column:
    """A column of numbers with the same decimals."""
    return Column(head, tuple(fixed(value, digits) for value in values), group)


def counts(head: str, values: Iterable[int], group: str = "") -> Column:
    """A column of whole numbers."""
    return Column(head, tuple(count(value) for value in values), group)


def percents(head: str, values: Iterable[float | None], group: str = "", digits: int = 2) -> Column:
    """A column of fractions, printed in per cent; say so in `head`."""
    return Column(head, tuple(fixed(times100(value), digits) for value in values), group)


def p_values(head: str, values: Iterable[float | None], group: str = "") -> Column:
    """A column of p values."""
    return Column(head, tuple(p_value(value, "") for value in values), group)


def sizes(head: str, values: Sequence[float], group: str = "") -> Column:
    """A column of large numbers in thousands, millions or billions, whichever fits all; the heading says which."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    factor, unit = next(((f, u) for f, u in PREFIXES if largest >= f), (1.0, ""))
    scaled = [value / factor for value in values]
    digits = decimals(scaled) if unit else 0
    return Column(f"{head} ({unit})" if unit else head, tuple(fixed(v, digits) for v in scaled), group)
