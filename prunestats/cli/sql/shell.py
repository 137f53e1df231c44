"""Interactive shell of `prunestats sql`: queries end with a semicolon, commands begin with a dot."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from prunestats.cli.sql.answer import answer_query
from prunestats.cli.sql.completion import SqlCompleter
from prunestats.cli.sql.script import HELP, without_alias
from prunestats.cli.terminal import complain, print_table, say, show_place
from prunestats.db.sql.read_only import catalogue
from prunestats.errors import PrunestatsError, QueryError

ROWS = 200
"""Most rows that the shell prints: a few screens, which one can scroll back through."""


def run_shell(db: str, *, timeout_s: float) -> None:
    """Read and answer queries until the user leaves."""
    names = catalogue(db)
    # outside the shell Ctrl-C ends the process; here it ends a query
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        say(f"{db}, read-only. Queries end with ; and .help says more.")
        session: PromptSession[str] = PromptSession(
            "sql> ",
            history=_history(),
            completer=SqlCompleter(names),
            complete_while_typing=False,
            multiline=True,
            prompt_continuation="...> ",
            key_bindings=_bindings(),
        )
        while _answer_one(session, db, timeout_s):
            pass
    finally:
        signal.signal(signal.SIGINT, before)


def is_whole(text: str) -> bool:
    """Return whether the text is a complete query or command, so that Enter sends it.

    Examples
    --------
    >>> is_whole("SELECT 1"), is_whole("SELECT ';'"), is_whole("SELECT 1;"), is_whole(".tables")
    (False, False, True, True)
    """
    text = text.strip()
    return not text or text[0] in ".\\" or sqlite3.complete_statement(text)


def _bindings() -> KeyBindings:
    """Let Enter send a complete query, wherever the cursor is."""
    bindings = KeyBindings()

    @bindings.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return bindings


def _answer_one(session: PromptSession[str], db: str, timeout_s: float) -> bool:
    """Read and answer one query; return whether to go on."""
    try:
        text = session.prompt().strip()
    except KeyboardInterrupt:
        return True
    except EOFError:
        return False
    text = without_alias(text) if text[:1] in {".", "\\"} else text
    if text == ".help":
        say(HELP)
    elif text.strip("; ") not in {"", ".quit"}:
        _show(db, text, timeout_s)
    return text != ".quit"


def _show(db: str, text: str, timeout_s: float) -> None:
    started = time.monotonic()
    try:
        answer = answer_query(db, text, limit=ROWS, timeout_s=timeout_s)
        print_table(answer.columns, answer.rows)
        more = f", the first {ROWS} of more" if answer.truncated else ""
        say(f"({len(answer.rows):,} rows{more}, {time.monotonic() - started:.2f} s)")
    except KeyboardInterrupt:
        complain("the query was stopped and nothing was changed", "stopped")
    except PrunestatsError as error:
        if isinstance(error, QueryError):
            show_place(error.sql, error.offset)
        complain(str(error))


def _history() -> History:
    """Return the history in the user's state folder, or in memory where that folder cannot be written."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    file = Path(home) / "prunestats" / "sql_history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # queries may name what others should not read
        file.touch(mode=0o600)
    except (OSError, RuntimeError):
        return InMemoryHistory()
    return FileHistory(str(file))
