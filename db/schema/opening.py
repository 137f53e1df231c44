"""Opening a results database, and read transactions on one that is open or named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from prunestats.db.connection.address import check_file, file_of, parse_address
from prunestats.db.connection.engine import make_engine, postgresql_engine, read, read_only_connection, sqlite_engine

Source = Engine | str | os.PathLike[str]


@contextmanager
def reading(source: Source) -> Iterator[Connection]:
    """Open a read transaction on an engine, or on the database of a path or URL."""
    engine = source if isinstance(source, Engine) else read_only_engine(source)
    try:
        with read(engine) as connection:
            yield connection
    finally:
        if engine is not source:
            engine.dispose()


def open_database(url_or_path: str | os.PathLike[str], *, create: bool = True) -> Engine:
    """Open a results database; create or upgrade its schema.

    Parameters
    ----------
    url_or_path : str or Path
        A SQLite file, ``"sqlite:///results.db"``, or ``"postgresql+psycopg://user@host/name"``.
    create : bool
        Whether to create a missing file, and the tables of an empty database.

    Returns
    -------
    sqlalchemy.Engine
        For `write` and `read`. ``engine.dispose()`` closes it.

    Raises
    ------
    DatabaseError
        If it is not a database, damaged, of another application, of a newer version, unreachable, or missing with
        ``create=False``. The message is one line.

    Notes
    -----
    An older schema is upgraded under a lock. SQLite files are in write-ahead mode: while ``results.db`` is open, the
    files ``results.db-wal`` and ``results.db-shm`` belong to it. Copy an open database with `backup_database`, not as a
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
    from prunestats.db.schema.upgrade import ensure_schema

    url = parse_address(url_or_path)
    if url.get_backend_name() == "sqlite":
        check_file(file_of(url), create=create)
    engine = make_engine(url)
    try:
        ensure_schema(engine, create=create)
    except BaseException:
        engine.dispose()
        raise
    return engine


def read_only_engine(url_or_path: str | os.PathLike[str], *, older: bool = False) -> Engine:
    """Return an engine that cannot write; nothing is created or upgraded.

    Raises
    ------
    DatabaseError
        As `open_database`, and for an older schema, unless `older` is true.
    """
    from prunestats.db.schema.upgrade import check_schema

    url = parse_address(url_or_path)
    if url.get_backend_name() == "sqlite":
        check_file(file_of(url), create=False)
        engine = sqlite_engine(url, creator=lambda: read_only_connection(file_of(url)))
    else:
        engine = postgresql_engine(url)
    try:
        check_schema(engine, older=older)
    except BaseException:
        engine.dispose()
        raise
    return engine
