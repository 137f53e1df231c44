"""Position of an error in a query, and similar names for one that is unknown."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from difflib import get_close_matches


def at_offset(sql: str, offset: int) -> str:
    r"""Return the line and column of a character, both from 1.

    Examples
    --------
    >>> at_offset("SELECT *\nFORM results", 9)
    'line 2, column 1'
    """
    before = sql[: max(offset, 0)]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - (before.rfind(chr(10)) + 1) + 1}"


def offset_of(sql: str, name: str) -> int:
    """Return the offset of the first occurrence of a name outside string literals.

    Examples
    --------
    >>> offset_of("SELECT 'err', err FROM results", "err")
    14
    """
    # literals are blanked at equal length, so that offsets stay valid
    bare = re.sub(r"'(?:[^']|'')*'", lambda found: "'" + " " * (len(found[0]) - 2) + "'", sql)
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", bare, re.IGNORECASE)
    return found.start() if found else 0


def syntax_offset(connection: sqlite3.Connection, sql: str, token: str) -> int:
    """Return the offset at which SQLite's parser stops.

    Notes
    -----
    SQLite names the token but not its position. The parser reads from left to right, so the position is the first
    occurrence of the token such that the query, truncated after it, gives the same error.
    """
    if not token:
        return len(sql.rstrip())
    for found in re.finditer(re.escape(token), sql):
        try:
            connection.execute("EXPLAIN " + sql[: found.end()])
        except (sqlite3.Error, sqlite3.Warning) as error:
            if str(error) == f'near "{token}": syntax error':
                return found.start()
    return 0


def near_names(name: str, names: Sequence[str]) -> str:
    """Return the end of a message: similar names, or the command that lists all names.

    Examples
    --------
    >>> near_names("val_eror", ["val_error", "wall_s", "seed"])
    ': do you mean val_error?'
    """
    lower = {known.lower(): known for known in names}
    # three suggestions at a similarity of 0.6 are the defaults of difflib
    close = [lower[match] for match in get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    return f": do you mean {' or '.join(close)}?" if close else ": `prunestats sql .schema` lists tables and columns"
