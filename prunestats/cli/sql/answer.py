"""Answers of `prunestats sql`: to a query, or to a command that begins with a dot."""

from __future__ import annotations

from prunestats.db.schema.comments import VIEW_COLUMNS, VIEWS
from prunestats.db.schema.tables import VERSION_TABLE, metadata
from prunestats.db.sql.answer import QueryResult
from prunestats.db.sql.error_position import near_names
from prunestats.db.sql.read_only import catalogue, query
from prunestats.errors import InputError


def answer_query(db: str, text: str, *, limit: int | None, timeout_s: float) -> QueryResult:
    """Answer a query, ``.tables`` or ``.schema [NAME]``.

    Raises
    ------
    InputError
        For an unknown dot command, or an unknown table or view.
    DatabaseError
        As `prunestats.db.query`.
    """
    if not text.startswith("."):
        return query(db, text, limit=limit, timeout_s=timeout_s)
    command, *names = text.rstrip("; ").split()
    there = catalogue(db)
    if command == ".tables" and not names:
        return QueryResult(("name", "kind", "what it holds"), [(name, *_purpose(name)) for name in there], False)
    if command != ".schema" or len(names) > 1:
        raise InputError(f"expected .tables or .schema [NAME]; found {text!r}: type one of these, or a SELECT")
    if names and names[0] not in there:
        raise InputError(f"expected a table or view; found {names[0]!r}{near_names(names[0], list(there))}")
    rows = [(name, column, _meaning(name, column)) for name in names or there for column in there[name]]
    return QueryResult(("name", "column", "meaning"), rows, False)


def _purpose(name: str) -> tuple[str, str]:
    if name in VIEWS:
        return "view", VIEWS[name]
    if name in metadata.tables:
        return "table", metadata.tables[name].comment or ""
    return "table", "Version of the schema." if name == VERSION_TABLE else ""


def _meaning(name: str, column: str) -> str:
    if name in VIEWS:
        return VIEW_COLUMNS.get(column, "")
    table = metadata.tables.get(name)
    return (table.c[column].comment or "") if table is not None and column in table.c else ""
