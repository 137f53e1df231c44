"""The metric of an analysis: words, numbers and units for both directions, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest

from prunestats.errors import InputError, ResultsError
from prunestats.metric import ERROR, Metric, as_metric, lower_is_better, metric_of, with_metric
from prunestats.results.checks import check_results

MIOU = Metric("miou", "maximize", "fraction", 0, 1)
RUNS = pd.DataFrame({"subnetwork": ["a", "b"], "flops": [9, 8], "params": [3, 2], "miou": [0.6, 0.5]})


def test_words_follow_the_direction():
    assert (MIOU.better, MIOU.worse, MIOU.best) == ("higher", "lower", "highest")
    assert (ERROR.better, ERROR.worse, ERROR.best) == ("lower", "higher", "lowest")


def test_fractions_are_percentages_and_other_units_are_printed_as_they_are():
    assert (ERROR.value(0.0827), ERROR.difference(-0.012), ERROR.heading) == ("8.27 %", "−1.20 pp", "error (%)")
    psnr = Metric("psnr", "maximize", "dB")
    assert (psnr.value(31.234), psnr.difference(0.5), psnr.heading) == ("31.2 dB", "0.500 dB", "psnr (dB)")
    assert (Metric("perplexity").value(12.3), Metric("perplexity").heading) == ("12.3", "perplexity")
    assert MIOU.value(None) == "–"


@pytest.mark.parametrize("wrong", ["0.5", None, True, math.nan, math.inf, 1.5, [0.5]])
def test_a_value_that_is_none_is_refused_in_one_line(wrong):
    with pytest.raises(InputError, match="miou must be") as caught:
        MIOU.check(wrong)
    assert "\n" not in str(caught.value)


def test_numbers_of_other_libraries_are_numbers():
    assert MIOU.check(np.float32(0.5)) == 0.5


def test_a_marked_frame_knows_its_metric_after_selection_and_grouping():
    frame = with_metric(RUNS, MIOU)
    assert metric_of(frame[frame.flops > 8]) == MIOU
    assert metric_of(frame.sort_values("flops").assign(x=1)) == MIOU
    assert metric_of(frame, "flops").direction == "minimize"
    assert metric_of(RUNS) == ERROR
    assert as_metric(MIOU.to_dict()) == MIOU


def test_a_frame_of_several_metrics_names_them():
    frame = RUNS.copy()
    frame.attrs["metrics"] = [ERROR.to_dict(), MIOU.to_dict()]
    with pytest.raises(InputError, match="runs with error, miou"):
        metric_of(frame)
    assert metric_of(frame, "miou") == MIOU


def test_results_are_checked_by_the_metric_of_their_frame():
    frame = with_metric(RUNS, MIOU)
    assert check_results(frame) is frame
    with pytest.raises(ResultsError, match="miou must be a fraction in"):
        check_results(with_metric(RUNS.assign(miou=61.0), MIOU))
    with pytest.raises(ResultsError, match="not found: error"):
        check_results(RUNS)


def test_what_is_maximised_is_negated_for_statistics_that_minimise():
    assert lower_is_better(with_metric(RUNS, MIOU), MIOU)["miou"].tolist() == [-0.6, -0.5]
    assert lower_is_better(RUNS, ERROR) is RUNS
