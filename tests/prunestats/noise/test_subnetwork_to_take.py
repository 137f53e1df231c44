"""The subnetwork to take: golden by hand, budgets, ties, what is missing, and the coverage of its intervals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.errors import InputError, ResultsError
from prunestats.noise.best_sentences import answer_sentence, cost_lines, error_lines, splits_sentence
from prunestats.noise.budget import Budget
from prunestats.noise.subnetwork_to_take import best_subnetworks
from prunestats.noise.winners_curse import winner_error
from prunestats.study_record import Original

DENSE = Original("o", "net", "data", 3, 1000, 500, 2, "multiply-adds", 0.05, 0.06, {}, ("stem", "conv"))


def table(*rows, **more):
    """Runs of one original: subnetwork, space, flops, params, validation error, test error."""
    frame = pd.DataFrame(rows, columns=["subnetwork", "space", "flops", "params", "error", "test"])
    for name, value in ({"original": "o", "regime": 0.5, "seed": 0} | more).items():
        frame[name] = value
    return frame


def take(frame, originals=(DENSE,), **options):
    return best_subnetworks(frame, frame.assign(error=frame["test"]), originals, **options)


SMALL = table(
    ("over", "initial", 501, 300, 0.01, 0.02),
    ("best", "initial", 500, 300, 0.08, 0.10),
    ("next", "initial", 400, 200, 0.09, 0.07),
    ("even1", "uniform", 490, 250, 0.12, 0.12),
    ("even2", "uniform", 510, 250, 0.13, 0.14),
    ("even3", "uniform", 500, 250, 0.14, 0.16),
)


def test_by_hand():
    widths = [(4, 8)] * 6
    (found,) = take(SMALL.assign(widths=widths), uniform="uniform")
    # "over" has the least error and one FLOP too many
    assert (found.subnetwork, found.regime, found.budget) == ("best", 0.5, Budget(flops=0.5))
    assert (found.n_candidates, found.spaces, found.widths) == (4, ("initial",), {"stem": 4, "conv": 8})
    assert (found.flops, found.flops_fraction, found.params_fraction) == (500, 0.5, 0.6)
    assert (found.network, found.dataset, found.original, found.original_seed) == ("net", "data", "o", 3)
    assert (found.split, found.seen, found.dense_error) == ("test", 0.08, 0.06)
    # one seed: the test error as it is seen, without bounds
    assert (found.expected.value, found.expected.low, found.corrected) == (0.10, -np.inf, False)
    assert found.drop.value == pytest.approx(0.04)
    half = stats.t.ppf(0.975, 2) * 0.02 / np.sqrt(3)
    assert (found.uniform_error.value, found.uniform_error.low) == pytest.approx((0.14, 0.14 - half))
    assert found.versus_uniform.value == pytest.approx(-0.04)
    assert found.as_good is None
    assert any("independent seeds" in note for note in found.notes)
    json.dumps(found.to_dict(), allow_nan=False)


def test_sentences_say_it():
    (found,) = take(SMALL, uniform="uniform")
    assert answer_sentence(found) == (
        "At most 50 % of the FLOPs, net on data: take best. Its test error is 10.00 % (1 run, not corrected for "
        "selection), 4.00 percentage points above the dense network (6.00 %) and 4.00 percentage points below "
        "the mean of uniform pruning (14.00 %)."
    )
    lines = dict([*cost_lines(found), *error_lines(found)])
    assert lines["FLOPs"] == "500, 50.00 % of the dense network's"
    assert lines["drop"] == "+4.00 percentage points"
    assert "no part in the selection" in splits_sentence([found])


def seeded(n=40, seeds=2, noise=0.004, rng=None, truth=None, flops=None):
    """Returns runs of a band around half the FLOPs with correlated noise on both splits, and the true test means."""
    rng = rng or np.random.default_rng(0)
    truth = 0.1 + 0.01 * rng.standard_normal(n) if truth is None else truth
    flops = rng.integers(490, 511, n) if flops is None else flops
    unit = np.repeat(np.arange(n), seeds)
    shared = noise * rng.standard_normal(n * seeds)
    tested = truth[unit] + 0.01 + 0.6 * shared + noise * rng.standard_normal(unit.size)
    frame = pd.DataFrame({
        "subnetwork": [f"s{i:03d}" for i in unit], "space": np.where(unit % 2, "initial", "uniform"), "original": "o",
        "regime": 0.5, "seed": np.tile(np.arange(seeds), n), "flops": flops[unit], "params": 300,
        "error": truth[unit] + shared, "test": tested,
    })  # fmt: skip
    return frame, truth + 0.01


def test_the_expected_error_is_that_of_winner_error():
    frame, _ = seeded()
    (found,) = take(frame, uniform="uniform", rng=np.random.default_rng(5))
    means = frame[frame["flops"] <= 500].groupby("subnetwork")["error"].mean()
    assert found.subnetwork == means.idxmin()
    winner = winner_error(
        frame, test=frame.assign(error=frame["test"]), subnetwork=found.subnetwork, rng=np.random.default_rng(5)
    )
    assert (found.expected, found.corrected, found.n_seeds) == (winner.estimate, True, 2)
    assert found.drop.low == pytest.approx(winner.estimate.low - 0.06)
    x, y, d = found.expected, found.uniform_error, found.versus_uniform
    assert d.low == pytest.approx(x.value - y.value - np.hypot(x.value - x.low, y.high - y.value))
    assert d.high == pytest.approx(x.value - y.value + np.hypot(x.high - x.value, y.value - y.low))
    assert 0 <= found.as_good < found.n_candidates
    assert "95 % confidence interval" in answer_sentence(found)
    assert "cannot be excluded" in dict(error_lines(found))["as good"]


def test_a_selection_that_loses_to_uniform_pruning_is_said():
    """Where validation errors say nothing of test errors: the selected one is a subnetwork of the worse space."""
    frame, _ = seeded()
    even = frame["space"] == "uniform"
    misled = frame.assign(
        error=frame["error"] + np.where(even, 0.05, 0.0), test=frame["test"] - np.where(even, 0.05, 0.0)
    )
    (found,) = take(misled, uniform="uniform")
    assert found.spaces == ("initial",)
    assert found.versus_uniform.low > 0
    assert any("uniform pruning is the safer choice" in note for note in found.notes)
    (found,) = take(frame, uniform="uniform")
    assert not any("safer choice" in note for note in found.notes)


def test_the_order_of_rows_and_spaces_does_not_matter():
    frame, _ = seeded()
    again = pd.concat([frame, frame.assign(space="also")]).sample(frac=1, random_state=1)
    one, two = (take(f, rng=np.random.default_rng(2))[0] for f in (frame, again))
    assert set(two.spaces) == {*one.spaces, "also"}
    assert replace(two, spaces=one.spaces) == one


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.7])
def test_the_budget_is_never_exceeded(fraction):
    rng = np.random.default_rng(3)
    dense = replace(DENSE, flops=30)
    for _ in range(8):
        frame = table(*((f"s{i}", "initial", int(f), 9, e, e + 0.1) for i, (f, e) in enumerate(
            zip(rng.integers(1, 31, 20), rng.random(20) / 2, strict=True))))  # fmt: skip
        (found,) = take(frame, [dense], budget=Budget(flops=fraction))
        within = frame[frame["flops"] <= round(fraction * 30)]
        assert found.flops is None if within.empty else found.flops <= round(fraction * 30)
        if not within.empty:
            assert found.subnetwork == within.loc[within["error"].idxmin(), "subnetwork"]


def test_nothing_within_the_budget_is_said_in_a_line():
    (found,) = take(SMALL, budget=Budget(flops=0.3))
    assert found.subnetwork is None
    assert found.notes == (
        "None of 6 subnetworks has at most 30 % of the FLOPs: the fewest FLOPs are 40.00 % of the original's, the "
        "fewest parameters 200.",
    )
    assert answer_sentence(found).startswith("At most 30 % of the FLOPs, net on data: none of 6 subnetworks")
    json.dumps(found.to_dict(), allow_nan=False)


def test_ties_are_broken_by_the_one_rule():
    tied = SMALL.assign(error=0.1, flops=[500, 450, 450, 499, 499, 499], params=[1, 9, 8, 1, 1, 1])
    assert take(tied)[0].subnetwork == "next"
    assert "6 subnetworks share the least mean error" in take(tied)[0].notes[0]
    assert take(tied.assign(loss=[0.1, 0.3, 0.3, 0.3, 0.3, 0.3]))[0].subnetwork == "over"


def test_other_budgets_take_candidates_of_all_regimes():
    lower = table(("low", "initial", 250, 90, 0.11, 0.12), ("lower", "initial", 240, 80, 0.2, 0.2), regime=0.25)
    both = pd.concat([SMALL, lower])
    assert [(one.regime, one.subnetwork) for one in take(both)] == [(0.5, "best"), (0.25, "low")]
    (found,) = take(both, budget=Budget(params=0.4))
    assert (found.subnetwork, found.regime, found.n_candidates) == ("next", 0.5, 3)
    assert take(both, budget=Budget(params=199))[0].subnetwork == "low"
    assert take(both, budget=Budget(params=199, flops=0.245))[0].subnetwork == "lower"


def test_a_budget_of_speed_needs_measured_speed():
    with pytest.raises(InputError, match="prunestats latency STUDY"):
        take(SMALL, budget=Budget(speedup=1.5))
    fast = SMALL.assign(speedup_1=[1.0, 1.4, 1.6, 1.9, 1.9, 1.9], speedup_64=2.0)
    (found,) = take(fast, budget=Budget(speedup=1.5))
    assert (found.subnetwork, found.speedup_1, found.speedup_64) == ("next", 1.6, 2.0)
    assert dict(cost_lines(found))["speed-up"] == "1.60 (batch of 1), 2.00 (batch of 64)"
    assert "the largest speed-up 1.9" in take(fast, budget=Budget(speedup=3))[0].notes[0]


def test_a_drop_takes_the_cheapest_that_validation_allows():
    # dense validation error 0.05: 0.09 is a drop of 0.04, 0.08 one of 0.03
    (found,) = take(SMALL, budget=Budget(max_drop=0.041))
    assert (found.subnetwork, found.as_good, found.n_candidates) == ("next", None, 3)
    (found,) = take(SMALL, budget=Budget(max_drop=0.031))
    assert found.subnetwork == "best"
    assert "above the limit: it was selected by its validation error" in found.notes[-1]
    assert "the least estimated drop −4.00 %" in take(SMALL, budget=Budget(max_drop=-0.5))[0].notes[0]
    with pytest.raises(InputError, match="validation error of the dense network; found none"):
        take(SMALL, [replace(DENSE, val_error=None)], budget=Budget(max_drop=0.1))


def test_a_drop_is_estimated_by_shrinkage_where_seeds_are_repeated():
    frame, _ = seeded(noise=0.02)
    means = frame.groupby("subnetwork")["error"].mean()
    limit = float(means.min()) - DENSE.val_error + 1e-6
    # the least mean is selected only where it is not corrected
    assert take(frame[frame["seed"] == 0], budget=Budget(max_drop=0.2))[0].subnetwork is not None
    assert take(frame, budget=Budget(max_drop=limit))[0].subnetwork is None


def test_networks_and_data_sets_are_kept_apart_and_seeds_are_pooled():
    others = [DENSE, replace(DENSE, key="p", seed=4, test_error=0.03), replace(DENSE, key="q", dataset="other")]
    frame = pd.concat([SMALL, SMALL.assign(original="p", error=SMALL["error"] - 0.005), SMALL.assign(original="q")])
    first, second = take(frame, others, uniform="uniform")
    assert (first.dataset, first.original, first.n_candidates, first.dense_error) == ("data", "p", 8, 0.03)
    assert (second.dataset, second.original, second.n_candidates) == ("other", "q", 4)
    assert first.uniform_error.value == pytest.approx(0.14)
    with pytest.raises(InputError, match="record of every original; found none of p"):
        take(frame, others[:1])


def test_imported_results_without_anything_else():
    bare = replace(DENSE, val_error=None, test_error=None, group_names=())
    none = SMALL.drop(columns="seed")
    for test in (none["error"], np.nan):
        (found,) = take(none.assign(test=test, widths=None), [bare])
        assert (found.split, found.expected.value, found.drop, found.uniform) == ("validation", 0.08, None, None)
        assert [note.split(":")[0].split(",")[0] for note in found.notes[-3:]] == [
            "No test error is recorded apart from validation error",
            "The error of the dense network is not recorded",
            "Not compared with uniform pruning",
        ]
        assert "one split" in splits_sentence([found])
        assert "test" not in answer_sentence(found)
    widths = take(none.assign(widths=[(3, 4)] * 6), [bare])[0]
    assert dict(cost_lines(widths))["widths"] == "3, 4"


def test_what_a_study_of_this_package_can_do_is_said():
    (found,) = take(SMALL, [replace(DENSE, has_weights=True)])
    assert any("set seeds = [0, 1] or more under [protocol]" in note for note in found.notes)
    assert any('sampler = "jittered_uniform"' in note for note in found.notes)
    assert not any("study file" in note for note in take(SMALL)[0].notes)


def test_refusals():
    with pytest.raises(ResultsError, match="same runs"):
        best_subnetworks(SMALL, SMALL.iloc[1:], [DENSE])
    with pytest.raises(ResultsError, match="one protocol"):
        take(SMALL.assign(protocol=list("aabbbb")))
    for bad, words in (({"flops": 50}, "write 0.5"), ({"params": 0}, "count above 1"), ({"speedup": -1}, "write 2")):
        with pytest.raises(InputError, match=words):
            Budget(**bad)
    with pytest.raises(InputError, match=r"write 0\.01"):
        Budget(max_drop=1.5)


def test_a_winner_of_wide_results_is_shrunk_among_similar_costs():
    """Cheap subnetworks are worse: the correction must not pull a cheap winner towards the mean of all."""
    rng = np.random.default_rng(6)
    flops = np.repeat([300, 900], 40)
    truth = np.where(flops == 300, 0.30, 0.10) + 0.01 * rng.standard_normal(80)
    frame, tested = seeded(80, truth=truth, flops=flops, rng=rng)
    (found,) = take(frame, budget=Budget(flops=0.3), uniform="uniform")
    assert found.expected.value == pytest.approx(tested[int(found.subnetwork[1:])], abs=0.01)
    assert found.uniform_error.value > 0.3


@pytest.mark.slow
def test_intervals_cover():
    """Drop and difference to uniform pruning, 80 samples of 60 subnetworks with two seeds: coverage of 95 %."""
    rng = np.random.default_rng(11)
    drops, differences = [], []
    for _ in range(80):
        frame, tested = seeded(60, noise=0.007, rng=rng)
        (found,) = take(frame, uniform="uniform", rng=rng)
        truth = tested[int(found.subnetwork[1:])]
        drops.append(truth - DENSE.test_error in found.drop)
        differences.append(truth - 0.11 in found.versus_uniform)
    # three binomial standard errors below the level
    assert np.mean(drops) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 80)
    assert np.mean(differences) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 80)
