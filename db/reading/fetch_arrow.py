"""Whole columns through ADBC: no object of Python's is made for a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pandas as pd
import pyarrow as pa
from adbc_driver_manager import Error, dbapi
from sqlalchemy import URL

from prunestats.db.connection.address import file_of
from prunestats.db.connection.engine import TIMEOUT_S, read_only_uri
from prunestats.db.reading.column_types import TEXT, Fetch, Types
from prunestats.errors import DatabaseError

_ARROW = {"whole": pa.int64(), "real": pa.float64(), "text": pa.string()}
# SQLite's driver decides the types by the first batch: all rows are one batch
_BATCH_ROWS = 10**9


@contextmanager
def arrow_reader(url: URL) -> Iterator[Fetch]:
    """Open a transaction of its own that reads, all at one moment.

    Raises
    ------
    DatabaseError
        If the database cannot be read.
    """
    options = {"adbc.sqlite.query.batch_rows": _BATCH_ROWS} if url.get_backend_name() == "sqlite" else {}
    try:
        with _connect(url) as connection:
            yield lambda sql, types: _fetch(connection, sql, types, options)
    except Error as error:
        found = " ".join(str(error).split())
        raise DatabaseError(f"expected a database that can be read; found: {found}: check it") from error


def _connect(url: URL) -> dbapi.Connection:
    # each driver by its name: neither is needed for the other's database
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
