"""Column types that accept numpy scalars and refuse values that a database would change silently."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, Integer, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

from prunestats.db.connection.plain_values import LARGEST, json_value, text_value, whole
from prunestats.errors import DatabaseError


class Whole(TypeDecorator[int]):
    """A 64-bit integer; numpy integers are accepted, fractions and larger numbers are refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """Coerce to int."""
        # SQLite would store a numpy integer as a blob
        if value is None or (type(value) is int and -LARGEST <= value <= LARGEST):
            return value
        return whole(value)


class Row(TypeDecorator[int]):
    """A 32-bit integer: the number of a row, or a position in an order."""

    # SQLite assigns row numbers only to a primary key declared as exactly INTEGER
    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """Coerce to int."""
        return value if value is None or type(value) is int else whole(value)


class Real(TypeDecorator[float]):
    """A finite float; numpy floats are accepted, NaN and infinities are refused."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:
        """Coerce to float."""
        if value is None:
            return None
        number = float(value)
        # SQLite stores NaN as NULL silently
        if not math.isfinite(number):
            raise DatabaseError(f"expected a finite number; found {number}: store None where there is no value")
        return number


class String(TypeDecorator[str]):
    """Text of any length and script, without NUL and unpaired surrogates, which the databases cannot store."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Refuse text that cannot be stored."""
        return None if value is None else text_value(value)


class Json(TypeDecorator[Any]):
    """JSON; numpy scalars and arrays are converted, NaN and infinities are refused."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """JSONB on PostgreSQL, text on SQLite."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Convert to JSON types."""
        return None if value is None else json_value(value)


def utc() -> TypeEngine[datetime]:
    """Return the type of a time in UTC, to the second."""
    on_sqlite = sqlite.DATETIME(truncate_microseconds=True)  # type: ignore[no-untyped-call]
    return DateTime().with_variant(on_sqlite, "sqlite")
