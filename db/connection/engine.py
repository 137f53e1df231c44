"""Engines and transactions: every access to a results database goes through `write` or `read`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from prunestats.db.connection.address import file_of
from prunestats.db.connection.driver_errors import database_error
from prunestats.db.connection.open_files import count_connections
from prunestats.db.connection.plain_values import json_text
from prunestats.errors import DatabaseError

TIMEOUT_S = 30
"""Seconds that a writer waits for another: storing a run takes milliseconds; only a long import or merge takes more."""

_CACHE_KIB = 262_144
"""Page cache of SQLite, KiB: with the default of 2 MB, queries over a million runs read the same pages repeatedly."""

_WRITES = "prunestats_writes"


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction: committed at the end of the block, rolled back on an error.

    Parameters
    ----------
    engine : Engine
        From `open_database`.

    Yields
    ------
    sqlalchemy.Connection

    Raises
    ------
    DatabaseError
        For a row that violates a constraint, a full disk, or a lock held for more than 30 s.

    Notes
    -----
    SQLite begins it with BEGIN IMMEDIATE: writers wait for one another at the start instead of failing in the middle.
    """
    with _translated_errors(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Open a read transaction: all its queries see one snapshot of the database.

    Parameters
    ----------
    engine : Engine
        From `open_database`.

    Yields
    ------
    sqlalchemy.Connection

    Raises
    ------
    DatabaseError
        If the database cannot be read.
    """
    with _translated_errors(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def read_only_connection(path: Path) -> sqlite3.Connection:
    """Open a SQLite file read-only: SQLite itself refuses to write."""
    connection = sqlite3.connect(
        read_only_uri(path), uri=True, timeout=TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def read_only_uri(path: Path) -> str:
    """Return the URI by which SQLite opens a file read-only."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    log = path.with_name(path.name + "-wal")
    # without a write-ahead log, and in a folder where none can be created, the file alone is the database
    return uri if log.exists() or os.access(path.parent, os.W_OK) else uri + "&immutable=1"


def make_engine(url: URL) -> Engine:
    """Return an engine for an address of either kind."""
    return sqlite_engine(url) if url.get_backend_name() == "sqlite" else postgresql_engine(url)


def sqlite_engine(url: URL, **options: Any) -> Engine:
    """Return an engine for a SQLite file with explicit transactions."""
    if "creator" not in options:
        options["connect_args"] = {"timeout": TIMEOUT_S}
    engine = create_engine(url, poolclass=QueuePool, json_serializer=json_text, **options)
    if url.database:
        count_connections(engine, file_of(url))
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def postgresql_engine(url: URL) -> Engine:
    """Return an engine for a PostgreSQL server."""
    try:
        return create_engine(url, json_serializer=json_text)
    except (ImportError, NoSuchModuleError):
        raise DatabaseError(
            "expected psycopg for PostgreSQL; found it missing: pip install 'prunestats[postgresql]'"
        ) from None


def _prepare_connection(connection: sqlite3.Connection, record: Any) -> None:
    # the driver would begin a transaction at the first write: rows selected before it could be out of date
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated_errors(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise database_error(error, engine) from error
