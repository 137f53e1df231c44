"""Opening a results database, and the two doors to it: `write` and `read`."""

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

from prunestats.db.address import check_file, file_of, parse_address
from prunestats.db.faults import database_error
from prunestats.db.types import json_text
from prunestats.errors import DatabaseError

TIMEOUT_S = 30
# Most memory for pages of a SQLite file, in KiB: in the usual 2 MB, a million runs are read again and again.
_CACHE_KIB = 262_144
_WRITES = "prunestats_writes"


def open_database(url_or_path: str | os.PathLike[str], *, create: bool = True) -> Engine:
    """Open a results database with its schema in place.

    Parameters
    ----------
    url_or_path : str or Path
        A SQLite file, ``"sqlite:///results.db"``, or ``"postgresql+psycopg://user@host/name"``.
    create : bool
        Whether to make what is not there: the file, and the tables in an empty database.

    Returns
    -------
    sqlalchemy.Engine
        For `write` and `read`. ``engine.dispose()`` closes it.

    Raises
    ------
    DatabaseError
        If it is no database, damaged, of another application, of a newer version, cannot be reached, or is not there
        and not to be created. The message is one line.

    Notes
    -----
    An older schema is brought up to date under a lock. SQLite files are in write-ahead mode: beside ``results.db`` lie
    ``results.db-wal`` and ``results.db-shm`` while it is open. Copy an open database with SQLite's backup, not as a
    file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     engine = open_database(f"{folder}/results.db")
    ...     with read(engine) as connection:
    ...         found = connection.exec_driver_sql("SELECT count(*) FROM results").scalar_one()
    ...     engine.dispose()
    >>> found
    0
    """
    from prunestats.db.upgrade import ensure_schema

    url = parse_address(url_or_path)
    if url.get_backend_name() == "sqlite":
        check_file(file_of(url), create=create)
    engine = _engine(url)
    try:
        ensure_schema(engine, create=create)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes; it is committed at the end, or undone as a whole.

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
        If the database refuses: a wrong row, a full disk, a lock held for more than 30 s.

    Notes
    -----
    On SQLite it begins with BEGIN IMMEDIATE, so that writers wait for one another instead of failing in the middle.
    """
    with _faults(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that reads: all its queries see the database at one moment.

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
    with _faults(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def read_only_engine(url_or_path: str | os.PathLike[str], *, older: bool = False) -> Engine:
    """Return an engine that cannot write, on a database that is there; nothing is created or upgraded.

    Raises
    ------
    DatabaseError
        As `open_database` does, and for a schema that is not of this version, unless it is older and may be.
    """
    from prunestats.db.upgrade import check_schema

    url = parse_address(url_or_path)
    if url.get_backend_name() == "sqlite":
        check_file(file_of(url), create=False)
        engine = _sqlite(url, creator=lambda: read_only_connection(file_of(url)))
    else:
        engine = _postgresql(url)
    try:
        check_schema(engine, older=older)
    except BaseException:
        engine.dispose()
        raise
    return engine


def read_only_connection(path: Path) -> sqlite3.Connection:
    """Connect to a SQLite file such that SQLite itself refuses to write."""
    connection = sqlite3.connect(
        read_only_uri(path), uri=True, timeout=TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def read_only_uri(path: Path) -> str:
    """Return the URI by which SQLite opens a file to read alone."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    log = path.with_name(path.name + "-wal")
    # without a log to read, and where none can be made beside it, the file is all there is
    return uri if log.exists() or os.access(path.parent, os.W_OK) else uri + "&immutable=1"


def _engine(url: URL) -> Engine:
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)


def _sqlite(url: URL, **options: Any) -> Engine:
    if "creator" not in options:
        options["connect_args"] = {"timeout": TIMEOUT_S}
    engine = create_engine(url, poolclass=QueuePool, json_serializer=json_text, **options)
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, json_serializer=json_text)
    except (ImportError, NoSuchModuleError):
        raise DatabaseError(
            "expected psycopg for PostgreSQL; found it missing: pip install 'prunestats[postgresql]'"
        ) from None


def _prepare_connection(connection: sqlite3.Connection, record: Any) -> None:
    # the driver's own transactions begin too late: a row selected before an update could be out of date
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _faults(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise database_error(error, engine) from error
