"""A script of several queries and dot commands, split as the shell would read it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

_SPACE_OR_COMMENT = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|;)+", re.DOTALL)
HELP = """\
SELECT ...;     a query of one or more lines, which ends with a semicolon
.tables         tables and views, with descriptions
.schema [NAME]  columns of all tables and views, or of one, with descriptions
.quit           leave (also Ctrl-D)
Tab completes names, the arrow keys recall earlier queries, Ctrl-C stops a query. The database is opened read-only."""
# Names of the same commands in psql and sqlite3.
_ALIASES = {"\\d": ".schema", "\\dt": ".tables", "\\q": ".quit", "\\?": ".help", ".exit": ".quit"}


def split_script(text: str) -> Iterator[str]:
    r"""Yield the queries and dot commands of a script.

    A query ends with a semicolon or with the script, a command with its line. What stands before a query is replaced by
    blanks, so that the position of an error is that in the script.

    Examples
    --------
    >>> list(split_script(".tables\nSELECT ';';\n-- the end\nSELECT 2"))
    ['.tables', "       \nSELECT ';';", '       \n           \n          \nSELECT 2']
    """
    start = 0
    while True:
        space = _SPACE_OR_COMMENT.match(text, start)
        start = space.end() if space else start
        if start >= len(text):
            return
        if text[start] in ".\\":
            end = text.find("\n", start) % (len(text) + 1)
            yield without_alias(text[start:end].strip())
        else:
            end = _end_of_query(text, start)
            yield re.sub(r"[^\n]", " ", text[:start]) + text[start:end].rstrip()
        start = end


def without_alias(command: str) -> str:
    r"""Return a dot command by its own name.

    Examples
    --------
    >>> without_alias(r"\d results"), without_alias(".exit")
    ('.schema results', '.quit')
    """
    name, _, rest = command.partition(" ")
    return f"{_ALIASES.get(name, name)} {rest}".strip()


def _end_of_query(text: str, start: int) -> int:
    """Return the index after the semicolon that ends a query, or after the script."""
    for found in re.finditer(";", text[start:]):
        end = start + found.end()
        if sqlite3.complete_statement(text[start:end]):
            return end
    return len(text)
