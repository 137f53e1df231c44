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
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from prunestats.cli.table_layout import blocks_of_rows, fit_columns, is_number
from prunestats.errors import InputError
from prunestats.wording import NONE

PHASES = {"originals": "training originals", "runs": "pruning and training", "latency": "measuring latency"}

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
    """Print a table with numbers aligned right.

    On a terminal that is too narrow, headings are broken, what is the same in all rows is printed once above the table,
    and long text is cut, or takes several lines in the columns of `wrapped`; numbers and names are never cut: where
    they do not fit, rows are printed as columns. A file or pipe gets the whole table.
    """
    console = Console()
    cells = [[_cell(value) for value in row] for row in rows]
    # A file or a pipe has no width: this one is more than any row takes.
    width = console.width if console.is_terminal else 10_000
    layout = fit_columns(columns, cells, width, wrapped)
    if layout is None:
        _print_transposed(columns, cells, title)
        return
    if layout.same:
        say(f"In all rows: {', '.join(f'{name} {value or NONE}' for name, value in layout.same)}.")
    table = _table(title)
    for index, heading, room in zip(layout.shown, layout.headings, layout.widths, strict=True):
        numeric = any(is_number(row[index]) for row in rows)
        table.add_column(
            Text(heading),
            justify="right" if numeric else "left",
            vertical="top",
            overflow="ellipsis",
            no_wrap=columns[index] not in wrapped,
            width=room,
        )
    for row in cells:
        table.add_row(*(Text(row[index]) for index in layout.shown))
    Console(width=width).print(table)


def _print_transposed(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str | None) -> None:
    """Print a line per column and a column per row, in blocks of as many rows as fit."""
    console = Console()
    for number, block in enumerate(blocks_of_rows(columns, cells, console.width)):
        if number:
            console.print()
        table = _table(None if number else title)
        table.show_header = False
        table.add_column(style="bold", no_wrap=True)
        for _ in block[0][1:]:
            table.add_column(justify="right" if len(cells) > 1 else "left", overflow="fold")
        for row in block:
            table.add_row(*map(Text, row))
        console.print(table)


def _table(title: str | None) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)


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


def make_folder(folder: Path) -> None:
    """Create a folder for what a command writes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"expected a folder that can be created; found {error.strerror!r} at {str(folder)!r}: name another"
        ) from error


def _json_value(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split("\n"))
