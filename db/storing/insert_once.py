"""Idempotent inserts: stored rows are kept, and a row that contradicts a stored one is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql

from prunestats.db.connection.plain_values import json_text, json_value, now
from prunestats.errors import DatabaseError, InputError

_BATCH = 10_000
"""Keys per statement: a key of three columns takes 30,000 parameters; SQLite allows 32,766, PostgreSQL 65,535."""


def content_hash(content: Any) -> str:
    """Return the SHA-256 of a value that JSON can represent, in hexadecimal digits.

    Examples
    --------
    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json_text(json_value(content)).encode()).hexdigest()


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert in bulk the rows whose keys are not stored yet; return the number of inserted rows."""
    if not rows:
        return 0
    # SQLAlchemy discards the row count of a bulk insert unless it is told to keep it
    keep = {"preserve_rowcount": True}
    if connection.dialect.name == "postgresql":
        # inline: without RETURNING, which would fetch every new id
        statement = postgresql.insert(table).on_conflict_do_nothing().inline()
        return connection.execute(statement, rows, execution_options=keep).rowcount
    bound = _bound(connection, table, rows)
    names = ", ".join(map(connection.dialect.identifier_preparer.quote, bound))
    text = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(bound))}) ON CONFLICT DO NOTHING"
    return connection.exec_driver_sql(text, list(zip(*bound.values(), strict=True)), execution_options=keep).rowcount


def _bound(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return columns of values as SQLite's driver takes them; converting row by row takes 1.5 times as long."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    if "created_at" in table.c:
        columns.setdefault("created_at", [now()] * len(rows))
    for name, values in columns.items():
        process = table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        if process is not None:
            columns[name] = list(map(process, values))
    return columns


def batches(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Split a sequence into parts that fit into the parameters of one statement."""
    return (values[start : start + _BATCH] for start in range(0, len(values), _BATCH))


def find_row(connection: Connection, table: Table, identity: Mapping[str, Any]) -> int | None:
    """Return the id of the row with these values, or None."""
    found = select(table.c.id).where(*(table.c[name] == value for name, value in identity.items()))
    return connection.scalar(found)


def get_or_insert(connection: Connection, table: Table, identity: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Return the id of the row with the columns `identity`; a new row is completed by `values`."""
    known = find_row(connection, table, identity)
    if known is None:
        insert_new(connection, table, [{**identity, **values}])
        known = find_row(connection, table, identity)
    if known is None:
        raise DatabaseError(
            f"expected to store a row of {table.name}; found another row with its key: please report this as a bug"
        )
    return known


def expect_same(connection: Connection, table: Table, row: int, values: Mapping[str, Any], what: str) -> None:
    """Raise an error where a stored row has other values than those to be stored."""
    stored = connection.execute(select(*(table.c[name] for name in values)).where(table.c.id == row)).one()
    for name, value, found in zip(values, values.values(), stored, strict=True):
        if json_value(value) != found:
            raise DatabaseError(
                f"expected {what} as it is stored, with {name} {short(found)}; found {short(json_value(value))}: "
                "rename it, or use another database"
            )


def short(value: Any) -> str:
    """Return the repr of a value, shortened to the width of a line for a message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def unknown_name(kind: str, value: object, names: Sequence[object]) -> InputError:
    """Return the error for a name that is not in the database; it lists up to ten names that are."""
    shown = ", ".join(repr(name) if isinstance(name, str) else f"{name:g}" for name in names[:10]) or "none"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return InputError(f"expected a {kind} in the database; found {value!r}: it has {shown}{more}")
