"""SQLite files that this process has open, whose locks the closing of another handle would drop.

A POSIX lock belongs to a process, and closing any handle of a file drops all its locks, after which another process may
delete the write-ahead log that is in use (SQLite's "How To Corrupt An SQLite Database File", section 2.2). So a file
that SQLite has open here is not opened and closed beside it: its header is not read again, and what ADBC's own copy of
SQLite has opened stays open meanwhile.
"""

from __future__ import annotations

import atexit
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

File = tuple[int, int]
"""Device and inode of a file."""

_open: Counter[File | None] = Counter()
_kept: dict[File | None, list[Any]] = {}
_lock = threading.RLock()


def identity(path: Path) -> File | None:
    """Device and inode of a file; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def count_connections(engine: Engine, path: Path) -> None:
    """Count the connections of an engine to a SQLite file while they are open."""

    @event.listens_for(engine, "connect")
    def _opened(connection: Any, record: Any) -> None:
        with _lock:
            record.info["file"] = identity(path)
            _open[record.info["file"]] += 1

    @event.listens_for(engine, "close")
    def _closed(connection: Any, record: Any) -> None:
        with _lock:
            file = record.info.pop("file", None)
            _open[file] -= 1
            if _open[file] <= 0:
                del _open[file]
                _close(_kept.pop(file, []))


@contextmanager
def unless_open(path: Path) -> Iterator[bool]:
    """Whether a file may be opened and closed, as SQLite does not have it open; no connection is made meanwhile."""
    with _lock:
        yield identity(path) not in _open


@contextmanager
def kept_open(path: Path, connect: Callable[[], Any]) -> Iterator[Any]:
    """A connection of another library to a file, which is closed only where SQLite does not have the file open here.

    Otherwise it is kept, and given to the next that asks for one.
    """
    with _lock:
        file = identity(path)
        waiting = _kept.get(file, [])
        connection = waiting.pop() if waiting else None
    connection = connection or connect()
    try:
        yield connection
    finally:
        with suppress(Exception):  # an error was raised already, or is raised at the next use
            connection.rollback()
        with _lock:
            if file in _open:
                _kept.setdefault(file, []).append(connection)
            else:
                _close([connection, *_kept.pop(file, [])])


def _close(connections: Iterable[Any]) -> None:
    for one in connections:
        with suppress(Exception):  # what cannot be closed is closed with the process
            one.close()


@atexit.register
def _close_all() -> None:
    while _kept:
        _close(_kept.popitem()[1])
