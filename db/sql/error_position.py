"""Where in a query an error is, and which names come near."""

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
    """Return where a name stands first outside of strings.

    Examples
    --------
    >>> offset_of("SELECT 'err', err FROM results", "err")
    14
    """
    # strings keep their length, so that what follows keeps its place
    bare = re.sub(r"'(?:[^']|'')*'", lambda found: "'" + " " * (len(found[0]) - 2) + "'", sql)
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", bare, re.IGNORECASE)
    return found.start() if found else 0


def syntax_offset(connection: sqlite3.Connection, sql: str, token: str) -> int:
    """Return where SQLite's parser stops.

    Notes
    -----
    The parser reads from left to right: the token that it names is the first of that text at which the query, cut off
    behind it, has the same error.
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
    """Return the end of a sentence that offers similar names, or nothing.

    Examples
    --------
    >>> near_names("val_eror", ["val_error", "wall_s", "seed"])
    ': do you mean val_error?'
    """
    lower = {known.lower(): known for known in names}
    close = [lower[match] for match in get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    return f": do you mean {' or '.join(close)}?" if close else ": `prunestats sql .schema` lists tables and columns"
