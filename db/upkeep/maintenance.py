"""Maintenance of a results database: upgrade, backup and vacuum."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from prunestats.db.connection.address import check_file, file_of, parse_address
from prunestats.db.connection.driver_errors import database_error
from prunestats.db.connection.engine import make_engine, read, read_only_connection
from prunestats.db.schema.opening import open_database, read_only_engine
from prunestats.db.schema.tables import SCHEMA_VERSION
from prunestats.db.schema.upgrade import ensure_schema
from prunestats.errors import DatabaseError, InputError


class Upgrade(NamedTuple):
    """Schema version before and after an upgrade."""

    before: int
    after: int


class Vacuum(NamedTuple):
    """Size of a database before and after a vacuum, bytes."""

    before: int
    after: int


def upgrade_database(url_or_path: str | os.PathLike[str]) -> Upgrade:
    """Upgrade the schema of a database to this version; return the versions.

    Parameters
    ----------
    url_or_path : str or Path

    Returns
    -------
    Upgrade
        ``before`` is the version found under the lock: of several concurrent calls, one upgrades.

    Raises
    ------
    DatabaseError
        If there is no such database, or it is newer than this version, or of another application.
    """
    url = parse_address(url_or_path)
    if url.get_backend_name() == "sqlite":
        check_file(file_of(url), create=False)
    engine = make_engine(url)
    try:
        return Upgrade(ensure_schema(engine, create=False), SCHEMA_VERSION)
    finally:
        engine.dispose()


def backup_database(url_or_path: str | os.PathLike[str], destination: str | os.PathLike[str]) -> int:
    """Copy a snapshot of a SQLite database, even while it is written to; return the bytes of the copy.

    Parameters
    ----------
    url_or_path : str or Path
    destination : str or Path
        A file that does not exist; it appears once the copy is complete and checked.

    Returns
    -------
    int

    Raises
    ------
    InputError
        For PostgreSQL, which has `pg_dump`, or a destination that exists.
    DatabaseError
        If the database cannot be read, or the copy cannot be written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_database(f"{folder}/results.db").dispose()
    ...     size = backup_database(f"{folder}/results.db", f"{folder}/copy.db")
    ...     size == Path(folder, "copy.db").stat().st_size
    True
    """
    url, target = parse_address(url_or_path), Path(destination)
    if url.get_backend_name() != "sqlite":
        where = url.set(drivername="postgresql").render_as_string(hide_password=True)
        raise InputError(f"expected a SQLite file; found {where}: use pg_dump {where} > FILE")
    # an older schema is allowed: a backup is made before an upgrade
    read_only_engine(url_or_path, older=True).dispose()
    if target.exists():
        raise InputError(f"expected a new file for the backup; found that {str(target)!r} exists already: name another")
    if not target.parent.is_dir():
        raise InputError(f"expected a folder for the backup; found no {str(target.parent)!r}: make it first")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:40]}-") as folder:
            copy = Path(folder) / "backup.db"
            _copy(file_of(url), copy)
            with copy.open("rb+") as file:
                os.fsync(file.fileno())
            # a link, not a rename: a rename would replace a file that appeared meanwhile
            os.link(copy, target)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(
            f"expected to write a backup to {str(target)!r}; found: {error}: choose another place; nothing was left"
        ) from None
    return target.stat().st_size


def backup_beside(engine: Engine) -> Path | None:
    """Copy a SQLite database to a file beside it, named with date and time; return None for PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return None
    file = file_of(engine.url)
    copy = backup_name(file)
    backup_database(file, copy)
    return copy


def backup_name(file: Path) -> Path:
    """Return a name for a backup beside a SQLite file: results.backup-DATE-TIME.db, to the microsecond."""
    return file.with_name(f"{file.stem}.backup-{datetime.now():%Y%m%d-%H%M%S-%f}{file.suffix}")


def _copy(source: Path, copy: Path) -> None:
    with closing(read_only_connection(source)) as reader, closing(sqlite3.connect(copy)) as writer:
        reader.backup(writer)
        # without write-ahead mode the copy is one file, readable in a read-only folder
        writer.execute("PRAGMA journal_mode = DELETE")
        found = [row[0] for row in writer.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise DatabaseError(f"expected a whole database to copy; found it damaged ({found[0]}): restore a backup")


def vacuum_database(url_or_path: str | os.PathLike[str]) -> Vacuum:
    """Release the space of deleted rows; return the bytes before and after.

    Parameters
    ----------
    url_or_path : str or Path

    Returns
    -------
    Vacuum

    Raises
    ------
    DatabaseError
        If the database cannot be written, or another process uses it.
    """
    engine = open_database(url_or_path, create=False)
    try:
        before = _size(engine)
        if engine.dialect.name == "sqlite":
            _execute_alone(engine, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            _execute_alone(engine, "VACUUM ANALYZE")
        return Vacuum(before, _size(engine))
    finally:
        engine.dispose()


def _size(engine: Engine) -> int:
    size = "SELECT pg_database_size(current_database())"
    if engine.dialect.name == "sqlite":
        size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    with read(engine) as connection:
        return int(connection.exec_driver_sql(size).scalar_one())


def _execute_alone(engine: Engine, *statements: str) -> None:
    """Execute statements that cannot run inside a transaction."""
    pooled = engine.raw_connection()
    try:
        driver: Any = pooled.driver_connection
        if engine.dialect.name == "postgresql":
            driver.autocommit = True
        for statement in statements:
            driver.execute(statement)
    except Exception as error:
        # the drivers have no common base class of errors
        raise database_error(OperationalError(statement, None, error), engine) from error
    finally:
        pooled.invalidate()
        pooled.close()
