"""Commands that maintain the results database, and the command that lists stored analyses."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from prunestats.cli.options import Db, Form, OneStudy, app
from prunestats.cli.terminal import complain, print_rows, say
from prunestats.db.connection.plain_values import json_text
from prunestats.errors import DatabaseError
from prunestats.wording import counted

_SHOWN = 10
"""Conflicts that `merge` prints one by one: enough to see a pattern."""

db_app = typer.Typer(help="Maintain the results database.", no_args_is_help=True)
app.add_typer(db_app, name="db")


@db_app.command("schema")
def schema() -> None:
    """Print every table, view and column of a results database with its meaning, as Markdown."""
    from prunestats.db import open_database, read
    from prunestats.db.schema.page import schema_page

    with TemporaryDirectory() as folder:
        engine = open_database(f"{folder}/empty.db")
        with read(engine) as connection:
            sys.stdout.write(schema_page(connection))
        engine.dispose()


@db_app.command("upgrade")
def upgrade(db: Db = "prunestats.db") -> None:
    """Migrate the schema of a database to this version."""
    from prunestats.db import upgrade_database

    before, after = upgrade_database(db)
    say(f"Schema version {after}: nothing to do" if before == after else f"Upgraded schema version {before} to {after}")


@db_app.command("check")
def check(db: Db = "prunestats.db") -> None:
    """Check a database for corruption, orphaned rows and impossible values; exit code 1 if it has any."""
    from prunestats.db import check_database

    found = check_database(db)
    for line in found:
        say(line)
    if found:
        raise typer.Exit(1)
    say(f"{db}: no damage, no orphans, no impossible values")


@db_app.command("backup")
def backup(
    destination: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.")], db: Db = "prunestats.db"
) -> None:
    """Back up a SQLite database: one consistent copy, also while it is written to."""
    from prunestats.db import backup_database
    from prunestats.db.connection.address import folder_beside, parse_address
    from prunestats.db.schema.opening import reading
    from prunestats.db.storing.kept_weights import kept_runs
    from prunestats.db.upkeep.weight_files import weights_beside

    size = backup_database(db, destination)
    say(f"{destination}: {size:,} bytes, checked")
    kept = 0
    with suppress(DatabaseError), reading(db) as connection:  # an older schema has none
        kept, folder = len(kept_runs(connection)), weights_beside(connection)
    if kept:
        beside = folder_beside(parse_address(destination), "weights")
        say(
            f"Not in it: {counted(kept, 'file')} of kept weights in {folder}. To keep them, copy the folder to {beside}"
        )


@db_app.command("merge")
def merge(
    other: Annotated[str, typer.Argument(help="Database to add: SQLite file or PostgreSQL URL; it is only read.")],
    db: Db = "prunestats.db",
) -> None:
    """Merge another database into this one; exit code 1 if both have a run with different results."""
    from prunestats.db import merge_database

    summary = merge_database(db, other)
    added = [f"{n:,} rows of {table}" for table, n in summary.added.items() if n]
    say(f"Added {', '.join(added)}" if added else "All rows were stored already: nothing was added")
    if summary.lost_weights:
        complain(f"{summary.lost_weights:,} kept weights of {other} have no file and were not taken", "note")
    for line in summary.conflicts[:_SHOWN]:
        complain(line, "conflict")
    if summary.conflicts:
        n = len(summary.conflicts)
        complain(f"{n:,} in all; {db} keeps its own values", "conflicts")
        raise typer.Exit(1)


@db_app.command("vacuum")
def vacuum(db: Db = "prunestats.db") -> None:
    """Free the disk space of deleted rows."""
    from prunestats.db import vacuum_database

    before, after = vacuum_database(db)
    say(f"{db}: {before:,} bytes before, {after:,} after")


@app.command()
def analyses(db: Db = "prunestats.db", study: OneStudy = None, form: Form = "table") -> None:
    """List the stored analyses: when, from which rows, with which parameters and which version."""
    from prunestats.db import list_analyses
    from prunestats.db.schema.opening import reading

    with reading(db) as connection:
        found = list_analyses(connection, study=study)
    columns = ("id", "created_at", "kind", "study", "parameters", "rows", "hash", "prunestats")
    rows = [
        (row.id, str(row.created_at), row.kind, row.study, json_text(row.parameters), row.n_rows, row.rows_hash[:8],
         row.versions.get("prunestats"))
        for row in found
    ]  # fmt: skip
    print_rows(columns, rows, form)
