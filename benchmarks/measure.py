"""Timings of two ways to compute the same result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prunestats.cli.terminal import print_rows


@dataclass(frozen=True)
class Comparison:
    """Seconds for one unit of work, by this package and by an alternative."""

    what: str
    unit: str
    ours_s: float
    other: str
    other_s: float


def seconds(act: Callable[[], object], units: int = 1, repeats: int = 3) -> float:
    """Seconds per unit: the minimum over repeats, as other processes can only add time."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - started)
    return best / units


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2f}x"


def print_comparisons(found: Iterable[Comparison]) -> None:
    rows = [
        (c.what, c.unit, f"{c.ours_s * 1e6:,.2f}", c.other, f"{c.other_s * 1e6:,.2f}", _times(c.other_s / c.ours_s))
        for c in found
    ]
    print_rows(("what", "unit", "prunestats, µs", "alternative", "alternative, µs", "ratio"), rows)
