"""The answer to a query, cut to a limit, and the errors of queries that write or take too long."""

from __future__ import annotations

from typing import Any, NamedTuple

from prunestats.errors import DatabaseError


class QueryResult(NamedTuple):
    """What a query found.

    Parameters
    ----------
    columns : tuple of str
    rows : list of tuple
    truncated : bool
        Whether there were more rows than the limit.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool


def cut(columns: tuple[str, ...], rows: list[tuple[Any, ...]], limit: int | None) -> QueryResult:
    """Return at most `limit` rows, and whether there were more."""
    if limit is None:
        return QueryResult(columns, rows, False)
    return QueryResult(columns, rows[:limit], len(rows) > limit)


def timed_out(timeout_s: float) -> DatabaseError:
    """Return the error for a query that took too long."""
    return DatabaseError(f"expected an answer within {timeout_s:g} s; found none: narrow the query, or allow more time")


def not_reading() -> DatabaseError:
    """Return the error for a statement that would do more than read."""
    return DatabaseError("expected a statement that only reads; found one that would do more: use SELECT")
