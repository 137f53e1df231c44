"""Commands on the results database."""

from __future__ import annotations

from typing import Annotated

import typer

from prunestats.cli.options import Db, Form, app
from prunestats.terminal import complain, print_rows


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="A SELECT; without one, the tables and views are listed.")] = None,
    db: Db = "prunestats.db",
    form: Form = "table",
    limit: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 10_000,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds after which the query is stopped.")] = 60.0,
) -> None:
    """Query the results database, read-only; without a query, list its views and tables."""
    from prunestats.db import query as ask

    if query is None:
        _list_tables(db, form)
        return
    answer = ask(db, query, limit=limit, timeout_s=timeout)
    print_rows(answer.columns, answer.rows, form)
    if answer.truncated:
        complain(f"only the first {limit:,} rows are shown: --limit raises that")


def _list_tables(db: str, form: str) -> None:
    from prunestats.db import comments, open_database, schema

    open_database(db, create=False).dispose()
    rows = [(name, "view", purpose) for name, purpose in comments.VIEWS.items()]
    rows += [(table.name, "table", table.comment or "") for table in schema.metadata.sorted_tables]
    print_rows(("name", "kind", "what it holds"), rows, form)
