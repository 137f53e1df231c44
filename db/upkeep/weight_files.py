"""Files of kept weights beside a database: orphans are deleted, files are copied in a merge, and both are checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from prunestats.db.connection.address import folder_beside
from prunestats.db.connection.engine import write
from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import batches, insert_new
from prunestats.db.storing.kept_weights import kept_runs, lock_weights
from prunestats.files import write_atomically
from prunestats.wording import counted

_OURS = re.compile(r"[^.].*-.+-\d+-[0-9a-f]{16}\.safetensors")
"""Names of files of kept weights; other files in the folder are left alone."""

_UNFINISHED = re.compile(r"\..+-.+-\d.*")
"""Names of temporary files that a process which was killed leaves behind (`prunestats.files.atomic_file`)."""


def weights_beside(source: Engine | Connection) -> Path:
    """Return the folder of the kept weights of a database; it need not exist."""
    return folder_beside(source.engine.url, "weights")


def remove_orphans(engine: Engine) -> int:
    """Delete the files of kept weights to which no row belongs; return their number.

    Parameters
    ----------
    engine : Engine

    Returns
    -------
    int

    Notes
    -----
    A process that is killed leaves such files, and so do deleted rows. A file is written inside the transaction that
    stores its row, and this function holds the same lock: no file of another process is deleted before it has its row.
    """
    folder = weights_beside(engine)
    if not folder.is_dir():
        return 0
    with write(engine) as connection:
        lock_weights(connection)
        orphans = list(_orphans(connection, folder))
        for file in orphans:
            file.unlink(missing_ok=True)
    return len(orphans)


def copy_weights(source: Connection, target: Connection, numbers: Mapping[int, int]) -> int:
    """Copy rows and files of kept weights into another database; return how many have no file of the stored hash.

    Parameters
    ----------
    source, target : Connection
    numbers : mapping of int to int
        Row numbers of runs in the target by those in the source; those that have weights in the target keep them.

    Returns
    -------
    int
    """
    there, here = weights_beside(source), weights_beside(target)
    lost, rows = 0, []
    sizes = {row.run_id: row.size for row in source.execute(select(schema.weights.c.run_id, schema.weights.c.size))}
    lock_weights(target)
    known = set(target.scalars(select(schema.weights.c.run_id)))
    for batch in batches(sorted(old for old, new in numbers.items() if new not in known)):
        for run in kept_runs(source, schema.weights.c.run_id.in_(batch)):
            content = _content(there / run.file)
            if content is None or hashlib.sha256(content).hexdigest() != run.sha256:
                lost += 1
                continue
            write_atomically(here / run.file, content)
            rows.append({"run_id": numbers[run.run_id], "sha256": run.sha256, "size": sizes[run.run_id]})
    insert_new(target, schema.weights, rows)
    return lost


def wrong_files(connection: Connection) -> Iterator[str]:
    """Yield what is wrong with the files of kept weights, a line each kind: missing, changed, without a row."""
    folder = weights_beside(connection)
    if connection.dialect.name != "sqlite" and not folder.is_dir():
        return  # files of a server's database are on the machine that ran the study
    kept = kept_runs(connection)
    contents = {run.file: _digest(folder / run.file) for run in kept}
    missing = [run.file for run in kept if contents[run.file] is None]
    changed = [run.file for run in kept if contents[run.file] not in (None, run.sha256)]
    orphans = [file.name for file in _orphans(connection, folder)] if folder.is_dir() else []
    yield from _line("missing", missing, f"of kept weights in {str(folder)!r}")
    yield from _line("damaged", changed, f"of kept weights in {str(folder)!r} with another hash than stored")
    yield from _line("orphans", orphans, f"in {str(folder)!r} without a row; the next `prunestats run` deletes them")


def _line(kind: str, names: Sequence[str], what: str) -> Iterator[str]:
    if names:
        yield f"{kind}: {counted(len(names), 'file')} {what}, such as {names[0]}"


def _orphans(connection: Connection, folder: Path) -> Iterator[Path]:
    known = {run.file for run in kept_runs(connection)}
    for file in sorted(folder.iterdir()):
        if _UNFINISHED.fullmatch(file.name) or (_OURS.fullmatch(file.name) and file.name not in known):
            yield file


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _digest(file: Path) -> str | None:
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        digest: Any = hashlib.file_digest(stream, "sha256")
    return str(digest.hexdigest())
