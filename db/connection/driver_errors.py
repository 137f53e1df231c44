"""Errors of the database drivers, as one line for the user."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from prunestats.errors import DatabaseError, PrunestatsError

_SQLITE = (
    ("database is locked", "another process has been writing for 30 s: wait for it, or stop it"),
    ("disk is full", "the disk is full and nothing was stored: free some space and run again"),
    ("readonly database", "it cannot be written: check the permissions of the file and its folder"),
    ("unable to open", "it cannot be opened: check the permissions of the file and its folder"),
    ("malformed", "it is damaged: restore a backup"),
    ("not a database", "it is not a SQLite database: name another file"),
    ("disk I/O error", "reading or writing it failed: check the disk"),
)


def database_error(error: SQLAlchemyError, engine: Engine) -> PrunestatsError:
    """Return a driver's error as one line that says what was found and what to do."""
    if isinstance(error, StatementError) and isinstance(error.orig, PrunestatsError):
        return error.orig
    where = engine.url.render_as_string(hide_password=True)
    if isinstance(error, IntegrityError):
        return DatabaseError(
            f"expected a row that satisfies the constraints of the database; found: {_first_line(error)}"
        )
    text = _first_line(error)
    if engine.dialect.name == "sqlite":
        for sign, meaning in _SQLITE:
            if sign in text:
                return DatabaseError(f"expected to use {str(engine.url.database)!r}; found that {meaning}")
    elif isinstance(error, DBAPIError) and error.orig is not None and getattr(error.orig, "sqlstate", None) is None:
        return DatabaseError(f"expected to reach the database {where}; found: {text}: is the server running?")
    return DatabaseError(f"expected to use the database {where}; found: {text}")


def _first_line(error: SQLAlchemyError) -> str:
    text = str(error.orig if isinstance(error, StatementError) and error.orig is not None else error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # psycopg names the offending row in the second line; 500 characters hold both, except for very long names
    return "; ".join(lines[:2])[:500] or type(error).__name__
