"""Widths that a table writes as the digits of one column, one digit per group of filters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from prunestats.db.exchange.refused_rows import COSTS, RefusedError, Run
from prunestats.db.storing.insert_once import short
from prunestats.errors import InputError

_EXAMPLE = "pass --digit-widths, for example 1=0.25,2=0.5,3=0.75,4=1 with --original-widths, or 1=16,2=32 in filters"


@dataclass(frozen=True)
class DigitWidths:
    """What the digits of a column stand for.

    Parameters
    ----------
    column : str
        Column of the table.
    meaning : dict of str to Fraction
        By digit: filters; with `original`, a fraction of the original's filters.
    original : tuple of int or None
        Filters of the original in each group.
    """

    column: str
    meaning: dict[str, Fraction]
    original: tuple[int, ...] | None

    @property
    def words(self) -> str:
        """What a digit stands for, as a phrase."""
        digits = ", ".join(f"{digit} = {value}" for digit, value in self.meaning.items())
        return f"{digits} of {', '.join(map(str, self.original))} filters" if self.original else f"{digits} filters"

    def widths(self, value: Any) -> list[int]:
        """Return the widths of a subnetwork from its digits; refuse letters, and another number of digits."""
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not text or set(text) - set(self.meaning):
            raise RefusedError(f"widths by the digits {', '.join(self.meaning)}", _found(value))
        if self.original is None:
            return [int(self.meaning[digit]) for digit in text]
        if len(text) != len(self.original):
            raise RefusedError(f"{len(self.original)} digits, one per group of filters", f"{len(text)} ({text})")
        kept = [self.meaning[digit] * width for digit, width in zip(text, self.original, strict=True)]
        for width, digit, whole in zip(kept, text, self.original, strict=True):
            if width.denominator != 1:
                raise RefusedError(
                    "whole filters in every group", f"{self.meaning[digit]} of {whole}, by {digit} in {text}"
                )
        return [int(width) for width in kept]


def _found(value: Any) -> str:
    return "none" if value is None or (isinstance(value, float) and math.isnan(value)) else short(value)


def digit_widths(
    column: str | None, meaning: Mapping[Any, Any] | None, original: Sequence[int] | None
) -> DigitWidths | None:
    """Return the options of an import on digits, checked; None where there are none.

    Parameters
    ----------
    column : str or None
        Column that holds the digits.
    meaning : mapping of str to number, or None
        By digit: a fraction of the original's filters, or filters without `original`.
    original : sequence of int or None
        Filters of the original in each group.

    Raises
    ------
    InputError
        For options that contradict one another, and digits that stand for no whole number of filters.

    Examples
    --------
    >>> digit_widths("arch", {"1": 0.25, "2": 0.5, "3": 0.75, "4": 1}, [64, 128]).widths("41")
    [64, 32]
    """
    if column is None:
        if meaning or original:
            raise InputError("expected --widths-digits COLUMN with the meaning of its digits; found no column: name it")
        return None
    if not meaning:
        raise InputError(f"expected what each digit of {column!r} stands for; found nothing: {_EXAMPLE}")
    found = DigitWidths(
        column,
        {_digit(digit): _number(digit, value) for digit, value in meaning.items()},
        None if original is None else tuple(int(width) for width in original),
    )
    _check(found)
    return found


def _digit(digit: Any) -> str:
    text = str(digit).strip()
    if len(text) != 1 or text not in "0123456789":
        raise InputError(f"expected one digit, 0 to 9, and what it stands for; found {text!r}: {_EXAMPLE}")
    return text


def _number(digit: Any, value: Any) -> Fraction:
    try:
        # from text: 0.1 is one tenth, which no binary number is
        return Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        raise InputError(f"expected a number for the digit {digit}; found {str(value)!r}: {_EXAMPLE}") from None


def _check(digits: DigitWidths) -> None:
    for digit, value in digits.meaning.items():
        if digits.original is None and (value.denominator != 1 or value < 1):
            raise InputError(
                f"expected whole filters for the digit {digit}; found {float(value):g}: pass --original-widths if "
                "it is a fraction of the original's filters"
            )
        if digits.original is not None and not 0 < value <= 1:
            raise InputError(
                f"expected a fraction of the original's filters, above 0 and at most 1, for the digit {digit}; found "
                f"{float(value):g}: leave out --original-widths if digits stand for filters"
            )
    for width in digits.original or ():
        if width < 1:
            raise InputError(f"expected 1 filter or more in each group of --original-widths; found {width}: check them")


def check_order(runs: Sequence[Run]) -> None:
    """Refuse widths that contradict the costs: of two subnetworks that differ in one group, the wider one costs more.

    Raises
    ------
    InputError
        With the rows of both: the digits stand for something else.
    """
    lines: dict[tuple[Any, ...], dict[int, Run]] = {}
    for run in {(run["original"], *run["widths"]): run for run in runs}.values():
        widths = run["widths"]
        for group, width in enumerate(widths):
            others = (run["original"], group, *widths[:group], *widths[group + 1 :])
            lines.setdefault(others, {})[width] = run
    for line in lines.values():
        for narrow, wide in pairwise(line[width] for width in sorted(line)):
            for role, words in COSTS.items():
                # equal costs are allowed: a table in millions is rounded
                if narrow[role] > wide[role]:
                    raise InputError(
                        f"expected fewer {words} for fewer filters; found {narrow[role]:,} in row {narrow['row']} with "
                        f"widths {narrow['widths']}, and {wide[role]:,} in row {wide['row']} with {wide['widths']}: "
                        "check --digit-widths and --original-widths"
                    )
