"""Studies with a metric of their own, from rows to frame and views."""

import json
from itertools import pairwise

import pytest

from prunestats.db import load_results, read, write
from prunestats.metric import ERROR, Metric, metric_of

MIOU = Metric("miou", "maximize", "fraction", 0.0, 1.0)


def rows_of(engine, text):
    with read(engine) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(text)]


@pytest.fixture
def own(engine, fill):
    """A stored study whose finished runs have an mIoU: 1 minus what their error was."""
    fill(engine)
    with write(engine) as connection:
        connection.exec_driver_sql(f"UPDATE study SET metric = '{json.dumps(MIOU.to_dict())}'")
        connection.exec_driver_sql(
            "UPDATE run SET val_metric = 1 - val_error, test_metric = 1 - test_error WHERE state = 'done'"
        )
        connection.exec_driver_sql("UPDATE run SET val_error = NULL, test_error = NULL")
        for row, value in connection.exec_driver_sql("SELECT id, val_metric FROM run WHERE state = 'done'").all():
            text = json.dumps({"validation": {"miou": value, "recall": 0.5}, "test": {"miou": value / 2}})
            connection.exec_driver_sql(f"UPDATE run SET metrics = '{text}' WHERE id = {row}")
    return engine


def test_the_frame_has_the_metric_in_place_of_the_error(own):
    frame = load_results(own)
    assert metric_of(frame) == MIOU
    assert not {"error", "loss", "log_cross_entropy"} & set(frame.columns)
    assert frame["miou"].between(0, 1).all()
    assert (frame["recall"] == 0.5).all()
    assert load_results(own, split="test")["miou"].tolist() == pytest.approx((frame["miou"] / 2).tolist())
    assert load_results(own, columns=["subnetwork", "error", "seed"]).columns.tolist() == [
        *("subnetwork", "miou", "recall", "val_metric", "test_metric", "seed")
    ]


def test_a_split_that_no_run_has_gives_missing_values(own):
    with write(own) as connection:
        connection.exec_driver_sql("UPDATE run SET metrics = '{}'")
    frame = load_results(own, split="test")
    assert frame["miou"].isna().all()
    assert metric_of(frame) == MIOU


def test_views_rank_in_the_direction_of_the_metric(own):
    assert rows_of(own, "SELECT DISTINCT metric, direction FROM leaderboard") == [("miou", "maximize")]
    ranked = rows_of(
        own, "SELECT original, regime, protocol_key, val_metric FROM leaderboard ORDER BY original, regime, 3, place"
    )
    assert len(ranked) > 2
    for before, after in pairwise(ranked):
        assert before[:3] != after[:3] or before[3] >= after[3]
    shares = rows_of(own, "SELECT population_id, val_metric, edf FROM edf ORDER BY population_id, edf")
    for before, after in pairwise(shares):
        assert before[0] != after[0] or before[1] >= after[1]
    front = rows_of(own, "SELECT original, flops, val_metric FROM pareto ORDER BY original, flops")
    for before, after in pairwise(front):
        assert before[0] != after[0] or before[2] < after[2]


def test_a_study_without_a_metric_of_its_own_is_read_as_before(engine, fill):
    fill(engine)
    frame = load_results(engine)
    assert metric_of(frame) == ERROR
    assert frame.attrs == {}
    assert rows_of(engine, "SELECT DISTINCT metric, direction FROM results") == [("error", "minimize")]
    assert rows_of(engine, "SELECT count(*) FROM results WHERE val_metric <> val_error") == [(0,)]
