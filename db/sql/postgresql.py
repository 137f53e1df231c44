"""Queries of users on PostgreSQL, in a READ ONLY transaction."""

from __future__ import annotations

import re

import psycopg
from psycopg.types.numeric import FloatLoader
from psycopg.types.string import TextLoader
from sqlalchemy import URL

from prunestats.db.sql.answer import QueryResult, cut, not_reading, timed_out
from prunestats.db.sql.error_position import at_offset, near_names
from prunestats.errors import DatabaseError, QueryError

_CURSOR = "DECLARE prunestats_query NO SCROLL CURSOR FOR "
_ALL = 2**31 - 1
# a cursor takes them for mistakes of grammar
_WRITES = re.compile(r"\s*(insert|update|delete|merge|create|alter|drop|truncate|copy|begin|commit|set)\b", re.I)
# a schema of the user's own name is found by it, and lost with another role
_KEEP_SCHEMAS = """
SELECT set_config('search_path', coalesce(string_agg(quote_ident(name), ', '), ''), true)
FROM unnest(current_schemas(false)) AS name
"""
# the role came with version 14
_IS_SUPERUSER = """
SELECT rolsuper AND EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pg_read_all_data')
FROM pg_roles WHERE rolname = current_user
"""


def ask(url: URL, sql: str, limit: int | None, timeout_s: float) -> QueryResult:
    """Run one query; see `prunestats.db.query`."""
    try:
        connection = psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    except psycopg.OperationalError as error:
        where = url.render_as_string(hide_password=True)
        reason = str(error).strip().splitlines()[-1]
        raise DatabaseError(
            f"expected to reach the database {where}; found: {reason}: is the server running?"
        ) from None
    # the types that SQLite has, so that a query gives the same on both
    connection.adapters.register_loader("numeric", FloatLoader)
    for name in ("json", "jsonb", "timestamp"):
        connection.adapters.register_loader(name, TextLoader)
    statement = sql.strip().rstrip(";").rstrip()
    with connection:
        try:
            connection.read_only = True
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {max(1, int(timeout_s * 1000))}".encode())
                # a transaction that has taken its snapshot can no longer be made to write
                cursor.execute(_IS_SUPERUSER)
                if cursor.fetchone() == (True,):
                    # READ ONLY keeps no superuser from writing files of the server or ending its processes
                    cursor.execute(_KEEP_SCHEMAS)
                    cursor.execute("SET LOCAL ROLE pg_read_all_data")
                # prepared: the server takes exactly one statement; a cursor: only one that selects
                cursor.execute((_CURSOR + statement).encode(), prepare=True)
                cursor.execute(f"FETCH FORWARD {_ALL if limit is None else limit + 1} FROM prunestats_query".encode())
                columns = tuple(column.name for column in cursor.description or ())
                rows = cursor.fetchall()
        except psycopg.errors.QueryCanceled:
            raise timed_out(timeout_s) from None
        except psycopg.Error as error:
            raise _explain(connection, sql, error) from None
        finally:
            connection.rollback()
    return cut(columns, rows, limit)


def _explain(connection: psycopg.Connection[tuple[object, ...]], sql: str, error: psycopg.Error) -> DatabaseError:
    """Turn a complaint of PostgreSQL into one line with the place and near names."""
    message = error.diag.message_primary or str(error).splitlines()[0]
    if "multiple commands" in message:
        return DatabaseError("expected one statement; found several: ask them one by one")
    if error.sqlstate in {"25006", "0A000", "42501"} or _WRITES.match(sql):
        return not_reading()
    position = error.diag.statement_position
    if position is None:
        return DatabaseError(f"expected a query that can be answered; found: {message}")
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
    there = "WHERE table_schema = ANY (current_schemas(false))"
    rows = connection.execute(f"SELECT DISTINCT {kind}_name FROM information_schema.{kind}s {there}".encode())
    return [str(row[0]) for row in rows]
