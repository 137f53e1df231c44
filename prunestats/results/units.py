"""Columns of outside tables as the numbers that a results frame holds, and what can be told of their units."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from prunestats.errors import InputError, UnitWarning

Unit = Literal["counts", "thousands", "millions", "billions"]
SCALE = {"counts": 1.0, "thousands": 1e3, "millions": 1e6, "billions": 1e9}
ERROR_UNITS = {"fraction": 1.0, "percent": 100.0}
CONVENTIONS = {"multiply-adds": 1.0, "separate": 0.5}
_LARGEST = 2.0**63
_FEWEST_USES, _MOST_USES = 0.1, 1e7


def choice(value: str, choices: dict[str, float], name: str) -> float:
    """Return what a named choice stands for; refuse a name that is not one."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}; found {value!r}")
    return choices[value]


def numbers(values: pd.Series[Any], name: str) -> pd.Series[float]:
    """Return a column as floats; text that spells numbers is read, anything else is refused."""
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_complex_dtype(values):
        raise InputError(f"{name} must be numbers; found {values.dtype}: name another column")
    try:
        return values.astype(float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers; found {values.dtype} ({error}): convert the column") from None


def log_of(values: pd.Series[Any], name: str) -> pd.Series[float]:
    """Return the logarithm of a column of finite numbers above 0."""
    found = numbers(values, name)
    bad = found[~(np.isfinite(found) & (found > 0))]
    if len(bad):
        raise InputError(
            f"{name} must be finite and above 0 to take its logarithm; found {bad.iloc[0]:g} in {len(bad)} of "
            f"{len(found)} rows: drop or repair those runs"
        )
    return found.map(np.log)


def counts(values: pd.Series[Any], name: str, unit: str, factor: float = 1.0) -> pd.Series[Any]:
    """Return a column of counts, given in a unit, as whole numbers."""
    scale = choice(unit, SCALE, f"{name}_unit")
    found = numbers(values, name)
    if not np.isfinite(found).all():
        raise InputError(f"{name} must be finite; found {int((~np.isfinite(found)).sum())} missing: drop those rows")
    whole = np.isclose(found, np.round(found), rtol=1e-12, atol=1e-6)
    if unit == "counts" and not whole.all():
        raise InputError(
            f"{name} must be whole counts; found {found[~whole].iloc[0]:g}: in millions? pass {name}_unit='millions'"
        )
    scaled = (found * scale * factor).round()
    if not (scaled.abs() < _LARGEST).all():
        raise InputError(
            f"{name} must be counts that 64 bits hold; found {found.abs().max():g} {unit}: check {name}_unit"
        )
    return scaled.astype(np.int64)


def tuples(rows: Sequence[Any], name: str, least: int) -> list[tuple[int, ...]]:
    """Return sequences as tuples of whole numbers of `least` or more; all of one length for widths."""
    found = [_whole(row, name, least) for row in rows]
    lengths = sorted({len(row) for row in found})
    if name == "widths" and len(lengths) > 1:
        raise InputError(
            f"widths must have one entry a group of filters in every row; found {lengths[0]} to {lengths[-1]}: analyse "
            "originals of one design at a time"
        )
    return found


def _whole(row: Any, name: str, least: int) -> tuple[int, ...]:
    wanted = f"{name} must be sequences of whole numbers, {least} or more"
    if isinstance(row, str) or not isinstance(row, (Sequence, np.ndarray)):
        raise InputError(f"{wanted}; found {str(row)[:40]!r}: parse the column first, as with json.loads")
    try:
        values = np.asarray(row, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{wanted}; found {str(row)[:40]}: convert its entries") from None
    if values.ndim != 1 or not (values.size and (values == np.round(values)).all() and (values >= least).all()):
        raise InputError(f"{wanted}; found {str(row)[:40]}: drop or repair those rows")
    return tuple(int(value) for value in values)


def check_plausible(frame: pd.DataFrame) -> None:
    """Refuse FLOPs and parameters whose ratio no network has: they are in two units."""
    # every weight of a convolution or a linear layer is used at least once, and at most once a position of its output
    uses = frame["flops"] / frame["params"].clip(lower=1)
    for strange, words in ((uses < _FEWEST_USES, "far below"), (uses > _MOST_USES, "ten million times the")):
        if strange.any():
            row = frame[strange].iloc[0]
            raise InputError(
                f"FLOPs should not be {words} parameters; found {row.flops:g} FLOPs and {row.params:g} parameters in "
                f"subnetwork {row.subnetwork}: one of them in millions? pass flops_unit or params_unit"
            )
    if "layer_params" in frame.columns:
        share = frame["layer_params"].map(sum) / frame["params"]
        strange = (share < 0.5) | (share > 1.001)
        if strange.any():
            row = frame[strange].iloc[0]
            raise InputError(
                f"layer_params must add up to params, or a little less; found {sum(row.layer_params):g} of "
                f"{row.params:g} in subnetwork {row.subnetwork}: check the unit of params"
            )


def warn_of_units(error: pd.Series[float], unit: str, flops: pd.Series[float], separate: bool) -> None:
    """Warn of what looks like another unit and cannot be told for sure."""
    if unit == "percent" and error.max() < 1:
        _warn(
            f"every error is below 1 % (largest {error.max():g} %): if they are fractions, pass error_unit='fraction'"
        )
    if unit == "fraction" and error.min() > 0.5:
        _warn(f"every error is above 0.5 (least {error.min():g}): if these are accuracies, give 1 - accuracy")
    if separate and bool((flops % 2 == 1).any()):
        _warn(
            "a counter that counts multiplications and additions apart gives even numbers; found odd ones: if it "
            "counts multiply-adds, pass flops_convention='multiply-adds'"
        )


def _warn(message: str) -> None:
    warnings.warn(message, UnitWarning, stacklevel=5)
