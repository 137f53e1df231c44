"""Results as plain data: dicts, lists, strings and numbers that JSON and a database can hold."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class Result:
    """Base of the frozen dataclasses that statistics return: it gives them `to_dict`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Mean(Result):
    ...     value: float
    >>> Mean(np.float64(0.5)).to_dict()
    {'value': 0.5}
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain dicts, lists, strings and numbers; numbers that are not finite become None."""
        result: dict[str, Any] = plain_data(self)
        return result


def plain_data(value: Any) -> Any:
    """Turn a result into dicts, lists, strings and numbers, for JSON and the database.

    Parameters
    ----------
    value : Any
        Dataclasses, arrays, numpy scalars, tuples and dicts, in any nesting; a field is left out whose metadata say
        ``plain=False``, or ``plain=function`` with a function that is false for its value.

    Returns
    -------
    Any
        The same without numpy types; numbers that are not finite are None, as JSON cannot write them.

    Examples
    --------
    >>> plain_data({"mean": np.float64(1.0), "bounds": (-np.inf, np.inf), "x": np.arange(2)})
    {'mean': 1.0, 'bounds': [None, None], 'x': [0, 1]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        parts = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: plain_data(part) for f, part in parts if _is_kept(f.metadata.get("plain", True), part)}
    if isinstance(value, dict):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [plain_data(item) for item in value.tolist()]
    if isinstance(value, (tuple, list)):
        return [plain_data(item) for item in value]
    if isinstance(value, np.generic):
        return plain_data(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _is_kept(plain: Any, value: Any) -> bool:
    return bool(plain(value) if callable(plain) else plain)
