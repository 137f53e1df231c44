"""Creating or upgrading the schema of a database, and refusing a database that is not ours or newer."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect

from prunestats.db.connection.engine import TIMEOUT_S, read, write
from prunestats.db.schema.comments import write_comments
from prunestats.db.schema.tables import APPLICATION_ID, SCHEMA_VERSION, VERSION_TABLE, metadata
from prunestats.db.schema.views import create_views, drop_views
from prunestats.errors import DatabaseError

_ADVISORY_LOCK = 0x70727374
"""PostgreSQL lock of the process that creates or upgrades; any number serves that is the same in every version."""

_RETRY_S = 0.02
"""Seconds between attempts to switch to write-ahead mode, which another process delays by milliseconds."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def ensure_schema(engine: Engine, *, create: bool) -> int:
    """Create the schema in an empty database, upgrade an older one, and refuse any other.

    Returns
    -------
    int
        The version found under the lock: of several concurrent calls, one finds the old version and upgrades.

    Raises
    ------
    DatabaseError
        If the database is empty with ``create=False``, newer than this version, or of another application.
    """
    with read(engine) as connection:
        version = schema_version(connection)
    if version == 0 and not create:
        raise DatabaseError(f"expected a results database; found {_where(engine)} empty: run a study first")
    if version < SCHEMA_VERSION:
        version = _upgrade(engine)
    if engine.dialect.name == "sqlite":
        _use_write_ahead_log(engine)
    return version


def check_schema(engine: Engine, *, older: bool = False) -> None:
    """Refuse a database whose schema is of another version; nothing is changed.

    Raises
    ------
    DatabaseError
        As `ensure_schema`, and for an older schema, unless `older` is true.
    """
    with read(engine) as connection:
        version = schema_version(connection)
    if version == 0:
        raise DatabaseError(f"expected a results database; found {_where(engine)} empty: run a study first")
    if version < SCHEMA_VERSION and not older:
        raise DatabaseError(
            f"expected schema version {SCHEMA_VERSION}; found {version} in {_where(engine)}: "
            "upgrade it with `prunestats db upgrade`"
        )


def schema_version(connection: Connection) -> int:
    """Return the version of the schema; 0 for an empty database.

    Raises
    ------
    DatabaseError
        If the database is of another application, or newer than this version of prunestats.
    """
    where = _where(connection.engine)
    tables = set(inspect(connection).get_table_names())
    if connection.dialect.name == "sqlite":
        application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        foreign = application != APPLICATION_ID and (application != 0 or tables)
    else:
        foreign = VERSION_TABLE not in tables and bool(tables & set(metadata.tables))
    if foreign:
        names = ", ".join(sorted(tables)[:3]) or "none yet"
        raise DatabaseError(
            f"expected a database of prunestats; found {where} of another application (tables: {names}): name another"
        )
    if VERSION_TABLE not in tables:
        return 0
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    version = int(found) if found is not None and str(found).isdigit() else 0
    if version > SCHEMA_VERSION:
        raise DatabaseError(
            f"expected schema version {SCHEMA_VERSION} or older; found {version} in {where}: "
            "upgrade prunestats to open it"
        )
    return version


def _upgrade(engine: Engine) -> int:
    with write(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        # while this process waited for the lock, another may have done the work
        version = schema_version(connection)
        if version == SCHEMA_VERSION:
            return version
        drop_views(connection)
        _migrate(connection)
        create_views(connection)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        else:
            write_comments(connection)
    return version


def _migrate(connection: Connection) -> None:
    # imported here: alembic takes 0.2 s to import, and is seldom needed
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _use_write_ahead_log(engine: Engine) -> None:
    """Switch a SQLite file to write-ahead mode, which the file then keeps."""
    pooled = engine.raw_connection()
    try:
        driver = pooled.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        deadline = time.monotonic() + TIMEOUT_S
        while driver.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                driver.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # the switch needs an exclusive lock, and SQLite does not wait for it
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise DatabaseError(
                        f"expected to prepare {_where(engine)} for writing; found: {error}: try again"
                    ) from error
                time.sleep(_RETRY_S)
    finally:
        pooled.close()


def _where(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return repr(str(engine.url.database))
    return engine.url.render_as_string(hide_password=True)
