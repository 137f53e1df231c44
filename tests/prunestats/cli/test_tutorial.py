"""The tutorial is run as it stands: four commands from an empty folder to an exported, verified subnetwork."""

import json
import re
import sqlite3
import tomllib

import pytest

from tests.prunestats.cli.tutorial_walk import EXACT, PAGE, expected, shape, walk


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    page, folder = PAGE.read_text(), tmp_path_factory.mktemp("walk")
    return page, list(walk(page, folder, sized=True)), folder


def test_what_comes_from_stored_results_is_printed_exactly(walked):
    page, blocks, _ = walked
    first, last = page.index(EXACT), page.index("\n## ", page.index(EXACT))
    stored = [block for block in blocks if first < block[0] < last]
    assert len(stored) > 4
    for start, end, commands, printed in stored:
        lines = [line.rstrip() for line in printed.splitlines()]
        assert lines == expected(page, start, end).splitlines(), commands


def test_what_was_trained_there_has_the_words_and_shape_of_the_page(walked):
    page, blocks, _ = walked
    for start, end, commands, printed in blocks:
        if commands[0].startswith("prunestats init"):
            continue
        assert shape(printed) == shape(expected(page, start, end)), commands


def test_init_times_the_network_and_writes_a_study_of_the_same_keys(walked):
    _, blocks, folder = walked
    written, shown = (tomllib.loads((folder / name).read_text()) for name in ("sized.toml", "study.toml"))
    assert written.keys() == shown.keys()
    assert (written["originals"][0]["network"], written["regimes"]["flops"]) == ("mynet:Net", [0.5, 0.25])
    [printed] = [printed for *_, commands, printed in blocks if commands[0].startswith("prunestats init")]
    assert re.match(r"Timed on this machine, .*\nWrote study\.toml: 2 budgets x 2 spaces x \d+ subnetworks", printed)


def test_the_exported_subnetwork_has_the_error_that_was_stored(walked):
    """`use.py` computes it again, from the exported file alone."""
    [used] = [printed for *_, commands, printed in walked[1] if commands == ["python use.py"]]
    facts = json.loads((walked[2] / "small" / "subnetwork.json").read_text())
    query_it = "SELECT test_error FROM results WHERE subnetwork = ? AND seed = ?"
    with sqlite3.connect(walked[2] / "prunestats.db") as connection:
        [(stored,)] = connection.execute(query_it, (facts["subnetwork"], facts["seed"]))
    connection.close()
    assert used == f"{facts['params']:,} parameters, test error {100 * stored:.2f} %\n"
