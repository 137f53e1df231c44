"""The schema as a page of Markdown, generated from the tables and views."""

from __future__ import annotations

from sqlalchemy import Connection, ForeignKeyConstraint, Table

from prunestats.db.schema.comments import VIEW_COLUMNS, VIEWS, view_columns
from prunestats.db.schema.tables import metadata


def schema_page(connection: Connection) -> str:
    """Return the views, tables and columns of a results database as Markdown.

    Parameters
    ----------
    connection : Connection
        From `read`.

    Returns
    -------
    str
    """
    views = [_section(name, comment, _view_rows(connection, name)) for name, comment in VIEWS.items()]
    tables = [_section(table.name, table.comment or "", _table_rows(table)) for table in metadata.sorted_tables]
    return "\n".join(["## Views", "", *views, "## Tables", "", *tables]).rstrip() + "\n"


def _section(name: str, comment: str, rows: list[str]) -> str:
    return "\n".join([f"### {name}", "", comment, "", "| column | meaning |", "|---|---|", *rows, ""])


def _view_rows(connection: Connection, view: str) -> list[str]:
    return [_row(name, VIEW_COLUMNS[name]) for name in view_columns(connection, view)]


def _table_rows(table: Table) -> list[str]:
    targets = {
        element.parent.name: element.target_fullname
        for constraint in table.constraints
        if isinstance(constraint, ForeignKeyConstraint)
        for element in constraint.elements
        if element.parent.name.endswith("_id") and element.target_fullname.endswith(".id")
    }
    return [_row(c.name, (c.comment or "") + (f" (`{targets[c.name]}`)" if c.name in targets else "")) for c in table.c]


def _row(name: str, meaning: str) -> str:
    return f"| `{name}` | {meaning.replace('|', chr(92) + '|')} |"
