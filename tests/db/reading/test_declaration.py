"""Preregistration: a study is stored before its runs, or the declaration says how many were stored before it."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from prunestats.db import declaration, read, write
from prunestats.db.connection.plain_values import now
from prunestats.db.schema import tables as schema
from prunestats.errors import DatabaseError


def test_a_study_comes_before_its_runs_and_one_that_finds_some_there_says_so(engine, fill):
    fill(engine, study="first")
    with write(engine) as connection:
        connection.execute(update(schema.study).values(created_at=now() - timedelta(hours=2)))
        connection.execute(update(schema.run).values(created_at=now() - timedelta(hours=1)))
    fill(engine, study="second", fingerprint="other", n=8)
    with read(engine) as connection:
        first, second = (declaration(connection, name) for name in ("first", "second"))
    assert (first.fingerprint, first.runs_before) == ("f", 0)
    assert first.words.endswith(f"before any of its {first.runs} runs.")
    # the second study's subnetworks are those of the first, and two more of each population
    assert 0 < second.runs_before < second.runs
    assert second.runs_before <= first.runs
    assert f"{second.runs_before} of its {second.runs} runs were stored before it" in second.words
    assert second.declared_at >= first.declared_at


def test_a_study_that_is_not_there_is_named(engine):
    with read(engine) as connection, pytest.raises(DatabaseError, match="expected study 'none'"):
        declaration(connection, "none")
