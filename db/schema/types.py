"""Column types that take numpy scalars and refuse what a database would quietly change."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, Integer, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

from prunestats.db.connection.plain_values import LARGEST, plain, text_value, whole
from prunestats.errors import DatabaseError


class Whole(TypeDecorator[int]):
    """A 64-bit integer; numpy integers are taken, fractions and larger numbers are refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """Coerce to int."""
        # SQLite would store a numpy integer as a blob
        if value is None or (type(value) is int and -LARGEST <= value <= LARGEST):
            return value
        return whole(value)


class Row(TypeDecorator[int]):
    """A 32-bit integer: the number of a row, a place in an order."""

    # SQLite numbers the rows by itself where the key is declared as exactly INTEGER
    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """Coerce to int."""
        return value if value is None or type(value) is int else whole(value)


class Real(TypeDecorator[float]):
    """A finite float; numpy floats are taken, NaN and infinities are refused."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:
        """Coerce to float."""
        if value is None:
            return None
        number = float(value)
        # SQLite turns NaN into NULL without a word
        if not math.isfinite(number):
            raise DatabaseError(f"expected a finite number; found {number}: store None where there is no value")
        return number


class String(TypeDecorator[str]):
    """Text of any length and script, without NUL and unpaired surrogates, which no database stores unchanged."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Refuse what cannot be stored."""
        return None if value is None else text_value(value)


class Json(TypeDecorator[Any]):
    """Plain JSON, with numpy scalars and arrays made plain; NaN and infinities are refused."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """JSONB on PostgreSQL, text on SQLite."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Make plain."""
        return None if value is None else plain(value)


def utc() -> TypeEngine[datetime]:
    """Type of a moment in UTC, to the second."""
    on_sqlite = sqlite.DATETIME(truncate_microseconds=True)  # type: ignore[no-untyped-call]
    return DateTime().with_variant(on_sqlite, "sqlite")
