"""Options of an import: how the columns of an external table are read, and defaults for what it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from prunestats.db.exchange.cell_values import converters
from prunestats.db.exchange.column_mapping import find_columns
from prunestats.db.exchange.column_roles import Meaning, SplitName, check_meaning
from prunestats.db.exchange.digit_widths import DigitWidths, digit_widths
from prunestats.db.exchange.refused_rows import RefusedError
from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric
from prunestats.results.units import FlopsConvention, Unit, check_convention

ANY_FLOPS = (1.0, 1.0)
"""Regime (target, relative tolerance) of results that were not sampled in a band: up to twice the original's FLOPs."""


@dataclass(frozen=True)
class ImportOptions:
    """Arguments of `import_results` that say how a table is read; documented there."""

    columns: Mapping[str, str | Sequence[str]]
    original: str | None
    dataset: str | None
    study: str | None
    space: str | None
    protocol: str | None
    regimes: Sequence[float]
    tolerance: float | None
    split: SplitName | None
    flops_convention: FlopsConvention | None
    flops_unit: Unit
    params_unit: Unit
    error_unit: Literal["fraction", "percent"]
    original_flops: float | None
    original_params: float | None
    any_fraction: bool
    widths_digits: str | None
    digit_widths: Mapping[Any, Any] | None
    original_widths: Sequence[int] | None
    metric: Metric

    @property
    def bands(self) -> list[tuple[float, float]]:
        """Regimes as pairs of target and relative tolerance."""
        return [(float(regime), float(self.tolerance or 0)) for regime in self.regimes] or [ANY_FLOPS]

    def meaning_of(self, table: pd.DataFrame) -> Meaning:
        """Return the columns of the table by role, with their units; refuse options that contradict them."""
        digits = digit_widths(self.widths_digits, self.digit_widths, self.original_widths)
        names = list(table.columns)
        given = self.columns if digits is None else _with_digits(self.columns, digits, names)
        found = find_columns(names, given, self.metric)
        _check_options(found, self)
        convention = _convention(table, found, self.flops_convention) if "flops" in found else "multiply-adds"
        units = (self.flops_unit, self.params_unit, self.error_unit)
        split = self.split if self.metric == ERROR else self.split or "test"
        meaning = Meaning(found, convention, *units, split, digits, self.metric)
        check_meaning(meaning)
        return meaning

    def defaults(self, meaning: Meaning, table_name: str) -> dict[str, Any]:
        """Return the values of roles for which a row has none."""
        values = {
            "original": self.original if self.metric == ERROR else self.original or table_name,
            "dataset": self.dataset or "not recorded",
            "study": self.study or table_name,
            "space": self.space or "outside",
            "protocol": self.protocol or "outside",
            "protocol_parameters": _protocol(meaning),
            "state": "done",
            "tolerance": self.tolerance,
            "metric": None if self.metric == ERROR else self.metric.to_dict(),
            **_original_costs(meaning, self.original_flops, self.original_params),
        }
        return {role: value for role, value in values.items() if value is not None}


def _with_digits(
    columns: Mapping[str, str | Sequence[str]], digits: DigitWidths, names: Sequence[str]
) -> dict[str, str | Sequence[str]]:
    """Return columns by role with that of the digits, which is the key of a subnetwork too unless there is another."""
    if "widths" in columns:
        raise InputError(
            f"expected widths once; found --widths-digits {digits.column} and the column {columns['widths']!r}: leave "
            "one out"
        )
    if digits.column not in names:
        shown = ", ".join(map(repr, names[:12]))
        raise InputError(f"expected a column of digits; found none called {digits.column!r}: the table has {shown}")
    key = {} if "subnetwork" in {*columns, *names} else {"subnetwork": digits.column}
    return {**columns, **key, "widths": digits.column}


def _check_options(found: Mapping[str, tuple[str, ...]], options: ImportOptions) -> None:
    regimes, tolerance = options.regimes, options.tolerance
    if "flops" not in found:
        _refuse_flops_options(found, options)
    if options.original is None and "original" not in found and options.metric == ERROR:
        raise InputError("expected the name of the original; found none: pass --original, or map a column to it")
    if regimes and "regime" in found:
        raise InputError(f"expected regimes once; found --regime and the column {found['regime'][0]!r}: leave one out")
    if regimes and tolerance is None:
        raise InputError(
            "expected the relative tolerance of the regimes; found none: pass --tolerance, for example 0.02"
        )
    for regime in regimes:
        if not 0 < regime <= 1:
            raise InputError(
                f"expected regimes as fractions of the original's FLOPs, up to 1; found {regime:g}: divide by 100?"
            )
    if tolerance is not None and not regimes and "regime" not in found:
        raise InputError("expected regimes with a tolerance; found no regimes: pass --regime, or map a column to it")
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise InputError(f"expected a relative tolerance between 0 and 1; found {tolerance:g}: divide by 100?")


def _refuse_flops_options(found: Mapping[str, tuple[str, ...]], options: ImportOptions) -> None:
    """Refuse options about FLOPs for a table without."""
    for given, name in (
        (bool(options.regimes), "--regime, a band of FLOPs"),
        ("regime" in found, "a column of regimes, bands of FLOPs"),
        (options.original_flops is not None, "--original-flops"),
        ("original_flops" in found, "a column of the original's FLOPs"),
    ):
        if given:
            raise InputError(
                f"expected a column for flops beside {name}; found none: map it, flops=NAME, or leave it out"
            )


def _convention(read: pd.DataFrame, found: Mapping[str, tuple[str, ...]], given: str | None) -> FlopsConvention:
    stated = set(read[found["flops_convention"][0]]) if "flops_convention" in found else set()
    if len(stated) == 1 and given is None:
        given = str(next(iter(stated)))
    return check_convention(given)


def _protocol(meaning: Meaning) -> dict[str, str]:
    # The key of the protocol is a hash of these words: other words would make another protocol of an earlier import.
    parameters = {"source": "results from outside"}
    metric = meaning.metric
    if metric != ERROR:
        parameters |= {"metric": metric.name, "direction": metric.direction, "unit": metric.unit}
    if meaning.selects_by_test:
        parameters["choices look at"] = f"the test split, as there is no other {metric.name}"
    return parameters


def _original_costs(meaning: Meaning, flops: float | None, params: float | None) -> dict[str, Any]:
    """Return the cost of the original, converted from the units of the columns."""
    costs: dict[str, Any] = {}
    for role, value in (("original_flops", flops), ("original_params", params)):
        try:
            costs[role] = converters(meaning)[role](role, value)
        except RefusedError as refused:
            raise InputError(f"expected {refused.args[0]}; found {refused.args[1]}") from None
    return costs
