"""Whole columns from SQL text: through ADBC where the extra `fast` is installed, else through the ordinary driver."""

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


@contextmanager
def reading(engine: Engine) -> Iterator[tuple[Connection, Fetch, Begin]]:
    """Open a transaction that reads, with the fastest way to whole columns.

    Yields
    ------
    sqlalchemy.Connection
    callable
        All that it fetches is of one moment: it stays on one connection, in one transaction.
    callable
        Begins to fetch the same way, beside what the caller goes on to do where the driver lets it.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(read(engine))
        if fast(engine.dialect.name):
            from prunestats.db.reading.fetch_arrow import arrow_reader

            fetch = stack.enter_context(arrow_reader(engine.url))
            beside = stack.enter_context(ThreadPoolExecutor(1))
            yield connection, fetch, lambda sql, types: beside.submit(fetch, sql, types).result
        else:
            ordinary = partial(_fetch, connection)
            # Python's driver holds the interpreter while it reads: there is no beside
            yield connection, ordinary, lambda sql, types: partial(ordinary, sql, types)


def fast(dialect: str) -> bool:
    """Return whether ADBC and pyarrow are installed."""
    return find_spec("pyarrow") is not None and find_spec(f"adbc_driver_{dialect}") is not None


def _fetch(connection: Connection, sql: str, types: Types) -> pd.DataFrame:
    cursor = connection.exec_driver_sql(sql).cursor
    assert cursor is not None
    # the driver's rows, not SQLAlchemy's, which take as long again; and no more of them at once than memory likes
    parts = [[typed((), kind) for kind in types.values()]]
    try:
        while rows := cursor.fetchmany(_ROWS):
            columns = zip(zip(*rows, strict=True), types.values(), strict=True)
            parts.append([typed(values, kind) for values, kind in columns])
    except connection.dialect.loaded_dbapi.Error as error:
        raise DatabaseError(f"expected a database that can be read; found: {error}: check it") from error
    joined = (pd.concat(column, ignore_index=True) for column in zip(*parts, strict=True))
    return pd.DataFrame(dict(zip(types, joined, strict=True)), copy=False)
