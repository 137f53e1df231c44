"""The command `prunestats sql`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from prunestats.cli.options import Db, app
from prunestats.cli.sql.output import form_of, write_rows
from prunestats.cli.sql.script import HELP, split_script
from prunestats.cli.terminal import complain, say, show_place
from prunestats.errors import InputError

_ROWS = 10_000
"""Most rows by default: what a terminal or a script can still take in, so that a missing LIMIT does no harm."""

SqlForm = Annotated[
    Literal["table", "csv", "json", "parquet"] | None,
    typer.Option("-f", "--format", help="Output format. Default: by the suffix of --output, else table."),
]


@app.command()
def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            help="Queries, each ended by a semicolon, and .tables or .schema [NAME], each on a line; - reads them from "
            "standard input. Default: a shell."
        ),
    ] = None,
    db: Db = "prunestats.db",
    form: SqlForm = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write the rows to. Default: standard output.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of rows; 0 for all.")] = _ROWS,
    timeout: Annotated[float, typer.Option(min=0.1, help="Time limit of the query, in seconds.")] = 60.0,
) -> None:
    """Query the results database in SQL, read-only; without a query, open a shell.

    Several queries, of any number of lines, are answered in turn; the first that fails ends them.
    """
    chosen = form_of(form, output)
    typed = sys.stdin is not None and sys.stdin.isatty()
    if query is None and typed and sys.stdout.isatty() and form is None and output is None:
        from prunestats.cli.sql.shell import run_shell

        run_shell(db, timeout_s=timeout)
        return
    if query == "-" or (query is None and sys.stdin is not None and not typed):
        query = sys.stdin.read()
    script = list(split_script(query or "")) or [".tables"]
    if len(script) > 1 and (chosen in {"json", "parquet"} or output is not None):
        form_words = f"-f {chosen}" if output is None else "--output"
        raise InputError(f"expected one query with {form_words}; found {len(script)}: send one, or print tables or CSV")
    for number, text in enumerate(script):
        if text == ".quit":
            return
        if number:
            say("")
        if text == ".help":
            say(HELP)
        else:
            _answer(text, db, chosen, output, limit, timeout)


def _answer(text: str, db: str, form: str, output: Path | None, limit: int, timeout_s: float) -> None:
    from prunestats.cli.sql.answer import answer_query
    from prunestats.errors import QueryError

    try:
        answer = answer_query(db, text, limit=limit or None, timeout_s=timeout_s)
    except QueryError as error:
        if sys.stderr.isatty():
            show_place(error.sql, error.offset)
        raise
    write_rows(answer.columns, answer.rows, form, output)
    if answer.truncated:
        complain(f"only the first {limit:,} rows are here: raise --limit, or pass --limit 0 for all rows", "note")
