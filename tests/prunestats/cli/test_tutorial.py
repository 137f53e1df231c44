"""The tutorial is run as it stands: four commands from an empty folder to an exported, verified subnetwork."""

import pytest

from tests.prunestats.cli.tutorial_walk import EXACT, PAGE, expected, shape, walk


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    page = PAGE.read_text()
    return page, list(walk(page, tmp_path_factory.mktemp("walk")))


def test_what_comes_from_stored_results_is_printed_exactly(walked):
    page, blocks = walked
    first, last = page.index(EXACT), page.index("\n## ", page.index(EXACT))
    stored = [block for block in blocks if first < block[0] < last]
    assert len(stored) > 4
    for start, end, commands, printed in stored:
        lines = [line.rstrip() for line in printed.splitlines()]
        assert lines == expected(page, start, end).splitlines(), commands


def test_what_was_trained_there_has_the_words_and_shape_of_the_page(walked):
    page, blocks = walked
    for start, end, commands, printed in blocks:
        assert shape(printed) == shape(expected(page, start, end)), commands


def test_the_exported_subnetwork_has_the_error_that_was_stored(walked):
    """`use.py` computes it again, from the exported file alone."""
    page, blocks = walked
    [used] = [printed for *_, commands, printed in blocks if commands == ["python use.py"]]
    assert "test error" in used
