"""Frames from SQL text: through ADBC where the extra `fast` is installed, else through the ordinary driver."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec

import pandas as pd
from sqlalchemy import Connection, Engine

from prunestats.db.connection.engine import read
from prunestats.db.reading.column_types import Begin, Fetch, Types, typed
from prunestats.errors import DatabaseError

_ROWS = 100_000
"""Rows per fetch of the ordinary driver: bounds the memory for tuples; the frame does not depend on it."""


@contextmanager
def reading(engine: Engine) -> Iterator[tuple[Connection, Fetch, Begin]]:
    """Open a read transaction, with the fastest functions that fetch frames in it.

    Yields
    ------
    sqlalchemy.Connection
    Fetch
        All its queries run on one connection, in one transaction, and so see one snapshot.
    Begin
        Starts a query in that transaction; with ADBC it runs in another thread.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(read(engine))
        if fast(engine.dialect.name):
            from prunestats.db.reading.fetch_arrow import arrow_reader

            fetch = stack.enter_context(arrow_reader(engine.url))
            thread = stack.enter_context(ThreadPoolExecutor(1))
            yield connection, fetch, lambda sql, types: thread.submit(fetch, sql, types).result
        else:
            ordinary = partial(_fetch, connection)
            # Python's driver holds the interpreter lock while it reads: a thread would gain nothing
            yield connection, ordinary, lambda sql, types: partial(ordinary, sql, types)


def fast(dialect: str) -> bool:
    """Return whether ADBC and pyarrow are installed."""
    return find_spec("pyarrow") is not None and find_spec(f"adbc_driver_{dialect}") is not None


def _fetch(connection: Connection, sql: str, types: Types) -> pd.DataFrame:
    cursor = connection.exec_driver_sql(sql).cursor
    assert cursor is not None
    # the driver's rows: building SQLAlchemy's would double the time
    parts = [[typed((), kind) for kind in types.values()]]
    try:
        while rows := cursor.fetchmany(_ROWS):
            columns = zip(zip(*rows, strict=True), types.values(), strict=True)
            parts.append([typed(values, kind) for values, kind in columns])
    except connection.dialect.loaded_dbapi.Error as error:
        raise DatabaseError(
            f"expected a database that can be read; found: {error}: see `prunestats db check`"
        ) from error
    joined = (pd.concat(column, ignore_index=True) for column in zip(*parts, strict=True))
    return pd.DataFrame(dict(zip(types, joined, strict=True)), copy=False)
