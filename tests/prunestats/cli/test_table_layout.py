"""Tables on narrow terminals: numbers and names are never cut, whatever the width."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from prunestats.cli import terminal
from prunestats.cli.table_layout import GAP, blocks_of_rows, fit_columns

COLUMNS = ("regime", "space", "subnetworks", "median", "median_low", "median_high", "interval")
ROWS = [
    (0.5, "initial", 120, 0.0333333, 0.0311111, 0.0355556, "2.42 [1.03, 3.81]"),
    (0.25, "initial-refined", 120, 0.0622222, 0.0577778, 0.0666667, "-5.43 [-7.35, -3.52]"),
]


def printed(columns, rows, width, monkeypatch, **options):
    """What a terminal of a width shows."""
    text = io.StringIO()

    def console(**arguments):
        return Console(file=text, force_terminal=True, color_system=None, **{"width": width, **arguments})

    monkeypatch.setattr(terminal, "Console", console)
    terminal.print_table(columns, rows, **options)
    return re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue())


@pytest.mark.parametrize("width", [40, 60, 80, 90, 120])
def test_numbers_and_names_stand_whole_at_every_width(width, monkeypatch):
    shown = printed(COLUMNS, ROWS, width, monkeypatch)
    assert "…" not in shown
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())
    for row in ROWS:
        assert all(terminal._cell(value) in shown for value in row)


def test_headings_are_broken_before_anything_else(monkeypatch):
    one_line, broken = (printed(COLUMNS[3:6], [row[3:6] for row in ROWS], width, monkeypatch) for width in (40, 31))
    assert one_line.splitlines()[0].split() == ["median", "median_low", "median_high"]
    assert [line.split() for line in broken.splitlines()[:2]] == [["median_", "median_"], ["median", "low", "high"]]
    assert "In all rows" not in broken


def test_what_is_the_same_in_all_rows_is_printed_once(monkeypatch):
    shown = printed(COLUMNS, ROWS, 78, monkeypatch).splitlines()
    assert shown[0] == "In all rows: subnetworks 120."
    assert not any("subnetworks" in line or "120" in line for line in shown[1:])
    empty = printed(("a", "runs", "b"), [("x" * 9, 5, None), ("y" * 9, 7, None)], 16, monkeypatch)
    assert empty.splitlines()[0] == "In all rows: b –."


def test_rows_become_columns_where_nothing_else_fits(monkeypatch):
    shown = printed(COLUMNS, ROWS, 60, monkeypatch).splitlines()
    assert [line.split()[0] for line in shown] == list(COLUMNS)
    assert shown[1].split() == ["space", "initial", "initial-refined"]
    blocks = printed(COLUMNS, ROWS, 40, monkeypatch)
    assert blocks.count("subnetworks") == 2
    assert "\n\n" in blocks


def test_long_text_is_cut_or_wrapped_but_stays_in_its_column(monkeypatch):
    reason = "the loss was not finite in the third epoch of its training"
    cut = printed(("n", "reason"), [(12345, reason)], 40, monkeypatch)
    assert "12345" in cut
    assert len(cut.splitlines()) == 2
    assert "…" in cut
    wrapped = printed(("n", "reason"), [(12345, reason)], 40, monkeypatch, wrapped=("reason",))
    assert " ".join(wrapped.split()[2:]) == f"12345 {reason}"


def test_an_empty_table_shows_its_headings(monkeypatch):
    assert printed(("a", "b"), [], 20, monkeypatch).split() == ["a", "b"]


number = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: f"{value:.6g}")


@given(st.data(), st.integers(1, 6), st.integers(1, 5), st.integers(10, 120))
@settings(max_examples=200, deadline=None)
def test_a_layout_keeps_every_number_and_the_width(data, n_columns, n_rows, width):
    columns = [f"column_{index}" for index in range(n_columns)]
    cells = [[data.draw(number) for _ in columns] for _ in range(n_rows)]
    layout = fit_columns(columns, cells, width)
    if layout is None:
        blocks = list(blocks_of_rows(columns, cells, width))
        assert [row for block in blocks for row in zip(*(line[1:] for line in block), strict=True)] == list(
            map(tuple, cells)
        )
        return
    assert sum(layout.widths) + GAP * (len(layout.widths) - 1) <= width
    assert all(
        len(row[index]) <= room for row in cells for index, room in zip(layout.shown, layout.widths, strict=True)
    )
    assert {columns[index] for index in layout.shown} | {name for name, _ in layout.same} == set(columns)
