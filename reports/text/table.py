"""Tables of a report: columns of rounded cells, aligned by their decimal points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prunestats.metric import Metric
from prunestats.wording import NONE, PREFIXES, count, decimals, fixed, p_value, plain, share, times100


@dataclass(frozen=True)
class ReportColumn:
    """One column of a report's table: rounded cells under a heading.

    Parameters
    ----------
    head : str
        Heading, with the unit in brackets.
    cells : tuple of str
        Printed cells. Numbers have the same decimals, so that flush right aligns the decimal points.
    group : str
        Heading that neighbouring columns share, or empty.
    align : str
        ``"left"`` for words, ``"right"`` for numbers.
    """

    head: str
    cells: tuple[str, ...]
    group: str = ""
    align: str = "right"


@dataclass(frozen=True)
class ReportTable:
    """A table of a report.

    Parameters
    ----------
    name : str
        Short key, unique in a report.
    caption : str
        What is shown: which split, which interval, which sample size.
    columns : tuple of ReportColumn
    """

    name: str
    caption: str
    columns: tuple[ReportColumn, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Printed cells, one tuple per row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


def regime_column(values: Iterable[float | None]) -> ReportColumn:
    """The column of regimes; an en dash where FLOPs are not recorded."""
    return ReportColumn("regime", tuple(NONE if value is None else share(value) for value in values))


def words(head: str, cells: Iterable[object], group: str = "") -> ReportColumn:
    """A column of words, flush left."""
    return ReportColumn(head, tuple(plain(cell) for cell in cells), group, "left")


def numbers(head: str, values: Iterable[float | None], digits: int, group: str = "") -> ReportColumn:
    """A column of numbers with the same decimals."""
    return ReportColumn(head, tuple(fixed(value, digits) for value in values), group)


def counts(head: str, values: Iterable[int], group: str = "") -> ReportColumn:
    """A column of whole numbers."""
    return ReportColumn(head, tuple(count(value) for value in values), group)


def percents(head: str, values: Iterable[float | None], group: str = "", digits: int = 2) -> ReportColumn:
    """A column of fractions, printed in per cent; `head` or `group` must say so."""
    return ReportColumn(head, tuple(fixed(times100(value), digits) for value in values), group)


def metric_values(head: str, values: Iterable[float | None], metric: Metric, group: str = "") -> ReportColumn:
    """A column of values or differences of a metric, in its printed unit; `head` or `group` must name that."""
    known = list(values)
    digits = metric.digits(*known)
    return ReportColumn(head, tuple(metric.number(value, digits) for value in known), group)


def p_values(head: str, values: Iterable[float | None], group: str = "") -> ReportColumn:
    """A column of p-values."""
    return ReportColumn(head, tuple(p_value(value, "") for value in values), group)


def sizes(head: str, values: Sequence[float], group: str = "") -> ReportColumn:
    """A column of large numbers in thousands, millions or billions, by the largest of them; the heading says which."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    factor, unit = next(((f, u) for f, u in PREFIXES if largest >= f), (1.0, ""))
    scaled = [value / factor for value in values]
    digits = decimals(scaled) if unit else 0
    return ReportColumn(f"{head} ({unit})" if unit else head, tuple(fixed(v, digits) for v in scaled), group)
