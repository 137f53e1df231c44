"""Frames through ADBC: columns arrive as Arrow arrays, without a Python object per value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

import pandas as pd
import pyarrow as pa
from adbc_driver_manager import Error, dbapi
from sqlalchemy import URL

from prunestats.db.connection.address import file_of
from prunestats.db.connection.engine import TIMEOUT_S, read_only_uri
from prunestats.db.connection.open_files import kept_open
from prunestats.db.reading.column_types import TEXT, Fetch, Types
from prunestats.errors import DatabaseError

_ARROW = {"integer": pa.int64(), "float": pa.float64(), "text": pa.string()}
_BATCH_ROWS = 10**9
"""More rows than a frame can have: the driver infers types from the first batch, which must therefore hold all rows."""


@contextmanager
def arrow_reader(url: URL) -> Iterator[Fetch]:
    """Open a read transaction on a connection of its own; all its queries see one snapshot.

    Raises
    ------
    DatabaseError
        If the database cannot be read.
    """
    options = {"adbc.sqlite.query.batch_rows": _BATCH_ROWS} if url.get_backend_name() == "sqlite" else {}
    try:
        with _connected(url) as connection:
            yield lambda sql, types: _fetch(connection, sql, types, options)
    except Error as error:
        found = " ".join(str(error).split())
        raise DatabaseError(
            f"expected a database that can be read; found: {found}: see `prunestats db check`"
        ) from error


def _connected(url: URL) -> AbstractContextManager[dbapi.Connection]:
    """A connection, closed at the end; of SQLite not while this process has the file open (`open_files`)."""
    if url.get_backend_name() == "sqlite":
        return kept_open(file_of(url), lambda: _connect(url))
    return _connect(url)


def _connect(url: URL) -> dbapi.Connection:
    # imported by name: a user of SQLite need not have PostgreSQL's driver, and vice versa
    driver = import_module(f"adbc_driver_{url.get_backend_name()}.dbapi")
    if url.get_backend_name() == "sqlite":
        address, first = read_only_uri(file_of(url)), f"PRAGMA busy_timeout = {1000 * TIMEOUT_S}"
    else:
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        first = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
    connection: dbapi.Connection = driver.connect(address)
    with connection.cursor() as cursor:
        cursor.execute(first)
    return connection


def _fetch(connection: dbapi.Connection, sql: str, types: Types, options: Mapping[str, int]) -> pd.DataFrame:
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**options)
        cursor.execute(sql)
        table = cursor.fetch_arrow_table()
    columns = zip(table.columns, types.items(), strict=True)
    return pd.DataFrame({name: _typed(column.cast(_ARROW[kind])) for column, (name, kind) in columns}, copy=False)


def _typed(column: pa.ChunkedArray) -> Any:
    if column.type == pa.string():
        return column.to_pandas().astype(TEXT)
    return column.to_numpy()
