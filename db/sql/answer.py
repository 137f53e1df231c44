"""Result of a query, limited in rows, and errors of queries that write or take too long."""

from __future__ import annotations

from typing import Any, NamedTuple

from prunestats.errors import DatabaseError


class QueryResult(NamedTuple):
    """Result of a query.

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


def limit_rows(columns: tuple[str, ...], rows: list[tuple[Any, ...]], limit: int | None) -> QueryResult:
    """Return at most `limit` rows, and whether there are more."""
    if limit is None:
        return QueryResult(columns, rows, False)
    return QueryResult(columns, rows[:limit], len(rows) > limit)


def timed_out(timeout_s: float) -> DatabaseError:
    """Return the error for a query that took too long."""
    return DatabaseError(
        f"expected an answer within {timeout_s:g} s; found none: restrict the query, or raise the time limit"
    )


def not_read_only() -> DatabaseError:
    """Return the error for a statement that does more than read."""
    return DatabaseError("expected a statement that only reads; found one that does more: use SELECT")
