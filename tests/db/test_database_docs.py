"""The database page: every query runs, every table, view and column is there and means what it says."""

import re
from pathlib import Path

import pytest

from prunestats.db import open_database, query, read
from prunestats.db.comments import VIEWS
from prunestats.db.page import schema_page
from prunestats.db.views import VIEWS as DEFINED

PAGE = Path(__file__).parents[2] / "docs" / "database.md"
QUERIES = re.findall(r"\*\*([^*]+)\*\*[^`]*```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
# the sample has none
WITHOUT_ROWS = {"What was concluded so far, from how many rows?"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory, server, fill_once):
    """What each database answers to each query."""
    found = {}
    for kind, url in (
        ("sqlite", tmp_path_factory.mktemp("page") / "results.db"),
        ("postgresql", server.new_database()),
    ):
        engine = open_database(url)
        fill_once(engine, n=30)
        engine.dispose()
        found[kind] = {question: query(url, sql) for question, sql in QUERIES}
    return found


def test_every_query_of_the_page_is_found():
    assert len(QUERIES) >= 15
    assert len(QUERIES) == PAGE.read_text(encoding="utf-8").count("```sql")


@pytest.mark.parametrize("question", [question for question, _ in QUERIES])
def test_the_cookbook_gives_the_same_answers_on_both(answers, question):
    here, there = answers["sqlite"][question], answers["postgresql"][question]
    assert here.columns == there.columns
    assert len(set(here.columns)) == len(here.columns)
    assert bool(here.rows) != (question in WITHOUT_ROWS)
    for one, other in zip(sorted(map(comparable, here.rows)), sorted(map(comparable, there.rows)), strict=True):
        assert one == other


def comparable(row):
    """Numbers to ten digits, and JSON without blanks."""
    return [f"{float(value):.10g}" if isinstance(value, int | float) else str(value).replace(" ", "") for value in row]


def test_the_page_shows_the_schema_as_it_is(engine):
    with read(engine) as connection:
        assert PAGE.read_text(encoding="utf-8").endswith(schema_page(connection))


def test_every_view_is_explained():
    assert list(VIEWS) == list(DEFINED)
