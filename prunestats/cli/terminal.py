"""What the command line prints: progress with time left, tables, and errors of one line."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from prunestats.errors import InputError

PHASES = {"originals": "training originals", "runs": "pruning and training"}

# Without a terminal to redraw, a line this often is enough to see that work goes on.
_SECONDS_A_LINE = 30.0


@contextmanager
def show_progress(stream: Any = None) -> Iterator[Callable[[str, int, int], None]]:
    """Show how far each phase is and how long it will take: a bar on a terminal, else a line now and then.

    Yields
    ------
    callable
        Takes the phase, how many are done, and how many there are.
    """
    console = Console(file=stream or sys.stderr, soft_wrap=True)
    if not console.is_terminal:
        yield _Lines(console)
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
    with Progress(*columns, console=console, speed_estimate_period=120) as progress:
        bars: dict[str, Any] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in bars:
                bars[phase] = progress.add_task(f"{PHASES.get(phase, phase):<20}", total=total, completed=done)
            progress.update(bars[phase], completed=done, total=total)

        yield show


class _Lines:
    """Progress as lines of text, for logs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started: dict[str, tuple[float, int]] = {}
        self.last = -_SECONDS_A_LINE

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        begun, before = self.started.setdefault(phase, (now, done))
        if now - self.last < _SECONDS_A_LINE and done not in (before, total):
            return
        self.last = now
        pace = (now - begun) / (done - before) if done > before else None
        left = f", about {duration(pace * (total - done))} left" if pace and done < total else ""
        self.console.print(f"{PHASES.get(phase, phase)}: {done:,} of {total:,}{left}", highlight=False, markup=False)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], form: str = "table") -> None:
    """Print a query's answer as a table, CSV or JSON records."""
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
    """Return rows as a JSON array of objects; numbers that JSON has no sign for become their names.

    Raises
    ------
    InputError
        For two columns of one name.
    """
    refuse_twins(columns)
    records = [dict(zip(columns, map(_json_value, row), strict=True)) for row in rows]
    return json.dumps(records, indent=2, ensure_ascii=False, default=str)


def refuse_twins(columns: Sequence[str]) -> None:
    """Refuse two columns of one name where a name holds one value."""
    twins = [name for name in dict.fromkeys(columns) if list(columns).count(name) > 1]
    if twins:
        raise InputError(f"expected columns of different names; found {twins[0]!r} twice: rename one with AS")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """Print a table with numbers to the right, and long text cut on a terminal alone."""
    console = Console()
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        numeric = any(isinstance(row[position], int | float) for row in rows)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if not console.is_terminal:
        # A file or a pipe has no width of its own: nothing is cut.
        console = Console(width=10_000)
    console.print(table)


def say(message: str) -> None:
    """Print one line to standard output as it is."""
    Console(soft_wrap=True).print(Text(message))


def complain(message: str, kind: str = "error") -> None:
    """Print what went wrong to standard error: one line."""
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
    # the caret stands at two thirds of what is shown of a long line
    first = max(0, min(column - 2 * width // 3, len(line) - width))
    return f"{line[first : first + width]}\n{' ' * cell_len(line[first:column])}^"


def leave_progress() -> None:
    """Go to a new line below a progress bar, with the cursor that it hides."""
    console = Console(stderr=True)
    if console.is_terminal:
        console.show_cursor()
        console.print()


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
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
