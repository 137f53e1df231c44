"""Queries of users on PostgreSQL, in a READ ONLY transaction."""

from __future__ import annotations

import re

import psycopg
from psycopg.types.numeric import FloatLoader
from psycopg.types.string import TextLoader
from sqlalchemy import URL

from prunestats.db.sql.answer import QueryResult, limit_rows, not_read_only, timed_out
from prunestats.db.sql.error_position import at_offset, near_names
from prunestats.errors import DatabaseError, QueryError

_CURSOR = "DECLARE prunestats_query NO SCROLL CURSOR FOR "
_ALL_ROWS = 2**31 - 1
"""Largest count that FETCH accepts."""

# In a cursor, PostgreSQL reports these statements as syntax errors.
_WRITES = re.compile(r"\s*(insert|update|delete|merge|create|alter|drop|truncate|copy|begin|commit|set)\b", re.I)
# The search path may contain the schema named after the user, which a change of the role would hide.
_KEEP_SCHEMAS = """
SELECT set_config('search_path', coalesce(string_agg(quote_ident(name), ', '), ''), true)
FROM unnest(current_schemas(false)) AS name
"""
# The role pg_read_all_data exists from version 14 on.
_IS_SUPERUSER = """
SELECT rolsuper AND EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pg_read_all_data')
FROM pg_roles WHERE rolname = current_user
"""


def query_postgresql(url: URL, sql: str, limit: int | None, timeout_s: float) -> QueryResult:
    """Run one query; see `prunestats.db.query`."""
    try:
        connection = psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    except psycopg.OperationalError as error:
        where = url.render_as_string(hide_password=True)
        reason = str(error).strip().splitlines()[-1]
        raise DatabaseError(
            f"expected to reach the database {where}; found: {reason}: is the server running?"
        ) from None
    # the types that SQLite returns, so that a query has the same result on both databases
    connection.adapters.register_loader("numeric", FloatLoader)
    for name in ("json", "jsonb", "timestamp"):
        connection.adapters.register_loader(name, TextLoader)
    statement = sql.strip().rstrip(";").rstrip()
    with connection:
        try:
            connection.read_only = True
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {max(1, int(timeout_s * 1000))}".encode())
                # after the first query of a transaction it can no longer be made writable
                cursor.execute(_IS_SUPERUSER)
                if cursor.fetchone() == (True,):
                    # READ ONLY does not stop a superuser from writing server files or ending its processes
                    cursor.execute(_KEEP_SCHEMAS)
                    cursor.execute("SET LOCAL ROLE pg_read_all_data")
                # a prepared statement is exactly one statement; a cursor accepts only one that selects
                cursor.execute((_CURSOR + statement).encode(), prepare=True)
                cursor.execute(
                    f"FETCH FORWARD {_ALL_ROWS if limit is None else limit + 1} FROM prunestats_query".encode()
                )
                columns = tuple(column.name for column in cursor.description or ())
                rows = cursor.fetchall()
        except psycopg.errors.QueryCanceled:
            raise timed_out(timeout_s) from None
        except psycopg.Error as error:
            raise _explain(connection, sql, error) from None
        finally:
            connection.rollback()
    return limit_rows(columns, rows, limit)


def _explain(connection: psycopg.Connection[tuple[object, ...]], sql: str, error: psycopg.Error) -> DatabaseError:
    """Return an error of PostgreSQL as one line with its position and similar names."""
    message = error.diag.message_primary or str(error).splitlines()[0]
    if "multiple commands" in message:
        return DatabaseError("expected one statement; found several: send them one by one")
    if error.sqlstate in {"25006", "0A000", "42501"} or _WRITES.match(sql):
        return not_read_only()
    position = error.diag.statement_position
    if position is None:
        return DatabaseError(f"expected a valid query; found: {message}: correct it")
    shift = len(sql) - len(sql.lstrip())
    offset = min(max(int(position) - 1 - len(_CURSOR) + shift, 0), len(sql))
    near = ""
    if error.sqlstate in {"42703", "42P01"}:
        connection.rollback()
        words = message.replace('"', " ").split()
        name = words[words.index("does") - 1].split(".")[-1] if "does" in words else ""
        near = near_names(name, _names(connection, "table" if error.sqlstate == "42P01" else "column"))
    return QueryError(f"{message}, at {at_offset(sql, offset)}{near}", sql, offset)


def _names(connection: psycopg.Connection[tuple[object, ...]], kind: str) -> list[str]:
    visible = "WHERE table_schema = ANY (current_schemas(false))"
    rows = connection.execute(f"SELECT DISTINCT {kind}_name FROM information_schema.{kind}s {visible}".encode())
    return [str(row[0]) for row in rows]
