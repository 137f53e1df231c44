"""Whole columns from SQL text: through ADBC where the extra `fast` is installed, else through the ordinary driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine

from prunestats.db.engine import read
from prunestats.errors import DatabaseError

Kind = Literal["whole", "real", "text"]
Types = Mapping[str, Kind]
# From the text of a query without parameters, and the types of its columns, to a frame.
Fetch = Callable[[str, Types], pd.DataFrame]
# The same for what is called to have the frame: until then nothing else may be fetched.
Begin = Callable[[str, Types], Callable[[], pd.DataFrame]]

# str from pandas 3 on, object before
TEXT = pd.Series(["text"]).dtype
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
            from prunestats.db.arrow import arrow_reader

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
    parts = [[_typed((), kind) for kind in types.values()]]
    try:
        while rows := cursor.fetchmany(_ROWS):
            columns = zip(zip(*rows, strict=True), types.values(), strict=True)
            parts.append([_typed(values, kind) for values, kind in columns])
    except connection.dialect.loaded_dbapi.Error as error:
        raise DatabaseError(f"expected a database that can be read; found: {error}: check it") from error
    joined = (pd.concat(column, ignore_index=True) for column in zip(*parts, strict=True))
    return pd.DataFrame(dict(zip(types, joined, strict=True)), copy=False)


def _typed(values: tuple[Any, ...], kind: Kind) -> pd.Series[Any]:
    if kind == "text":
        return pd.Series(values, dtype=TEXT)
    return pd.Series(np.array(values, dtype=np.int64 if kind == "whole" else np.float64))
