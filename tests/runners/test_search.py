"""A search shares one executor, data set and traced original over its rounds, and stores the rows of its studies."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

import prunestats as ps
from prunestats.runners.execution import executors, study_plan
from prunestats.runners.study.file import Study, parse_study

STUDY = """
name = "small"
[[originals]]
network = "resnet_digits"
epochs = 1
learning_rate = 0.1
[regimes]
flops = [0.5]
tolerance = 0.05
[[spaces]]
name = "initial"
sampler = "independent"
[protocol]
epochs = 3
learning_rate = 0.05
"""
OPTIONS = {"flops": 0.5, "budget": 12, "finalists": 2, "finalist_seeds": 1, "confirm_seeds": 2, "workers": 0}
METRICS = "study, space, subnetwork, widths, protocol, seed, state, val_error, test_error, val_loss, test_loss, epochs"


def counted(monkeypatch, module, name):
    """Count the calls of a function of a module."""
    calls = []
    function = getattr(module, name)

    def count(*arguments, **options):
        calls.append(arguments)
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, count)
    return calls


def rows(db, query):
    with closing(sqlite3.connect(db)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search with the calls that it made, and its database."""
    db = tmp_path_factory.mktemp("search") / "search.db"
    with pytest.MonkeyPatch.context() as patch:
        calls = {
            name: counted(patch, module, name)
            for module, name in ((executors, "executor"), (study_plan, "load_any"), (study_plan, "trace"))
        }
        found = ps.search(parse_study(STUDY), db, **OPTIONS)
    return found, calls, db


def test_all_rounds_share_an_executor_the_data_and_the_traced_original(searched):
    found, calls, _ = searched
    assert len(found.rounds) == 4
    assert {name: len(made) for name, made in calls.items()} == {"executor": 1, "load_any": 1, "trace": 1}


def test_rounds_are_stored_as_when_each_is_run_by_itself(searched, tmp_path):
    _, _, db = searched
    for (text,) in rows(db, "SELECT text FROM study ORDER BY id"):
        ps.run_study(Study.model_validate_json(text), tmp_path / "apart.db", workers=0)
    query = f"SELECT {METRICS} FROM results ORDER BY study, subnetwork, seed"
    assert rows(db, query) == rows(tmp_path / "apart.db", query)


def test_a_search_that_is_complete_opens_no_executor_and_finds_the_same_winner(searched, monkeypatch):
    found, _, db = searched
    calls = counted(monkeypatch, executors, "executor")
    again = ps.search(parse_study(STUDY), db, **OPTIONS)
    assert replace(again, reasons=found.reasons) == found
    assert calls == []
