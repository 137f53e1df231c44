"""Columns of external tables converted to the units of a results frame, and checks of these units."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from prunestats.errors import InputError, UnitWarning
from prunestats.metric import Metric

Unit = Literal["counts", "thousands", "millions", "billions"]
SCALE: dict[str, int] = {"counts": 1, "thousands": 10**3, "millions": 10**6, "billions": 10**9}
ERROR_UNITS: dict[str, int] = {"fraction": 1, "percent": 100}
FlopsConvention = Literal["multiply-adds", "multiplications-and-additions"]
"""What one FLOP is: a multiplication with its addition, or each of the two."""

FLOPS_PER_MULTIPLY_ADD: dict[FlopsConvention, int] = {"multiply-adds": 1, "multiplications-and-additions": 2}

_LARGEST = 2.0**63
"""Counts are stored as signed 64-bit integers."""

_FEWEST_USES, _MOST_USES = 0.1, 1e7
"""FLOPs per parameter that no network has, and so a sign of two units.

A weight of a convolution or a linear layer takes part in one multiply-add per output position: in one at least, and in
10^7 only where an output has more than 3,000 x 3,000 positions. The lower limit is 0.1 and not 1 because biases and
batch normalisation are parameters that the FLOPs leave out. A slip of units is a factor of 1,000 or more.
"""

_HIGH_ERROR = 0.5
"""An error that most classifiers stay below: where every value lies above it, the column may hold accuracies."""

_LEAST_IN_LAYERS, _MOST_IN_LAYERS = 0.5, 1.001
"""The share of the parameters that those of the layers add up to.

The lower limit is far from 1, as layers may be left out; the upper one is close to it, as nothing is added. Both are
round numbers: a slip of units is a factor of 1,000 or more.
"""


def choice(value: str, choices: dict[str, int], name: str) -> int:
    """Return the factor of a unit by its name; refuse an unknown name."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}; found {value!r}: pass one of these")
    return choices[value]


def check_convention(value: str | None) -> FlopsConvention:
    """Return a FLOPs convention; refuse any other value.

    Examples
    --------
    >>> check_convention("multiply-adds")
    'multiply-adds'
    """
    for convention in FLOPS_PER_MULTIPLY_ADD:
        if value == convention:
            return convention
    found = "none" if value is None else repr(value)
    raise InputError(
        f"flops_convention must be {' or '.join(FLOPS_PER_MULTIPLY_ADD)}; found {found}: pass the first where a "
        "multiplication and its addition count as one FLOP, the second where they count as two"
    )


def numbers(values: pd.Series[Any], name: str) -> pd.Series[float]:
    """Return a column as floats; text is parsed as numbers, and anything else is refused."""
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_complex_dtype(values):
        raise InputError(f"{name} must be numbers; found {values.dtype}: name another column")
    try:
        return values.astype(float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers; found {values.dtype} ({error}): convert the column") from None


def metric_values(values: pd.Series[Any], metric: Metric, error_unit: str) -> pd.Series[float]:
    """Return a column of a metric in its unit; percentages of a fraction are divided by 100."""
    whole = choice(error_unit, ERROR_UNITS, "error_unit")
    if whole != 1 and not metric.is_fraction:
        raise InputError(
            f"error_unit='percent' is for fractions; found {metric.name} with the unit {metric.unit or 'none'!r}: "
            "leave it out, or pass unit='fraction'"
        )
    return numbers(values, metric.name) / whole


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
    """Return a column of counts as whole numbers, converted from `unit` and multiplied by `factor`."""
    scale = choice(unit, SCALE, f"{name}_unit")
    found = numbers(values, name)
    if not np.isfinite(found).all():
        raise InputError(f"{name} must be finite; found {int((~np.isfinite(found)).sum())} missing: drop those rows")
    # whole up to the rounding of a number that was printed and parsed, or computed in floating point
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
    """Return sequences as tuples of whole numbers, each at least `least`; widths must have one length."""
    found = [_whole(row, name, least) for row in rows]
    lengths = sorted({len(row) for row in found})
    if name == "widths" and len(lengths) > 1:
        raise InputError(
            f"widths must have one entry per group of filters in every row; found {lengths[0]} to {lengths[-1]}: "
            "analyse originals of one design at a time"
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
    """Refuse FLOPs and parameters whose ratio no network has: one of them is in another unit."""
    uses = frame["flops"] / frame["params"].clip(lower=1) if "flops" in frame.columns else pd.Series(1.0, frame.index)
    for strange, words in ((uses < _FEWEST_USES, "far below"), (uses > _MOST_USES, "ten million times the")):
        if strange.any():
            row = frame[strange].iloc[0]
            raise InputError(
                f"FLOPs should not be {words} parameters; found {row.flops:g} FLOPs and {row.params:g} parameters in "
                f"subnetwork {row.subnetwork}: one of them in millions? pass flops_unit or params_unit"
            )
    if "layer_params" in frame.columns:
        share = frame["layer_params"].map(sum) / frame["params"]
        strange = (share < _LEAST_IN_LAYERS) | (share > _MOST_IN_LAYERS)
        if strange.any():
            row = frame[strange].iloc[0]
            raise InputError(
                f"layer_params must add up to params, or a little less; found {sum(row.layer_params):g} of "
                f"{row.params:g} in subnetwork {row.subnetwork}: check the unit of params"
            )


def warn_of_units(
    error: pd.Series[float] | None, unit: str, flops: pd.Series[float] | None, convention: FlopsConvention
) -> None:
    """Warn of values that suggest another unit but do not prove it; None where the table has no such column."""
    if error is not None and unit == "percent" and error.max() < 1:
        _warn(
            f"every error is below 1 % (largest {error.max():g} %): if they are fractions, pass error_unit='fraction'"
        )
    if error is not None and unit == "fraction" and error.min() > _HIGH_ERROR:
        _warn(f"every error is above 0.5 (least {error.min():g}): if these are accuracies, give 1 - accuracy")
    if flops is not None and FLOPS_PER_MULTIPLY_ADD[convention] == 2 and bool((flops % 2 == 1).any()):
        _warn(
            "FLOPs that count multiplications and additions separately are even; found odd ones: if a multiplication "
            "and its addition count as one, pass flops_convention='multiply-adds'"
        )


def _warn(message: str) -> None:
    warnings.warn(message, UnitWarning, stacklevel=5)
