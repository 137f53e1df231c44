"""Comparing spaces: strata, pairs, notes, refusals, reproducibility."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import prunestats.comparison.permutation_tests as permutations
from prunestats.comparison.comparison import compare
from prunestats.comparison.permutation_tests import distribution_tests
from prunestats.comparison.quantile_bootstrap import bootstrap_distribution
from prunestats.comparison.stratified import mean_difference, probability_less, quantile_difference, strata_of
from prunestats.errors import InputError, ResultsError
from prunestats.numeric.welch import satterthwaite


def median_difference(strata, *, level):
    distributions = [(bootstrap_distribution(s.a, 0.5), bootstrap_distribution(s.b, 0.5)) for s in strata]
    return quantile_difference(strata, distributions, 0.5, level=level)


def kolmogorov_smirnov(strata, *, rng):
    found = distribution_tests(strata, rng=rng)
    return found.ks, found.ks_p


def population(space, n, *, seed=0, shift=0.0, original="m", regime=0.5, flops=1000):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "subnetwork": [f"{space}{original}{regime}{i}" for i in range(n)],
            "original": original,
            "space": space,
            "regime": regime,
            "flops": flops,
            "params": 100,
            "error": np.clip(0.2 + shift + 0.02 * rng.standard_normal(n), 0, 1),
        }
    )


def rng():
    return np.random.default_rng(42)


def test_every_pair_in_every_regime_is_compared():
    frame = pd.concat(
        [population(space, 20, regime=regime) for space in ("wide", "narrow", "deep") for regime in (0.25, 0.5)]
    )
    pairs = compare(frame, rng=rng()).pairs
    assert [(p.regime, p.a, p.b) for p in pairs] == [
        (regime, *names)
        for regime in (0.5, 0.25)
        for names in (("deep", "narrow"), ("deep", "wide"), ("narrow", "wide"))
    ]


def test_a_better_space_is_seen_in_every_statistic():
    frame = pd.concat([population("good", 60, shift=-0.02), population("poor", 60, seed=1)])
    (pair,) = compare(frame, rng=rng()).pairs
    assert pair.mean_difference.high < 0
    assert pair.median_difference.high < 0
    assert pair.p_less.low > 0.5
    assert max(pair.p_less_p, pair.ks_p) < 0.001
    assert pair.notes == ()


def test_originals_are_strata_not_noise():
    frame = pd.concat(
        [
            population(space, 20, original=original, seed=seed, shift=shift + (0.3 if original == "n" else 0.0))
            for seed, (original, space, shift) in enumerate(
                (o, s, d) for o in ("m", "n") for s, d in (("good", -0.02), ("poor", 0.0))
            )
        ]
    )
    (pair,) = compare(frame, rng=rng()).pairs
    assert pair.n_originals == 2
    assert pair.mean_difference.high < 0
    assert pair.ks_p < 0.01
    unstratified = stats.ttest_ind(
        frame.error[frame.space == "good"], frame.error[frame.space == "poor"], equal_var=False
    )
    assert unstratified.pvalue > 0.3


def test_strata_average_the_differences_within_originals_by_their_size():
    rng = np.random.default_rng(0)
    pairs = [(rng.random(10), rng.random(20)), (rng.random(40), rng.random(30))]
    strata = strata_of(pairs)
    assert [s.weight for s in strata] == [0.3, 0.7]
    expected = 0.3 * (pairs[0][0].mean() - pairs[0][1].mean()) + 0.7 * (pairs[1][0].mean() - pairs[1][1].mean())
    assert mean_difference(strata, level=0.9).value == pytest.approx(expected)


def test_two_equal_strata_halve_the_variance_of_one():
    a, b = np.random.default_rng(1).random((2, 30))
    one = mean_difference(strata_of([(a, b)]), level=0.95)
    two = mean_difference(strata_of([(a, b), (a, b)]), level=0.95)
    assert two.value == pytest.approx(one.value)
    assert (one.high - one.low) / (two.high - two.low) == pytest.approx(np.sqrt(2), rel=0.05)


def test_satterthwaite_ignores_parts_without_variance():
    assert satterthwaite([(1.0, 5), (0.0, 9)]) == pytest.approx(5.0)


samples = st.lists(st.integers(0, 30), min_size=3, max_size=25).filter(lambda v: len(set(v)) > 1)


@given(samples, samples)
@settings(max_examples=60, deadline=None)
def test_swapping_the_populations_mirrors_the_result(a, b):
    one = strata_of([(np.array(a, float), np.array(b, float))])
    other = strata_of([(np.array(b, float), np.array(a, float))])
    mean, mirrored = mean_difference(one, level=0.95), mean_difference(other, level=0.95)
    assert (mean.low, mean.high) == pytest.approx((-mirrored.high, -mirrored.low))
    (p, p_value), (q, q_value) = probability_less(one, level=0.95), probability_less(other, level=0.95)
    assert p.value + q.value == pytest.approx(1)
    assert p.low + q.high == pytest.approx(1)
    assert p_value == pytest.approx(q_value)


@given(samples, samples, st.sampled_from([0.5, 2.0, 8.0]), st.sampled_from([-3.0, 0.0, 5.0]))
@settings(max_examples=40, deadline=None)
def test_differences_follow_scale_and_probabilities_stay(a, b, scale, shift):
    one = strata_of([(np.array(a, float), np.array(b, float))])
    other = strata_of([(np.array(a) * scale + shift, np.array(b) * scale + shift)])
    for method in (mean_difference, median_difference):
        before, after = method(one, level=0.95), method(other, level=0.95)
        assert (after.value, after.low, after.high) == pytest.approx(
            (before.value * scale, before.low * scale, before.high * scale), abs=1e-9
        )
    assert probability_less(one, level=0.95)[0].low == pytest.approx(probability_less(other, level=0.95)[0].low)


@given(samples, samples)
@settings(max_examples=40, deadline=None)
def test_probability_counts_pairs_with_ties_half(a, b):
    pairs = [(x < y) + 0.5 * (x == y) for x in a for y in b]
    strata = strata_of([(np.array(a, float), np.array(b, float))])
    assert probability_less(strata, level=0.95)[0].value == pytest.approx(np.mean(pairs))


def test_populations_that_do_not_overlap_have_a_wide_interval_and_not_a_point():
    found, p = probability_less(strata_of([(np.arange(5.0), np.arange(5.0) + 10)]), level=0.95)
    assert found.value == 1
    assert found.low == pytest.approx(0.025 ** (1 / 5))
    assert p == pytest.approx(2 * 0.5**5)
    reverse, _ = probability_less(strata_of([(np.arange(5.0) + 10, np.arange(5.0))]), level=0.95)
    assert (reverse.low, reverse.high) == pytest.approx((0.0, 1 - found.low))


def test_populations_of_one_value_differ_in_nothing():
    same = strata_of([(np.ones(4), np.ones(5))])
    assert mean_difference(same, level=0.95).value == 0
    found, p = probability_less(same, level=0.95)
    assert (found.value, p) == (0.5, 1.0)
    assert kolmogorov_smirnov(same, rng=rng()) == (0.0, 1.0)


def test_stratified_permutations_do_not_depend_on_the_size_of_chunks(monkeypatch):
    generator = np.random.default_rng(0)
    strata = strata_of([(generator.random(20), generator.random(15) + 0.1) for _ in range(3)])
    whole = distribution_tests(strata, rng=np.random.default_rng(5))
    monkeypatch.setattr(permutations, "_CHUNK_BYTES", 8 * 105 * 7)
    assert distribution_tests(strata, rng=np.random.default_rng(5)) == whole


def test_stratified_ks_agrees_with_the_exact_test_on_one_original():
    generator = np.random.default_rng(3)
    a, b = generator.random(30), generator.random(30) ** 1.5
    exact = kolmogorov_smirnov(strata_of([(a, b)]), rng=rng())
    # a second original in which nothing differs scales the statistic, and the p-value is then by permutation
    padded = strata_of([(a, b), (np.array([5.0, 5.0]), np.array([5.0, 5.0]))])
    ks, p = kolmogorov_smirnov(padded, rng=rng())
    assert ks == pytest.approx(exact[0] * 60 / 64)
    assert p == pytest.approx(exact[1], abs=4 * np.sqrt(exact[1] * (1 - exact[1]) / 999))


def test_same_rng_same_bits_and_runs_in_any_order():
    frame = pd.concat([population("a", 30, original=o) for o in "mn"] + [population("b", 25, original=o) for o in "mn"])
    frame = pd.concat([frame.assign(seed=s, error=frame.error + 0.001 * s) for s in range(3)])
    one = compare(frame, rng=rng()).to_dict()
    assert one == compare(frame.sample(frac=1, random_state=1), rng=rng()).to_dict()


def test_the_frame_is_flat_and_the_result_is_json():
    frame = pd.concat([population("a", 10), population("b", 10, seed=1)])
    found = compare(frame, rng=rng())
    row = found.frame.iloc[0]
    assert row["mean_low"] <= row["mean_difference"] <= row["mean_high"]
    assert row["p_less"] == found.pairs[0].p_less.value
    assert json.loads(json.dumps(found.to_dict()))["pairs"][0]["n_a"] == 10


def test_flops_that_differ_are_noted():
    frame = pd.concat([population("a", 10, flops=1000), population("b", 10, flops=950)])
    (pair,) = compare(frame, rng=rng()).pairs
    assert pair.flops_difference == pytest.approx(1000 / 950 - 1)
    assert pair.notes[0].startswith("Subnetworks of a cost 5.3 % more FLOPs than those of b")


def test_shared_subnetworks_are_counted_and_noted():
    a, b = population("a", 10), population("b", 10, seed=1)
    b.iloc[:3, b.columns.get_loc("subnetwork")] = a["subnetwork"].to_numpy()[:3]
    b.iloc[:3, b.columns.get_loc("error")] = a["error"].to_numpy()[:3]
    (pair,) = compare(pd.concat([a, b]), rng=rng()).pairs
    assert pair.n_shared == 3
    assert "3 subnetworks are in both populations" in pair.notes[0]


def test_an_original_with_too_little_is_left_out_and_named():
    frame = pd.concat([population("a", 10), population("b", 10), population("a", 5, original="lonely")])
    (pair,) = compare(frame, rng=rng()).pairs
    assert (pair.n_a, pair.n_originals) == (10, 1)
    assert "lonely" in pair.notes[0]


def test_any_column_can_name_the_populations():
    frame = population("a", 20).assign(criterion=["l1", "random"] * 10)
    (pair,) = compare(frame, by="criterion", rng=rng()).pairs
    assert (pair.a, pair.b) == ("l1", "random")


@pytest.mark.parametrize(
    ("frame", "arguments", "error", "words"),
    [
        (population("a", 5), {}, InputError, "needs two populations in a regime; found a in column space"),
        (population("a", 5).drop(columns="space"), {}, InputError, "needs a column 'space'"),
        (population("a", 5), {"by": "original"}, InputError, "within original and regime; found by='original'"),
        (
            pd.concat([population("a", 5, original="m"), population("b", 5, original="n")]),
            {},
            ResultsError,
            "two subnetworks of each population in one original; found 5 of a and 5 of b, but no original with two",
        ),
        (population("a", 5).assign(space=[None] * 5), {}, ResultsError, "space must name a population"),
        (population("a", 5), {"level": 95}, InputError, "level must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(frame, arguments, error, words):
    with pytest.raises(error, match=words):
        compare(frame, rng=rng(), **arguments)
