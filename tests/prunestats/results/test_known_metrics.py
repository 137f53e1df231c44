"""Metrics that are known by name, and results frames of any metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunestats.db.exchange.exporting import COLUMNS as EXPORTED
from prunestats.db.reading.results import COLUMNS as LOADED
from prunestats.errors import InputError, ResultsError
from prunestats.metric import ERROR, Metric, metric_of
from prunestats.results.checks import check_results, has_flops
from prunestats.results.frame import results_frame
from prunestats.results.known_metrics import KNOWN, RESERVED, named_metric
from prunestats.results.means import distinct_runs, subnetwork_means
from prunestats.results.ratio import ratio


def table(**columns):
    frame = pd.DataFrame({"model": ["a", "b", "b"], "seed": [0, 0, 1], "size": [7, 4, 4], "ppl": [5.5, 6.0, 7.0]})
    return frame.assign(**columns)


NAMES = {"subnetwork": "model", "seed": "seed", "params": "size"}


def test_a_frame_has_the_metric_under_its_name_and_no_flops():
    frame = results_frame(table(), **NAMES, metric="ppl", metric_name="perplexity")
    assert list(frame.columns) == ["subnetwork", "params", "perplexity", "seed"]
    assert metric_of(frame) == KNOWN["perplexity"]
    assert not has_flops(frame)
    assert subnetwork_means(frame, "perplexity")["perplexity"].tolist() == [5.5, 6.5]
    assert distinct_runs(frame, "perplexity")["flops"].isna().all()
    with pytest.raises(ResultsError, match="the ratio of FLOPs to parameters needs FLOPs"):
        ratio(frame, 1)


def test_a_frame_of_nan_flops_is_one_without_and_some_nan_are_refused():
    frame = results_frame(table(), **NAMES, metric="ppl", direction="minimize")
    assert metric_of(frame) == Metric("ppl")
    assert check_results(frame.assign(flops=np.nan)) is not None
    with pytest.raises(ResultsError, match="flops must be finite; found 1 of 3"):
        check_results(frame.assign(flops=[9, 9, np.nan]))


def test_a_fraction_may_be_given_in_percent():
    frame = results_frame(
        table(ppl=[50.0, 60.0, 70.0]), **NAMES, metric="ppl", metric_name="miou", error_unit="percent"
    )
    assert frame["miou"].tolist() == [0.5, 0.6, 0.7]
    assert metric_of(frame).direction == "maximize"


def test_a_loss_may_be_the_metric():
    frame = results_frame(table(), **NAMES, metric="ppl", metric_name="loss")
    assert frame["loss"].tolist() == [5.5, 6.0, 7.0]
    with pytest.raises(InputError, match="one column of losses"):
        results_frame(table(), **NAMES, metric="ppl", metric_name="loss", loss="size")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "expected a column with the metric; found none: pass error=COLUMN or metric=COLUMN"),
        ({"error": "ppl", "metric": "ppl"}, "expected one metric; found error='ppl' and metric='ppl': leave one out"),
        ({"error": "ppl", "unit": "dB"}, "expected these options beside metric=; found error='ppl'"),
        ({"metric": "ppl"}, "expected the direction of ppl, minimize or maximize; found none"),
        ({"metric": "ppl", "metric_name": "flops"}, "'flops', which is a column of results"),
        ({"metric": "ppl", "metric_name": "perplexity", "metric_range": (1, 6)}, r"perplexity must be in \[1, 6\]"),
        ({"metric": "ppl", "metric_name": "miou"}, r"miou must be a fraction in \[0, 1\]; found 5\.5"),
        ({"metric": "ppl", "metric_name": "perplexity", "error_unit": "percent"}, "is for fractions; found perplexity"),
        ({"metric": "pll", "metric_name": "perplexity"}, "expected a column 'pll'"),
    ],
)
def test_metrics_that_cannot_be_are_refused_in_one_line(arguments, words):
    with pytest.raises((InputError, ResultsError), match=words) as caught:
        results_frame(table(), **NAMES, **arguments)
    assert "\n" not in str(caught.value)


def test_known_metrics_have_their_own_names_and_others_need_a_direction():
    assert all(metric.name == name for name, metric in KNOWN.items())
    assert named_metric("error") == ERROR
    assert named_metric("PSNR") == Metric("PSNR", "maximize", "dB")
    assert named_metric("perplexity", "minimize", "") == KNOWN["perplexity"]
    # a range in another unit is not known
    assert named_metric("miou", unit="%") == Metric("miou", "maximize", "%")
    assert named_metric("ppl", "minimize", bounds=(None, float("inf"))) == Metric("ppl")


def test_a_metric_has_the_name_of_no_other_column():
    own = {"error", "loss", "log_cross_entropy", "val_error", "test_error", "val_loss", "test_loss", "train_loss"}
    proxies = {"pruned_val_error", "recalibrated_val_error"}
    assert {*LOADED, *EXPORTED} - own - proxies <= RESERVED
