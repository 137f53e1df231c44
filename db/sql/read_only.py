"""Queries of users: read-only by the database's own means, limited in rows and time."""

from __future__ import annotations

import os
import sqlite3
import time

from sqlalchemy import URL

from prunestats.db.connection.address import check_file, file_of, parse_address
from prunestats.db.connection.engine import read_only_connection
from prunestats.db.sql.answer import QueryResult, limit_rows, not_read_only, timed_out
from prunestats.db.sql.error_position import at_offset, near_names, offset_of, syntax_offset
from prunestats.errors import DatabaseError, InputError, QueryError

# PRAGMAs that describe the schema and change nothing.
_PRAGMAS = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list", "database_list"}
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_LONGEST_VALUE = 64 * 2**20
"""Bytes of the largest value that a query may build: far above any stored text, far below the memory of a machine."""

_CHECK_EVERY = 10_000
"""Instructions of SQLite's virtual machine between two looks at the clock.

A round number: a query is stopped promptly, and a call of Python is rare among so many instructions.
"""


def query(
    url_or_path: str | os.PathLike[str], sql: str, *, limit: int | None = 10_000, timeout_s: float = 60.0
) -> QueryResult:
    """Query a results database in SQL; nothing can be written.

    Parameters
    ----------
    url_or_path : str or Path
        The database.
    sql : str
        One statement.
    limit : int or None
        Largest number of rows to return; None returns all.
    timeout_s : float
        Seconds after which the query is stopped.

    Returns
    -------
    QueryResult
        ``columns, rows, truncated``.

    Raises
    ------
    QueryError
        For an invalid statement: the message has the position, and similar names for an unknown one.
    DatabaseError
        For a statement that does more than read, or takes too long.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from prunestats.db import open_database
    >>> with TemporaryDirectory() as folder:
    ...     open_database(f"{folder}/results.db").dispose()
    ...     answer = query(f"{folder}/results.db", "SELECT count(*) AS runs FROM run")
    >>> answer
    QueryResult(columns=('runs',), rows=[(0,)], truncated=False)
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit must be 1 or more, or None for all rows; found {limit}: pass one of these")
    if not timeout_s > 0:
        raise InputError(f"timeout_s must be above 0 seconds; found {timeout_s}: allow some time")
    if not sql.strip().strip(";"):
        raise DatabaseError("expected a SELECT; found an empty statement: try SELECT * FROM results")
    url = parse_address(url_or_path)
    if url.get_backend_name() == "postgresql":
        from prunestats.db.sql.postgresql import query_postgresql

        return query_postgresql(url, sql, limit, timeout_s)
    return _query_sqlite(url, sql, limit, timeout_s)


def catalogue(url_or_path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Return the columns of every view and table; views come first.

    Parameters
    ----------
    url_or_path : str or Path
        The database.

    Returns
    -------
    dict
        Columns in order, by name of the view or table.
    """
    found: dict[str, list[str]] = {}
    sqlite = parse_address(url_or_path).get_backend_name() == "sqlite"
    for table, column in query(url_or_path, _SQLITE_COLUMNS if sqlite else _POSTGRESQL_COLUMNS, limit=None).rows:
        found.setdefault(str(table), []).append(str(column))
    return found


_SQLITE_COLUMNS = """
SELECT m.name, c.name
FROM sqlite_master m JOIN pragma_table_info(m.name) c
WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'
ORDER BY m.type DESC, m.rowid, c.cid
"""
_POSTGRESQL_COLUMNS = """
SELECT c.relname, a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'v', 'p', 'm') AND c.relnamespace = ANY (current_schemas(false)::regnamespace[]::oid[])
ORDER BY c.relkind IN ('r', 'p'), c.oid, a.attnum
"""


def _query_sqlite(url: URL, sql: str, limit: int | None, timeout_s: float) -> QueryResult:
    check_file(file_of(url), create=False)
    try:
        connection = read_only_connection(file_of(url))
        names = _names(connection)
    except sqlite3.Error as error:
        raise DatabaseError(f"expected a database that can be read at {url.database!r}; found: {error}") from None
    deadline = time.monotonic() + timeout_s
    try:
        _confine(connection, deadline)
        cursor = connection.execute(sql)
        columns = tuple(column[0] for column in cursor.description or ())
        rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "interrupted" in str(error):
            # SQLite discards a KeyboardInterrupt that is raised in its progress handler
            raise (timed_out(timeout_s) if time.monotonic() >= deadline else KeyboardInterrupt) from None
        raise _explain(connection, sql, str(error), names) from None
    finally:
        connection.close()
    return limit_rows(columns, rows, limit)


def _confine(connection: sqlite3.Connection, deadline: float) -> None:
    """Make SQLite refuse everything but reading, and stop at the deadline."""
    for function in ("json_each", "json_tree"):
        # SQLite declares a table function on first use, which the authorizer would refuse
        connection.execute(f"SELECT 1 FROM {function}('[]')")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(_authorize)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_EVERY)


def _authorize(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _names(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """Return the names of tables and views, and of columns."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    columns = connection.execute(
        "SELECT DISTINCT c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"
    )
    return [row[0] for row in tables], [row[0] for row in columns]


def _explain(
    connection: sqlite3.Connection, sql: str, message: str, names: tuple[list[str], list[str]]
) -> DatabaseError:
    """Return an error of SQLite as one line with its position and similar names."""
    if "not authorized" in message or "readonly" in message or "too many attached" in message:
        return not_read_only()
    if "one statement" in message:
        return DatabaseError("expected one statement; found several: send them one by one")
    if "syntax error" in message or "incomplete input" in message:
        token = message[6 : message.rfind('": syntax error')] if message.startswith('near "') else ""
        offset = syntax_offset(connection, sql, token)
        return QueryError(f"expected SQL; found an error at {at_offset(sql, offset)}: {message}", sql, offset)
    for sign in ("no such column: ", "no such table: ", "no such function: "):
        if message.startswith(sign):
            name = message.removeprefix(sign).split(".")[-1].split(" - ")[0]
            offset = offset_of(sql, name)
            near = near_names(name, names[0] if "table" in sign else names[1])
            return QueryError(f"{message}, at {at_offset(sql, offset)}{near}", sql, offset)
    return DatabaseError(f"expected a valid query; found: {message}: correct it")
