"""The subnetwork to take by a metric of the study's own: mirrored where higher values are better, in its unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, with_metric
from prunestats.noise.best_errors import dense_value
from prunestats.noise.best_result import BestSubnetwork
from prunestats.noise.best_sentences import answer_sentence, error_lines, splits_sentence
from prunestats.noise.budget import Budget
from prunestats.noise.subnetwork_to_take import best_subnetworks
from prunestats.study_record import Original

MIOU = Metric("miou", "maximize", "fraction", 0.0, 1.0)
PERPLEXITY = Metric("perplexity")
DENSE = Original("o", "net", "data", 3, 1000, 500, 2, "multiply-adds", 0.05, 0.06, {}, ("stem", "conv"))
SPLITS = ("error", "test")


def seeded(rng):
    """Runs of 40 subnetworks with two seeds each, around half the FLOPs, with errors of both splits."""
    truth, unit = 0.1 + 0.01 * rng.standard_normal(40), np.repeat(np.arange(40), 2)
    shared = 0.004 * rng.standard_normal(80)
    return pd.DataFrame({
        "subnetwork": [f"s{i:03d}" for i in unit], "space": np.where(unit % 2, "initial", "uniform"), "original": "o",
        "regime": 0.5, "seed": np.tile([0, 1], 40), "flops": rng.integers(490, 511, 40)[unit], "params": 300,
        "error": truth[unit] + shared, "test": truth[unit] + 0.01 + 0.6 * shared + 0.004 * rng.standard_normal(80),
    })  # fmt: skip


def take(runs, metric, value, **options):
    """The subnetwork to take by a function of the error."""
    frames = [
        with_metric(runs.drop(columns=[*SPLITS]).assign(**{metric.name: value(runs[split])}), metric)
        for split in SPLITS
    ]
    dense = replace(DENSE, val_metric=float(value(0.05)), test_metric=float(value(0.06)))
    (found,) = best_subnetworks(*frames, [dense], uniform="uniform", rng=np.random.default_rng(4), **options)
    return found


def words(found: BestSubnetwork) -> str:
    lines = [f"{name} {value}" for name, value in error_lines(found)] if found.expected else []
    return " ".join([splits_sentence([found]), answer_sentence(found), *lines, *found.notes])


@pytest.fixture(scope="module")
def runs():
    return seeded(np.random.default_rng(0))


def close(mine, other):
    assert (mine.value, mine.low, mine.high) == pytest.approx((other.value, other.low, other.high), abs=1e-9)


@pytest.mark.parametrize("drop", [None, 0.05, 0.001])
def test_an_accuracy_is_a_mirrored_error(runs, drop):
    mine = take(runs, MIOU, lambda e: 1 - e, budget=drop and Budget(max_drop=drop, metric=MIOU))
    other = take(runs, ERROR, lambda e: e, budget=drop and Budget(max_drop=drop))
    same = ("subnetwork", "n_candidates", "flops", "as_good", "corrected", "split", "regime", "n_seeds")
    assert [getattr(mine, name) for name in same] == [getattr(other, name) for name in same]
    assert (mine.metric, mine.budget.metric) == (MIOU, MIOU)
    if other.expected is None:
        assert drop == 0.001
        return
    assert mine.dense_error == pytest.approx(1 - other.dense_error)
    assert mine.seen == pytest.approx(1 - other.seen)
    for name in ("expected", "uniform_error"):
        value = getattr(other, name)
        close(getattr(mine, name), replace(value, value=1 - value.value, low=1 - value.high, high=1 - value.low))
    # how much worse than the dense network it is has one sign; differences to uniform pruning are natural ones
    close(mine.drop, other.drop)
    gain = other.versus_uniform
    close(mine.versus_uniform, replace(gain, value=-gain.value, low=-gain.high, high=-gain.low))


def test_sentences_have_the_direction_of_the_metric(runs):
    mine, other = (
        answer_sentence(take(runs, metric, value)) for metric, value in ((MIOU, lambda e: 1 - e), (ERROR, lambda e: e))
    )
    assert "Its expected test mIoU is 9" in mine
    assert "above the dense network (6.00 %)" in other
    assert "below the dense network (94.00 %)" in mine
    assert "below the mean of uniform pruning" in other
    assert "above the mean of uniform pruning" in mine
    assert "error" not in mine


def test_a_perplexity_has_neither_percent_nor_error(runs):
    found = take(runs, PERPLEXITY, lambda e: np.exp(20 * e))
    text = words(found)
    assert found.expected.value == pytest.approx(np.exp(20 * 0.095), abs=2)
    assert "Its expected test perplexity is " in text
    assert "expected perplexity" in text
    assert "dense perplexity" in text
    for word in ("error", "accuracy", "percentage points", "images"):
        assert word not in text
    # what is left is the level of intervals, and the budget
    left = text.replace("95 %", "").replace("50 %", "")
    assert "%" not in left


def test_a_metric_has_its_unit_and_its_interval_says_what_it_speaks_of(runs):
    psnr = Metric("psnr", "maximize", "dB")
    found = take(runs, psnr, lambda e: 34 - 40 * e)
    assert " dB" in answer_sentence(found)
    assert " dB (" in dict(error_lines(found))["drop"]
    assert "how far psnr would differ on other data is not included" in splits_sentence([found])
    assert "other data" not in splits_sentence([take(runs, ERROR, lambda e: e)])


def test_a_drop_is_in_the_metric_s_unit():
    assert Budget(max_drop=0.5, metric=PERPLEXITY).words == "perplexity at most 0.5 above the dense network's"
    assert Budget(max_drop=2, metric=Metric("psnr", "maximize", "dB")).words == (
        "at most 2 dB of psnr below the dense network"
    )
    assert Budget(max_drop=0.01, metric=MIOU).words == "at most 1 percentage points of mIoU below the dense network"
    assert Budget(max_drop=0.01).words == "at most 1 percentage points of error above the dense network"
    assert Budget(max_drop=3.0, metric=PERPLEXITY).to_dict() == Budget().to_dict() | {"max_drop": 3.0}
    with pytest.raises(InputError, match="a fraction between -1 and 1; found 2"):
        Budget(max_drop=2, metric=MIOU)
    with pytest.raises(InputError, match="a difference of rating between -5 and 5; found 7: write it in the metric's"):
        Budget(max_drop=7, metric=Metric("rating", "maximize", "", 0, 5))


def test_a_drop_that_cannot_be_known_is_refused_in_the_metric_s_name(runs):
    frame = with_metric(runs.drop(columns=[*SPLITS]).assign(perplexity=np.exp(runs["error"])), PERPLEXITY)
    # errors of the dense network are no values of another metric
    with pytest.raises(InputError, match="the validation perplexity of the dense network; found none"):
        best_subnetworks(frame, frame, [DENSE], budget=Budget(max_drop=1.0, metric=PERPLEXITY))
    assert dense_value(DENSE, "test", PERPLEXITY) is None
    assert dense_value(DENSE, "test", ERROR) == 0.06
    (found,) = best_subnetworks(frame, frame, [DENSE])
    assert "The perplexity of the dense network is not recorded, so the drop is unknown." in found.notes
    assert "No test perplexity is recorded" in " ".join(found.notes)


@pytest.mark.parametrize(("metric", "value"), [(MIOU, lambda e: 1 - e), (PERPLEXITY, np.exp)])
def test_a_selection_that_loses_to_uniform_pruning_is_said(runs, metric, value):
    even = runs["space"] == "uniform"
    moved = np.where(even, 0.05, 0.0)
    misled = runs.assign(error=runs["error"] + moved, test=runs["test"] - moved)
    found = take(misled, metric, value)
    assert found.spaces == ("initial",)
    assert any(
        f"validation {metric.label} does not separate" in note and "uniform pruning is the safer choice" in note
        for note in found.notes
    )
    assert not any("safer choice" in note for note in take(runs, metric, value).notes)
