"""Rows of an external table that cannot be stored, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prunestats.errors import InputError

Run = dict[str, Any]
"""A run that a row describes: its values by the columns of the view `results`, and `row`, the number of the row."""

COSTS = {"flops": "FLOPs", "params": "parameters"}
"""Roles of costs, with their words in messages."""


@dataclass(frozen=True)
class Refusal:
    """A row that cannot be stored.

    Parameters
    ----------
    row : int
        Its number in the table, from 1.
    reason : str
        What was expected.
    found : str
        What was found.
    """

    row: int
    reason: str
    found: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.reason}; found {self.found}"


class RefusedError(Exception):
    """A value that cannot be stored: what was expected, and what was found; the caller adds the row."""


def refuse_all(refusals: Sequence[Refusal], n_rows: int) -> InputError:
    """Return the error for a table with rows that cannot be stored."""
    return InputError(
        f"expected {n_rows:,} rows that can all be stored; found {len(refusals):,} that cannot "
        f"({counted_reasons(refusals)}; first: {refusals[0]}): repair them, or leave them out with --skip-bad"
    )


def counted_reasons(refusals: Sequence[Refusal]) -> str:
    """Return the number of refused rows per reason, most frequent first."""
    counts: dict[str, int] = {}
    for refusal in refusals:
        counts[refusal.reason] = counts.get(refusal.reason, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{n:,} × {reason}" for reason, n in ordered)
