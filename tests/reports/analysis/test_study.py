"""Selection on the validation split, reporting on the test split, and counts."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from prunestats.errors import InputError
from prunestats.optimum import find_optimum
from prunestats.reports.analysis.study import analyse_study


def rng():
    return np.random.default_rng(0)


def two_subnetworks(val, test):
    runs = pd.DataFrame(
        {
            "original": "o", "space": "s", "regime": 0.5, "subnetwork": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1],
            "flops": 1000, "params": [10, 10, 20, 20], "layer_params": [(4, 6)] * 2 + [(9, 11)] * 2,
        }
    )  # fmt: skip
    return runs.assign(error=val, log_cross_entropy=np.log(val)), runs.assign(
        error=test, log_cross_entropy=np.log(test)
    )


def test_the_winner_is_chosen_on_validation_and_reported_on_test():
    frames = two_subnetworks(val=[0.1, 0.12, 0.2, 0.2], test=[0.3, 0.34, 0.05, 0.07])
    (space,) = analyse_study(*frames, rng=rng()).regimes[0].spaces
    (winner,) = space.winners
    assert winner.subnetwork == "a"
    assert winner.val_error == pytest.approx(0.11)
    assert winner.test_error == pytest.approx(0.32)
    assert (winner.test_rank, winner.n_subnetworks) == (2, 2)
    assert winner.optimism == pytest.approx(0.21 - (0.21 - 0.14) / 2)


def test_seeds_are_averaged_before_anything_is_counted():
    frames = two_subnetworks(val=[0.1, 0.12, 0.2, 0.2], test=[0.3, 0.34, 0.05, 0.07])
    (space,) = analyse_study(*frames, rng=rng()).regimes[0].spaces
    assert (space.n_subnetworks, space.n_done, space.error.n) == (2, 4, 2)
    assert space.error.x.tolist() == pytest.approx([0.06, 0.32])
    assert space.mean_error == pytest.approx(0.19)


def test_ratio_counts_buckets_layer_by_layer():
    frames = two_subnetworks(val=[0.1] * 4, test=[0.1] * 4)
    (space,) = analyse_study(*frames, bucket=5, rng=rng()).regimes[0].spaces
    assert space.ratios == pytest.approx((1000 / 5, 1000 * (1 / 3 + 1 / 5) / 2, 1000 / 3))


def test_optimum_looks_at_validation_of_the_first_space_alone(frames_of, study):
    validation, test = frames_of()
    other = validation["space"] == "uniform"
    validation.loc[other, ["error", "log_cross_entropy"]] += 0.1
    test[["error", "log_cross_entropy"]] += 0.1
    changed = analyse_study(validation, test, rng=rng())
    for before, after in zip(study.regimes, changed.regimes, strict=True):
        assert {r: o.to_dict() for r, o in before.optima.items()} == {r: o.to_dict() for r, o in after.optima.items()}
        assert before.comparison != after.comparison


def test_distributions_and_comparisons_are_of_the_test_split(frames_of, study):
    validation, test = frames_of()
    validation[["error", "log_cross_entropy"]] *= 1.1
    changed = analyse_study(validation, test, rng=rng())
    for before, after in zip(study.to_dict()["regimes"], changed.to_dict()["regimes"], strict=True):
        assert before["comparison"] == after["comparison"]
        assert [s["error"] for s in before["spaces"]] == [s["error"] for s in after["spaces"]]
        assert before["optima"] != after["optima"]


def test_same_generator_same_results(frames_of, study):
    again = analyse_study(*frames_of(), rng=rng())
    assert json.dumps(again.to_dict(), allow_nan=False) == json.dumps(study.to_dict(), allow_nan=False)


def test_order_of_runs_does_not_matter(frames_of, study):
    shuffled = [frame.sample(frac=1, random_state=3) for frame in frames_of()]
    again = analyse_study(*shuffled, spaces=study.spaces, rng=rng()).to_dict()
    assert [r["optima"] for r in again["regimes"]] == [r["optima"] for r in study.to_dict()["regimes"]]
    assert [r["comparison"] for r in again["regimes"]] == [r["comparison"] for r in study.to_dict()["regimes"]]


def test_counts_and_failures(study):
    assert (study.n_done, study.n_failed) == (478, 2)
    assert study.failures == (("loss was not finite", 2),)
    last = study.regimes[-1]
    assert (last.regime, last.spaces[0].n_drawn, last.spaces[0].n_subnetworks) == (0.1, 80, 78)


def test_a_failed_regime_says_why_and_spares_the_others(studies):
    half, failed, _ = studies["failed"].regimes
    assert half.optimum is not None
    assert failed.optimum is None
    assert failed.comparison is None
    assert failed.spaces[0].error is None
    assert len(failed.refusals) == 3
    assert all("was not computed: no run finished." in refusal for refusal in failed.refusals)


def test_originals_are_named_by_what_tells_them_apart(study, studies, frames_of):
    assert study.names == {"a1b2": "seed 0", "c3d4": "seed 1"}
    assert studies["one_space"].names == {"only": "resnet_digits"}
    frames = [frame.assign(original_seed=0) for frame in frames_of(n=3)]
    assert analyse_study(*frames, rng=rng()).names == {"a1b2": "a1b2", "c3d4": "c3d4"}


def test_two_protocols_are_refused(frames_of):
    validation, test = frames_of(n=3)
    validation["protocol"] = ["p1", "p2"] * (len(validation) // 2)
    with pytest.raises(InputError, match=r"one protocol; found p1 and p2"):
        analyse_study(validation, test, rng=rng())


def test_two_data_sets_are_refused(frames_of):
    validation, test = frames_of(n=3)
    validation["dataset"] = ["digits-a", "digits-b"] * (len(validation) // 2)
    with pytest.raises(InputError, match=r"one data set; found digits-a and digits-b: choose one with dataset="):
        analyse_study(validation, test, rng=rng())


def test_different_runs_in_the_splits_are_refused(frames_of):
    validation, test = frames_of(n=3)
    with pytest.raises(InputError, match="same runs"):
        analyse_study(validation, test.iloc[1:], rng=rng())
    with pytest.raises(InputError, match="at least one run"):
        analyse_study(validation.iloc[:0], test.iloc[:0], rng=rng())


def test_results_without_a_test_split_or_loss_are_reported_as_far_as_they_go(frames_of):
    validation, test = frames_of(n=25, regimes=(0.5,))
    validation = validation.assign(log_cross_entropy=np.nan)
    test = test.assign(error=np.nan, log_cross_entropy=np.nan)
    (regime,) = analyse_study(validation, test, rng=rng()).regimes
    assert list(regime.optima) == ["error"]
    assert regime.comparison is None
    assert [(s.error, s.mean_error, s.winners, s.n_done) for s in regime.spaces] == [(None, None, (), 50)] * 2
    assert len(regime.refusals) == 2


def test_an_optimum_is_that_of_the_same_call_alone(frames_of, study):
    validation, _ = frames_of()
    for regime in study.regimes:
        runs = validation[(validation["regime"] == regime.regime) & (validation["space"] == "initial")]
        for response, found in regime.optima.items():
            alone = find_optimum(runs[runs["state"] == "done"], response=response, rng=rng())
            assert found.to_dict() == alone.to_dict()
