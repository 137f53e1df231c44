"""Address of a results database: parsing a path or URL, and checks of a SQLite file before it is opened."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from prunestats.db.connection.open_files import unless_open
from prunestats.errors import DatabaseError

_MAGIC = b"SQLite format 3\0"
"""First 16 of the 100 bytes of the header of a SQLite file (sqlite.org/fileformat2.html, section 1.3)."""

_POSTGRESQL_PORT = 5432
"""Port of PostgreSQL where none is given."""


def parse_address(address: str | os.PathLike[str]) -> URL:
    """Return the URL of a database from a path or a URL.

    Parameters
    ----------
    address : str or Path
        ``"results.db"``, a Path, ``"sqlite:///results.db"`` or ``"postgresql+psycopg://..."``.

    Returns
    -------
    sqlalchemy.URL

    Raises
    ------
    DatabaseError
        For an address of another kind of database, or one that cannot be parsed.

    Examples
    --------
    >>> parse_address("results.db").render_as_string()
    'sqlite:///results.db'
    >>> parse_address("postgresql://host/lab").drivername
    'postgresql+psycopg'
    """
    text = os.fspath(address)
    if "\0" in text:
        raise DatabaseError(f"expected a database file or URL; found a NUL character in {text!r}: remove it")
    if "://" not in text:
        if not text or text == ":memory:":
            raise DatabaseError(f"expected the path of a database file; found {text!r}: name a file")
        return URL.create("sqlite", database=str(Path(text).expanduser()))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(
            f"expected a path or a database URL; found one that cannot be parsed ({error}): check its spelling"
        ) from None
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise DatabaseError(
            f"expected sqlite:///FILE or postgresql+psycopg://...; found {url.drivername}://: use one of the two"
        )
    if not url.database or url.database == ":memory:":
        raise DatabaseError("expected a SQLite file; found a database in memory: name a file")
    return URL.create("sqlite", database=url.database)


def file_of(url: URL) -> Path:
    """Return the file of a SQLite URL."""
    return Path(url.database or "")


def folder_beside(url: URL, kind: str) -> Path:
    """Return the folder of the files of one kind that belong to the rows of a database; it need not exist.

    Beside a SQLite file, or in the working folder for a server. Each database has a folder of its own, since files to
    which no row belongs are deleted.

    Examples
    --------
    >>> folder_beside(parse_address("data/results.db"), "weights").as_posix()
    'data/results.weights'
    >>> folder_beside(parse_address("postgresql://me@host:5433/lab"), "weights").as_posix()
    'lab@host-5433.weights'
    """
    if url.get_backend_name() == "sqlite":
        file = file_of(url)
        # only the usual suffix is left out, so that results.db and results.sqlite have different folders
        return file.with_name(f"{file.stem if file.suffix == '.db' else file.name}.{kind}")
    host = url.host or url.query.get("host") or "localhost"
    port = "" if url.port in (None, _POSTGRESQL_PORT) else f"-{url.port}"
    return Path(re.sub(r"[^\w.@-]+", "-", f"{url.database}@{host}{port}") + f".{kind}")


def check_file(path: Path, *, create: bool) -> bool:
    """Refuse a path that is not, and cannot become, a SQLite database; return whether the file has content.

    Raises
    ------
    DatabaseError
        For a missing or read-only folder, a folder in place of a file, a missing file with ``create=False``, a file of
        another format, or a truncated file.
    """
    try:
        if path.is_dir():
            raise DatabaseError(f"expected a database file; found the folder {str(path)!r}: name a file in it")
        if not path.parent.is_dir():
            raise DatabaseError(
                f"expected the database {path.name!r} in a folder; found no folder {str(path.parent)!r}: make it first"
            )
        filled = path.exists() and path.stat().st_size > 0
        if filled:
            with unless_open(path) as may_open:
                if may_open:  # one that is open here has been checked
                    with path.open("rb") as file:
                        _check_header(path, file.read(100))
            return True
    except OSError as error:
        raise DatabaseError(f"expected a database file at {str(path)!r}; found: {error.strerror or error}") from None
    if not create:
        found = "an empty file" if path.exists() else "no such file"
        raise DatabaseError(
            f"expected a database at {str(path)!r}; found {found}: check the path, or run a study first"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise DatabaseError(f"expected to create {str(path)!r}; found its folder read-only: choose another folder")
    return False


def _check_header(path: Path, header: bytes) -> None:
    if not header.startswith(_MAGIC[: len(header)]):
        raise DatabaseError(
            f"expected a SQLite database; found another kind of file at {str(path)!r}: name another file"
        )
    if len(header) < 100:
        raise DatabaseError(
            f"expected a whole SQLite database; found {path.stat().st_size} bytes at {str(path)!r}: restore a backup"
        )
    (page,) = struct.unpack(">H", header[16:18])
    changes, pages = struct.unpack(">II", header[24:32])
    (valid_for,) = struct.unpack(">I", header[92:96])
    log = path.with_name(path.name + "-wal")
    # while a write-ahead log is copied back, the file may be shorter than its header states
    if changes != valid_for or (log.exists() and log.stat().st_size > 0):
        return
    expected = pages * (65536 if page == 1 else page)
    if path.stat().st_size < expected:
        raise DatabaseError(
            f"expected {expected:,} bytes in the database {str(path)!r}; found {path.stat().st_size:,}: it is "
            "truncated, restore a backup"
        )
