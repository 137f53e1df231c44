"""Progress of a study: runs are counted once, and the rate is that since the last pause."""

from datetime import timedelta

import pytest

from prunestats.db import read, study_progress, write
from prunestats.db.connection.plain_values import now
from prunestats.db.reading.progress import recent_rate


def set_times(engine, ago):
    """Let the runs, in order, have been stored so many seconds ago."""
    present = now()
    with write(engine) as connection:
        for run, seconds in enumerate(ago, 1):
            moment = (present - timedelta(seconds=seconds)).isoformat(" ")
            connection.exec_driver_sql(f"UPDATE run SET created_at = '{moment}' WHERE id = {run}")


def progress(engine, study=None):
    with read(engine) as connection:
        return study_progress(connection, study)


def test_a_run_of_two_populations_counts_once(engine, fill):
    fill(engine, n=6, runs=10)
    [found] = progress(engine)
    with read(engine) as connection:
        distinct = connection.exec_driver_sql("SELECT count(*) FROM subnetwork").scalar_one()
    assert found.runs == 2 * distinct
    assert (found.done, found.failed, found.missing) == (9, 1, 2 * distinct - 10)
    assert found.failures == (("loss is not finite", 1),)


def test_the_rate_is_that_since_the_last_pause(engine, fill):
    fill(engine, n=6, runs=10)
    set_times(engine, [9000, 8990, 8980, 8970, 50, 40, 30, 20, 10, 0])
    [found] = progress(engine)
    assert found.per_minute == pytest.approx(6)
    assert found.running
    assert found.left_s == pytest.approx(10 * found.missing)
    set_times(engine, [9000, 8990, 8980, 8970, 550, 540, 530, 520, 510, 500])
    [found] = progress(engine)
    assert found.per_minute == pytest.approx(6)
    assert not found.running


def test_a_study_that_is_complete_does_not_run(engine, fill):
    fill(engine)
    [found] = progress(engine)
    assert (found.missing, found.running, found.done + found.failed) == (0, False, found.runs)


def test_studies_are_told_apart_and_imports_ask_for_nothing(engine, fill):
    fill(engine, study="one", runs=4)
    fill(engine, study="two", original="net-1", runs=7)
    fill(engine, study="import", plan=False, runs=0)
    assert [(found.study, found.done + found.failed) for found in progress(engine)] == [("one", 4), ("two", 7)]
    assert [found.study for found in progress(engine, "two")] == ["two"]


def test_there_is_no_rate_without_two_moments():
    moment = now()
    assert recent_rate([]) is None
    assert recent_rate([(moment, 1.0)]) is None
    assert recent_rate([(moment, 1.0), (moment, None)]) is None


def test_long_runs_are_no_pauses():
    present = now()
    moments = [(present - timedelta(hours=3 * n), 10_000.0) for n in range(5)]
    assert recent_rate(moments) == pytest.approx(1 / 180)
    assert recent_rate([(moment, 20.0) for moment, _ in moments]) is None
