"""Comparisons as tables: the verdict in words, units and decimals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import prunestats as ps
from prunestats.comparison.tables import verdict, verdict_table
from prunestats.metric import Metric
from prunestats.numeric.intervals import Interval


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    names = np.repeat(["low", "high"], 30)
    frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(60)], "space": names, "flops": 1000, "params": 100})
    frame["error"] = np.where(names == "low", 0.1, 0.2) + 0.01 * rng.standard_normal(60)
    return ps.compare(frame, rng=rng).pairs[0]


def test_the_verdict_is_that_of_the_adjusted_test(pair):
    assert (pair.a, pair.b, verdict(pair)) == ("high", "low", "B lower")
    assert verdict(replace(pair, p_less=Interval(0.9, 0.8, 1.0, 0.95))) == "A lower"
    assert verdict(replace(pair, p_holm=0.06)) == "not significantly different"
    assert verdict(replace(pair, p_holm=0.06, level=0.9)) == "B lower"
    assert verdict(replace(pair, p_holm=float("nan"))) == "not significantly different"


def test_errors_are_in_percentage_points_and_other_metrics_in_their_own_unit(pair):
    mean = replace(pair, mean_difference=Interval(0.1, 0.09, 0.112, 0.95))
    head, rows = verdict_table([mean])
    assert head == ["A", "B", "mean A - B (pp)", "P(A < B)", "verdict"]
    assert rows[0][2] == "10.00 [9.00, 11.20]"
    head, rows = verdict_table(
        [replace(mean, response="log_cross_entropy", metric=Metric("log_cross_entropy"), regime=0.25)]
    )
    assert (head[0], head[3]) == ("regime", "mean A - B")
    assert (rows[0][0], rows[0][3]) == ("0.25", "0.100 [0.090, 0.112]")


def test_a_small_difference_is_not_rounded_away(pair):
    _, rows = verdict_table([replace(pair, mean_difference=Interval(1e-5, 0.5e-5, 2e-5, 0.95))])
    assert rows[0][2] == "0.00100 [0.00050, 0.00200]"
