"""Consistency of the rows of an external table: what two rows say of one thing must agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunestats.db.exchange.plausible_units import RUN_KEY
from prunestats.db.exchange.refused_rows import RefusedError, Run
from prunestats.db.storing.insert_once import short
from prunestats.db.storing.records import RESULT

_MEMBER_RUN = ("study", "space", "regime", *RUN_KEY)
_ORIGINAL = ("network", "dataset", "original_seed", "original_flops", "original_params")


class Consistency:
    """Consistency of the rows: one result per run, one cost per subnetwork, one description per original."""

    def __init__(self) -> None:
        self.row_of: dict[tuple[Any, ...], int] = {}
        self.known: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def check(self, copies: Sequence[Run]) -> None:
        """Refuse runs that repeat or contradict an earlier row."""
        for run in copies:
            original, subnetwork = (run["original"],), (run["original"], run["subnetwork"])
            self._same(
                original, [run.get(name) for name in _ORIGINAL], "one name, data set, seed and cost of an original"
            )
            self._same(subnetwork, [run["flops"], run["params"]], "one cost of every subnetwork")
            self._same(("study", run["study"]), [run.get("metric")], "one metric of a study")
            member = tuple(run[name] for name in _MEMBER_RUN)
            if member in self.row_of:
                raise RefusedError("each run once", f"that of row {self.row_of[member]} again")
            self.row_of[member] = run["row"]
            result = [run.get(name) for name in RESULT]
            self._same(tuple(run[name] for name in RUN_KEY), result, "one result of every run")

    def _same(self, key: tuple[Any, ...], value: list[Any], expected: str) -> None:
        if self.known.setdefault(key, tuple(value)) != tuple(value):
            raise RefusedError(expected, f"{short(value[:3])} after {short(list(self.known[key][:3]))}")
