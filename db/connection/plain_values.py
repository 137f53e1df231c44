"""Conversion of values to what SQLite and PostgreSQL both store: 64-bit integers, finite floats, text, JSON, UTC."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from prunestats.errors import DatabaseError


def whole(value: Any) -> int:
    """Return an int of at most 64 bits.

    Raises
    ------
    DatabaseError
        If it is not a whole number, or does not fit.

    Examples
    --------
    >>> whole(np.int32(7))
    7
    """
    try:
        number = operator.index(value)
    except TypeError:
        if not isinstance(value, float | np.floating) or not float(value).is_integer():
            raise DatabaseError(f"expected a whole number; found {value!r}: round it first") from None
        number = int(value)
    if not -LARGEST <= number <= LARGEST:
        raise DatabaseError(f"expected a whole number below 2**63; found {number}: use a smaller one")
    return number


def text_value(value: Any) -> str:
    r"""Return text that both databases store unchanged.

    Raises
    ------
    DatabaseError
        If it is not text, or contains NUL or unpaired surrogates.

    Examples
    --------
    >>> text_value("a\0b")
    Traceback (most recent call last):
    prunestats.errors.DatabaseError: expected text without NUL characters; found 'a\x00b': remove them
    """
    if not isinstance(value, str):
        raise DatabaseError(f"expected text; found {value!r} ({type(value).__name__}): convert it")
    if "\0" in value:
        raise DatabaseError(f"expected text without NUL characters; found {value[:80]!r}: remove them")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DatabaseError(f"expected text that UTF-8 can hold; found {value[:80]!r}: repair its encoding") from None
    return str(value)


def json_value(value: Any) -> Any:
    """Return a value as JSON types; numpy scalars and arrays become numbers and lists.

    Raises
    ------
    DatabaseError
        For anything that JSON cannot represent, including NaN and infinities.

    Examples
    --------
    >>> json_value({"widths": np.array([3, 5]), "rate": np.float64(0.5)})
    {'widths': [3, 5], 'rate': 0.5}
    """
    if isinstance(value, str):
        return text_value(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return _finite(float(value))
    if isinstance(value, Mapping):
        return {text_value(str(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        # a shortcut for widths, by far the most frequent lists
        if set(map(type, value)) == {int}:
            return list(value)
        return [json_value(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return json_value(value.tolist())
    raise DatabaseError(
        f"expected a value that JSON can represent; found {value!r} ({type(value).__name__}): convert it"
    )


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise DatabaseError(f"expected finite numbers to store as JSON; found {number}: store None instead")
    return number


def json_text(value: Any) -> str:
    """Return compact JSON text with sorted keys: equal values give equal text, and so equal hashes.

    Examples
    --------
    >>> json_text({"b": [1, 2], "a": None})
    '{"a":null,"b":[1,2]}'
    """
    return _ENCODER.encode(value)


def now() -> datetime:
    """Return the current time in UTC, truncated to seconds, without a time zone."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


LARGEST = 2**63 - 1
"""Largest integer that both databases store."""
