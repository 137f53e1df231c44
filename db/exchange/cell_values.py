"""Conversion of the cells of an external table to database values; a cell that cannot be converted is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from prunestats.db.connection.plain_values import LARGEST
from prunestats.db.exchange.column_roles import LOSSES, METRICS, Meaning, metric_roles
from prunestats.db.exchange.refused_rows import RefusedError
from prunestats.db.schema.tables import OPTIONAL_METRICS
from prunestats.db.storing.insert_once import short
from prunestats.metric import ERROR, Metric
from prunestats.results.units import ERROR_UNITS, FLOPS_PER_MULTIPLY_ADD, SCALE

_NAMES = ("study", "space", "original", "network", "dataset", "protocol", "protocol_key", "subnetwork")
_TEXT = (*_NAMES, "state", "failure", "host", "platform", "python", "flops_convention")

_OF_ROWS = ("val_metric", "test_metric")

Convert = Callable[[str, Any], Any]


_LARGEST_METRIC = 1e300
"""Values beyond it are refused as infinite, as the checks of the tables do."""


def converters(meaning: Meaning) -> dict[str, Convert]:
    """Return a converter per role: a function of the role and a cell that returns the database value."""
    per_multiply_add = FLOPS_PER_MULTIPLY_ADD[meaning.flops_convention]
    convert: dict[str, Convert] = dict.fromkeys(_TEXT, _text)
    convert |= dict.fromkeys(("seed", "draw", "epochs", "original_seed"), _integer)
    convert |= dict.fromkeys(("regime", "tolerance", "wall_s", *LOSSES, *_OF_ROWS, *OPTIONAL_METRICS), _float)
    convert |= dict.fromkeys(("flops", "original_flops"), _scaled(SCALE[meaning.flops_unit], per_multiply_add, "flops"))
    convert |= dict.fromkeys(("params", "original_params"), _scaled(SCALE[meaning.params_unit], 1, "params"))
    whole = ERROR_UNITS[meaning.error_unit]
    if meaning.metric == ERROR:
        convert |= dict.fromkeys(METRICS, lambda role, value: _error(role, value, whole))
    else:
        own = lambda role, value: _own_metric(role, value, meaning.metric, whole)  # noqa: E731
        convert |= dict.fromkeys(metric_roles(meaning.metric), own)
    convert |= {"metric": _metric_fields, "metrics": _metrics_by_split}
    return convert | {"versions": _json_object, "planned": _boolean, "created_at": _timestamp}


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _text(role: str, value: Any) -> str | None:
    if _missing(value):
        return None
    text = value if isinstance(value, str) else str(value)
    if "\0" in text or any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        raise RefusedError("text without NUL and surrogates", short(text))
    return text


def _number(role: str, value: Any) -> int | float | None:
    if _missing(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise RefusedError(f"a number for {role}", short(value))
    number = _parsed_number(role, value.strip()) if isinstance(value, str) else value
    if math.isinf(number):
        raise RefusedError(f"a finite number for {role}", str(number))
    return None if _missing(number) else number


def _parsed_number(role: str, text: str) -> int | float:
    try:
        if "_" in text:
            raise ValueError
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise RefusedError(f"a number for {role}", short(text)) from None


def _float(role: str, value: Any) -> float | None:
    number = _number(role, value)
    return None if number is None else float(number)


def _integer(role: str, value: Any) -> int | None:
    number = _number(role, value)
    if number is not None and (number != int(number) or abs(number) > LARGEST):
        raise RefusedError(f"a whole number for {role}", f"{number:g}")
    return None if number is None else int(number)


def _scaled(scale: int, divisor: int, name: str) -> Callable[[str, Any], int | None]:
    def scaled(role: str, value: Any) -> int | None:
        number = _number(role, value)
        if number is None:
            return None
        if scale == 1 and number != int(number):
            raise RefusedError(f"{role} in whole counts", f"{number:g}: in millions? pass --{name}-unit millions")
        counted = number * scale if divisor == 1 else number * scale / divisor
        if abs(counted) > LARGEST:
            raise RefusedError(f"{role} below 2**63", f"{counted:g}")
        return round(counted)

    return scaled


def _error(role: str, value: Any, whole: int) -> float | None:
    number = _number(role, value)
    if number is None:
        return None
    error = float(number) if role.endswith("error") else whole - number
    if whole != 1:
        error = error / whole
    if not 0 <= error <= 1:
        hint = ": pass --error-unit percent?" if whole == 1 and 1 < number <= 100 else ""
        raise RefusedError(f"{role} between 0 and {whole}", f"{number:g}{hint}")
    return error


def _own_metric(role: str, value: Any, metric: Metric, whole: int) -> float | None:
    number = _float(role, value)
    if number is None:
        return None
    found = number / whole
    low = -_LARGEST_METRIC if metric.low is None else metric.low
    high = _LARGEST_METRIC if metric.high is None else metric.high
    if not low <= found <= high:
        percent = whole == 1 and metric.is_fraction and 1 < number <= 100
        raise RefusedError(_range(role, metric, whole), f"{number:g}{': pass --error-unit percent?' * percent}")
    return found


def _range(role: str, metric: Metric, whole: int) -> str:
    """What is expected of a value: the range of the metric, in the unit of the table."""
    low, high = (None if bound is None else f"{bound * whole:g}" for bound in (metric.low, metric.high))
    if low is not None and high is not None:
        return f"{role} between {low} and {high}"
    if low is not None:
        return f"{role} of {low} or more"
    return f"{role} that is finite" if high is None else f"{role} of at most {high}"


def _metric_fields(role: str, value: Any) -> dict[str, Any] | None:
    fields = _json_object(role, value)
    if fields is None:
        return None
    try:
        return Metric(**fields).to_dict()
    except TypeError:
        raise RefusedError("name, direction, unit, low and high of a metric", short(value)) from None


def _metrics_by_split(role: str, value: Any) -> dict[str, dict[str, float]] | None:
    splits = _json_object(role, value)
    if splits is None:
        return None
    for metrics in splits.values():
        if not isinstance(metrics, dict) or not all(type(number) in (int, float) for number in metrics.values()):
            raise RefusedError("numbers by metric and split", short(value))
    return splits


def _json_object(role: str, value: Any) -> dict[str, Any] | None:
    found = None if _missing(value) else _decoded(value)
    if found is not None and not isinstance(found, dict):
        raise RefusedError(f"{role} as a JSON object", short(value))
    return found


def seed_values(values: list[Any]) -> list[Any]:
    """Return the values of a metric, one per seed, from several columns or from one cell that may hold a list."""
    if len(values) > 1:
        return values
    value = _decoded(values[0])
    if isinstance(value, list) and not value:
        raise RefusedError("a metric for at least one seed", "an empty list")
    return list(value) if isinstance(value, list | tuple) else [value]


def _decoded(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise RefusedError("JSON that can be read", short(value)) from None
    return value


def parse_widths(values: list[Any]) -> list[int] | None:
    """Return the widths of a subnetwork, from one cell that holds an array or from one cell per group."""
    listed = _decoded(values[0]) if len(values) == 1 else values
    if _missing(listed):
        return None
    if not isinstance(listed, list | tuple) or not listed:
        raise RefusedError("widths as an array", short(listed))
    widths = [_integer("widths", value) for value in listed]
    found = [width for width in widths if width is not None and width >= 1]
    if len(found) < len(widths):
        raise RefusedError("widths of 1 or more", short(listed))
    return found


def _boolean(role: str, value: Any) -> bool | None:
    known = {"true": True, "false": False, "1": True, "0": False}
    if _missing(value):
        return None
    if str(value).lower() not in known:
        raise RefusedError(f"true or false for {role}", short(value))
    return known[str(value).lower()]


def _timestamp(role: str, value: Any) -> datetime | None:
    if _missing(value):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise RefusedError(f"an ISO time for {role}", short(value)) from None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(microsecond=0, tzinfo=None)
