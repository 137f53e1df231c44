"""Intervals, and results as plain data that JSON can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from prunestats.errors import InputError


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Ends of the two-sided interval, in the unit of `value`.
    level : float
        Confidence level in (0, 1).

    Examples
    --------
    >>> print(Interval(0.1, 0.08, 0.12, 0.95))
    0.1 [0.08, 0.12]
    """

    value: float
    low: float
    high: float
    level: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers; what is not finite becomes None."""
        result: dict[str, Any] = plain(self)
        return result


def check_level(level: float) -> float:
    """Return `level` when it is a confidence level.

    Raises
    ------
    InputError
        Where it is not in (0, 1).

    Examples
    --------
    >>> check_level(0.95)
    0.95
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1; found {level:g}: for 95 % write level=0.95")
    return float(level)


def plain(value: Any) -> Any:
    """Turn a result into dicts, lists, strings and numbers, for JSON and the database.

    Parameters
    ----------
    value : Any
        Dataclasses, arrays, numpy scalars, tuples and dicts, nested as they come; a field whose metadata say
        ``plain=False`` is left out.

    Returns
    -------
    Any
        The same without numpy; numbers that are not finite are None, as JSON has no word for them.

    Examples
    --------
    >>> plain(Interval(np.float64(1.0), -np.inf, np.inf, 0.95))
    {'value': 1.0, 'low': None, 'high': None, 'level': 0.95}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.metadata.get("plain", True)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
