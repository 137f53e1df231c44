"""The command that deletes a study, a population or an original from the results database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.options import Db, app
from prunestats.cli.terminal import complain, print_table, say
from prunestats.errors import DatabaseError, InputError
from prunestats.wording import counted

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from prunestats.db import Removed

_SHOWN = 10
"""Populations that are listed one by one: enough to recognise a study; their number is in the table of rows."""


@app.command()
def remove(
    db: Db = "prunestats.db",
    study: Annotated[
        str | None, typer.Option("--study", help="Name of the study to delete, or of the study of the population.")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Pruning space of the population to delete; with --study and --regime.")
    ] = None,
    regime: Annotated[
        float | None,
        typer.Option(help="Pruning regime of the population to delete: FLOPs as a fraction of the original's."),
    ] = None,
    original: Annotated[
        str | None,
        typer.Option(
            help="Original to delete with all its populations, by its key or the name of its network; with --study, "
            "--space and --regime: only this original's population."
        ),
    ] = None,
    keep_originals: Annotated[
        bool, typer.Option("--keep-originals", help="With a study: keep the originals that no other study uses.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted; delete nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking, for scripts.")] = False,
    backup: Annotated[
        Path | None,
        typer.Option(help="File for the backup. Default: beside the database, named with date and time."),
    ] = None,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Make no backup.")] = False,
) -> None:
    """Delete a study, a population or an original, with the subnetworks and runs that nothing else uses.

    It shows the rows, asks, writes a backup, and deletes in one transaction: all, or nothing.
    """
    from prunestats.db import open_database
    from prunestats.db.upkeep.weight_files import remove_orphans

    if backup is not None and no_backup:
        raise InputError("expected --backup or --no-backup; found both: leave one of them out")
    act = _removal(study, space, regime, original, keep_originals)
    if not (yes or dry_run or (sys.stdin is not None and sys.stdin.isatty())):
        raise InputError("expected an answer from a terminal; found none: pass --yes to delete without being asked")
    engine = open_database(db, create=False)
    try:
        copy = None if no_backup or dry_run else _backup_file(engine.url, backup)
        found = would_remove(engine, act)
        originals = _stored(engine, found.originals)
        weights = _weights(engine.url, [row["key"] for row in originals if row["weights_sha256"]])
        _show(engine, found, [f"original {row['network']!r} ({row['key']})" for row in originals])
        if dry_run:
            say("A dry run: nothing was deleted")
            return
        if not (yes or agreed("Delete these rows?")):
            say("Nothing was deleted")
            raise typer.Exit(1)
        _delete(engine, db, act, found, copy)
        remove_orphans(engine)
    finally:
        engine.dispose()
    _tell(db, found, copy, weights)


def _removal(
    study: str | None, space: str | None, regime: float | None, original: str | None, keep_originals: bool
) -> Callable[[Connection], Removed]:
    """Return what deletes the rows that the options name."""
    from prunestats.db import remove_original, remove_population, remove_study

    if keep_originals and (study is None or space is not None or regime is not None):
        raise InputError("expected --keep-originals with a whole study; found it without: leave it out")
    if study is not None and space is not None and regime is not None:
        return lambda connection: remove_population(
            connection, study=study, space=space, regime=regime, original=original
        )
    if space is not None or regime is not None or (study is not None and original is not None):
        given = {"--study": study, "--space": space, "--regime": regime, "--original": original}
        found = ", ".join(name for name, value in given.items() if value is not None)
        raise InputError(
            f"expected --study NAME, --original KEY, or a population by --study, --space and --regime; found {found}: "
            "`prunestats status` lists the populations"
        )
    if study is not None:
        return lambda connection: remove_study(connection, study, keep_originals=keep_originals)
    if original is None:
        raise InputError("expected what to delete; found nothing: pass --study NAME or --original KEY")
    return lambda connection: remove_original(connection, original)


def _backup_file(url: URL, given: Path | None) -> Path:
    from prunestats.db.connection.address import file_of
    from prunestats.db.upkeep.maintenance import backup_name

    if url.get_backend_name() != "sqlite":
        where = url.set(drivername="postgresql").render_as_string(hide_password=True)
        raise InputError(
            f"expected a SQLite file, which can be backed up here; found {where}: run `pg_dump {where} > FILE` first, "
            "then pass --no-backup"
        )
    file = file_of(url)
    copy = given or backup_name(file)
    if copy.exists() or not copy.parent.is_dir():
        found = "that it exists" if copy.exists() else "no such folder"
        raise InputError(f"expected a new file for the backup; found {found}: name another than {str(copy)!r}")
    return copy


class _TriedError(Exception):
    """Rolls back the transaction of a trial."""


def would_remove(engine: Engine, act: Callable[[Connection], Removed]) -> Removed:
    """Return what would be deleted."""
    from prunestats.db import write

    try:
        with write(engine) as connection:
            found = act(connection)
            raise _TriedError
    except _TriedError:
        return found


def _stored(engine: Engine, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of originals."""
    from prunestats.db import find_original, read

    with read(engine) as connection:
        rows = [find_original(connection, key) for key in keys]
    return [row for row in rows if row is not None]


def _weights(url: URL, trained: Sequence[str]) -> list[Path]:
    """Return the files of the weights of originals, which stay."""
    if not trained:
        return []
    # imports torch, which an import without weights need not wait for
    from prunestats.runners.networks.weights import weights_file, weights_folder

    folder = weights_folder(url.drivername, url.database)
    return [file for file in (weights_file(folder, key) for key in trained) if file.exists()]


def _show(engine: Engine, found: Removed, originals: Sequence[str]) -> None:
    from prunestats.db import follow_ups, read, study_progress

    # not the address as it was typed, which may hold a password
    url = engine.url
    where = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    say(f"To delete from {where}:")
    rest = len(found.populations) - _SHOWN
    named = [f"study {name!r}" for name in found.studies]
    named += [f"population: {name}" for name in found.populations[:_SHOWN]]
    named += [f"and {rest:,} more populations"] if rest > 0 else []
    for line in [*named, *originals]:
        say(f"  {line}")
    print_table(("table", "rows"), [(name, n) for name, n in found.rows.items() if n])
    with read(engine) as connection:
        following = follow_ups(connection)
        running = [one.study for name in found.studies for one in study_progress(connection, name) if one.running]
    for name, followed in following.items():
        if followed in found.studies and name not in found.studies:
            complain(
                f"study {name!r} follows from {followed!r} and stays: it can no longer be compared with it", "note"
            )
    for name in running:
        complain(f"study {name!r} stored a run a moment ago: stop it first, or its next run fails", "note")


def agreed(question: str) -> bool:
    """Ask a question; return whether the answer is yes."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _delete(engine: Engine, db: str, act: Callable[[Connection], Removed], shown: Removed, copy: Path | None) -> None:
    """Delete what was shown; the backup is written before the transaction ends, so that no other writer is between."""
    from prunestats.db import backup_database, write

    with write(engine) as connection:
        if act(connection) != shown:
            raise DatabaseError(
                "expected the rows that were shown; found that another process changed them since: nothing was "
                "deleted, repeat the command"
            )
        if copy is not None:
            # it reads what was last committed: the rows that this transaction deletes are in it
            backup_database(db, copy)


def _tell(db: str, found: Removed, copy: Path | None, weights: Sequence[Path]) -> None:
    say(f"Deleted {found.words}")
    if copy is not None:
        say(f"Backup: {copy}; `prunestats db merge {copy} --db {db}` brings the rows back")
    if kept := found.rows.get("weights", 0):
        again = ": `prunestats export-subnetwork` would train them again" if copy is not None else ""
        say(f"{counted(kept, 'file')} of kept weights went with the runs, and no backup holds them{again}")
    if weights:
        say(f"Weights of deleted originals stay as files: {', '.join(map(str, weights))}")
