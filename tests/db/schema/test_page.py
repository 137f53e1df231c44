"""The page on the database: every table, view and column is described as in the schema."""

from pathlib import Path

from prunestats.db import read
from prunestats.db.schema.comments import VIEWS
from prunestats.db.schema.page import schema_page
from prunestats.db.schema.views import VIEWS as DEFINED

PAGE = Path(__file__).parents[3] / "docs" / "database.md"


def test_the_page_shows_the_schema_as_it_is(engine):
    with read(engine) as connection:
        assert PAGE.read_text(encoding="utf-8").endswith(schema_page(connection))


def test_every_view_is_explained():
    assert list(VIEWS) == list(DEFINED)
