"""Output of the command line: progress with time left, tables, and errors of one line."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import textwrap
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from prunestats.errors import InputError

PHASES = {"originals": "training originals", "runs": "pruning and training"}

# Without a terminal to redraw, a line this often shows that work goes on, and a day of it fills 3,000 lines of a log.
_SECONDS_PER_LINE = 30.0

_PIPE_WIDTH = 80
"""Columns of wrapped text where no terminal has a width: the width that every terminal shows."""


@contextmanager
def show_progress(stream: Any = None) -> Iterator[Callable[[str, int, int], None]]:
    """Show the progress of each phase and the time left: a bar on a terminal, else a line every half minute.

    Yields
    ------
    callable
        Receives the phase, the number done, and the total.
    """
    console = Console(file=stream or sys.stderr, soft_wrap=True)
    if not console.is_terminal:
        yield _ProgressLines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("left"),
    )
    # Workers end their runs at about the same time: two minutes give a steadier rate than the default of half a minute.
    with Progress(*columns, console=console, speed_estimate_period=120) as progress:
        bars: dict[str, Any] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in bars:
                bars[phase] = progress.add_task(f"{PHASES.get(phase, phase):<20}", total=total, completed=done)
            progress.update(bars[phase], completed=done, total=total)

        yield show


class _ProgressLines:
    """Progress as lines of text, for logs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started: dict[str, tuple[float, int]] = {}
        self.last = -_SECONDS_PER_LINE

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        begun, before = self.started.setdefault(phase, (now, done))
        if now - self.last < _SECONDS_PER_LINE and done not in (before, total):
            return
        self.last = now
        pace = (now - begun) / (done - before) if done > before else None
        left = f", about {duration(pace * (total - done))} left" if pace and done < total else ""
        self.console.print(f"{PHASES.get(phase, phase)}: {done:,} of {total:,}{left}", highlight=False, markup=False)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], form: str = "table") -> None:
    """Print rows as a table, CSV or JSON records."""
    if form == "csv":
        sys.stdout.write(csv_text(columns, rows))
    elif form == "json":
        print(json_records(columns, rows))
    else:
        print_table(columns, rows)


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def json_records(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as a JSON array of objects; NaN and infinities, for which JSON has no sign, become strings.

    Raises
    ------
    InputError
        For two columns of one name.
    """
    refuse_duplicate_columns(columns)
    records = [dict(zip(columns, map(_json_value, row), strict=True)) for row in rows]
    return json.dumps(records, indent=2, ensure_ascii=False, default=str)


def refuse_duplicate_columns(columns: Sequence[str]) -> None:
    """Refuse two columns of one name, for formats in which a name has one value."""
    repeated = [name for name in dict.fromkeys(columns) if list(columns).count(name) > 1]
    if repeated:
        raise InputError(f"expected columns of different names; found {repeated[0]!r} twice: rename one with AS")


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None, wrapped: Collection[str] = ()
) -> None:
    """Print a table with numbers aligned right; long text is cut on a terminal, but not in a file or pipe.

    Text of the columns in `wrapped` takes several lines instead of being cut.
    """
    console = Console()
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        numeric = any(isinstance(row[position], int | float) for row in rows)
        table.add_column(
            Text(name), justify="right" if numeric else "left", overflow="ellipsis", no_wrap=name not in wrapped
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if not console.is_terminal:
        # A file or a pipe has no width: this one is more than any row takes.
        console = Console(width=10_000)
    console.print(table)


def say(message: str) -> None:
    """Print a message to standard output, without markup or line breaks of rich."""
    Console(soft_wrap=True).print(Text(message))


def print_block(content: str | Sequence[tuple[str, str]]) -> None:
    """Print a paragraph, or labelled lines below it, wrapped to the terminal; in a file or pipe to 80 columns."""
    console = Console()
    width = console.width if console.is_terminal else _PIPE_WIDTH
    if isinstance(content, str):
        say(_wrapped(content, width))
        return
    longest = max(len(label) for label, _ in content)
    for label, value in content:
        say(_wrapped(f"  {label:<{longest}}  {value}", width, indent=longest + 4))


def _wrapped(text: str, width: int, indent: int = 0) -> str:
    return textwrap.fill(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def complain(message: str, kind: str = "error") -> None:
    """Print a message of one line to standard error, after its kind."""
    Console(stderr=True, soft_wrap=True).print(Text(f"{kind}: ", style="bold red") + Text(" ".join(message.split())))


def show_place(text: str, offset: int) -> None:
    """Show on standard error the line of a character, with a caret under it."""
    Console(stderr=True, soft_wrap=True).print(Text(caret_lines(text, offset)))


def caret_lines(text: str, offset: int, width: int = 100) -> str:
    r"""Return the line of a character with a caret below it, cut to a width.

    Examples
    --------
    >>> print(caret_lines("SELECT *\nFORM results", 9))
    FORM results
    ^
    """
    start = text.rfind("\n", 0, offset) + 1
    line = text[start:].split("\n", 1)[0].replace("\t", " ")
    column = offset - start
    # The caret is at two thirds of what is shown of a long line: what comes before an error explains it.
    first = max(0, min(column - 2 * width // 3, len(line) - width))
    return f"{line[first : first + width]}\n{' ' * cell_len(line[first:column])}^"


def leave_progress() -> None:
    """Show the cursor again, which a progress bar hides, and go to a new line below the bar."""
    console = Console(stderr=True)
    if console.is_terminal:
        console.show_cursor()
        console.print()


def duration(seconds: float) -> str:
    """Return seconds in hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _json_value(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split("\n"))
