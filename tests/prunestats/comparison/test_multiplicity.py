"""Comparisons of many spaces: pooling, multiplicity, dominance, equal FLOPs, tables."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import prunestats.comparison.equal_flops as flops_bins
import prunestats.comparison.permutation_tests as permutations
from prunestats.comparison.comparison import compare
from prunestats.comparison.dominance import dominance
from prunestats.comparison.equal_flops import binned_difference, flops_overlap
from prunestats.comparison.multiplicity import Contrast, holm, simultaneous_intervals
from prunestats.comparison.permutation_tests import DistributionTests, anderson_darling, distribution_tests
from prunestats.comparison.stratified import area_difference, best_difference, mean_difference, strata_of
from prunestats.distribution.best_of_k import best_of
from prunestats.errors import InputError
from prunestats.numeric import chunks


def rng(seed=42):
    return np.random.default_rng(seed)


def population(space, n, *, shift=0.0, original="m", regime=0.5, flops=1000, seed=0):
    draw = np.random.default_rng([seed, n, *space.encode(), *original.encode(), int(100 * regime)])
    return pd.DataFrame(
        {
            "subnetwork": [f"{space}{original}{regime}{i}" for i in range(n)],
            "original": original,
            "space": space,
            "regime": regime,
            "flops": flops,
            "params": 100,
            "error": np.clip(0.2 + shift + 0.02 * draw.standard_normal(n), 0, 1),
        }
    )


@pytest.fixture(scope="module")
def regimes():
    """Three spaces in two regimes of two originals, one space better by half a standard deviation."""
    parts = [
        population(space, 30, shift=shift + 0.1 * (0.5 - regime), original=original, regime=regime)
        for space, shift in (("good", -0.01), ("plain", 0.0), ("usual", 0.0))
        for regime in (0.5, 0.25)
        for original in ("m", "n")
    ]
    return pd.concat(parts)


@pytest.fixture(scope="module")
def compared(regimes):
    return compare(regimes, quantiles=(0.1, 0.9), rng=rng())


def test_pooled_pairs_have_regimes_and_originals_as_strata(compared, regimes):
    assert [(p.regime, p.a, p.b) for p in compared.pooled] == [
        ("pooled", *names) for names in (("good", "plain"), ("good", "usual"), ("plain", "usual"))
    ]
    first = compared.pooled[0]
    assert (first.n_a, first.n_b, first.n_originals) == (120, 120, 2)
    inside = regimes.groupby(["space", "regime", "original"])["error"].mean()
    # all cells have the same size, so the mean of the differences is the difference of their means
    assert first.mean_difference.value == pytest.approx((inside["good"] - inside["plain"]).mean())
    alone = [p.mean_difference for p in compared.pairs if (p.a, p.b) == ("good", "plain")]
    assert first.mean_difference.high - first.mean_difference.low < min(one.high - one.low for one in alone)
    assert first.p_less_p < 0.01


def test_one_regime_is_not_pooled_with_itself(regimes):
    found = compare(regimes[regimes.regime == 0.5], rng=rng())
    assert found.pooled == ()
    assert [one.regime for one in found.omnibus] == [0.5]


def test_a_pair_in_one_regime_only_is_not_pooled(regimes):
    found = compare(regimes[(regimes.regime == 0.5) | (regimes.space != "usual")], rng=rng())
    assert [(p.a, p.b) for p in found.pooled] == [("good", "plain")]


def test_the_family_is_all_pairs_in_all_regimes(compared):
    assert [p.p_holm for p in compared.pairs] == pytest.approx(list(holm([p.p_less_p for p in compared.pairs])))
    assert [p.p_holm for p in compared.pooled] == pytest.approx(list(holm([p.p_less_p for p in compared.pooled])))
    assert any(p.p_holm > p.p_less_p for p in compared.pairs)


def test_simultaneous_intervals_are_wider_and_have_the_same_middle(compared):
    for pair in (*compared.pairs, *compared.pooled):
        assert pair.mean_simultaneous.value == pair.mean_difference.value
        assert pair.mean_simultaneous.low < pair.mean_difference.low
        assert pair.mean_simultaneous.high > pair.mean_difference.high


def test_the_omnibus_test_sees_every_population(compared):
    assert [one.regime for one in compared.omnibus] == [0.5, 0.25, "pooled"]
    assert compared.omnibus[0].names == ("good", "plain", "usual")
    assert compared.omnibus[2].p < 0.01


def test_frame_and_json_hold_every_row(compared):
    frame = compared.frame
    assert frame["regime"].tolist() == [0.5] * 3 + [0.25] * 3 + ["pooled"] * 3
    assert {"q10_difference", "q10_low", "q90_high", "area_difference", "best_low", "k", "p_holm", "ad_p"} < {*frame}
    assert {"dominance", "binned_difference", "binned_p", "mean_simultaneous_low", "flops_overlap"} < {*frame}
    assert frame["q10_difference"].tolist() == [
        p.quantile_differences[0.1].value for p in (*compared.pairs, *compared.pooled)
    ]
    again = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert again["pooled"][0]["quantile_differences"]["0.9"]["value"] == pytest.approx(
        compared.pooled[0].quantile_differences[0.9].value
    )


def test_tables_can_be_pasted(compared):
    lines = compared.to_markdown().splitlines()
    assert len(lines) == 2 + 9
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1
    assert str(compared.pairs[0].mean_difference) in lines[2]
    assert "pooled" in lines[-1]
    latex = compared.to_latex().splitlines()
    assert latex[0].startswith(r"\begin{tabular}{l")
    rows = [line for line in latex if line.endswith(r"\\")]
    assert len(rows) == 1 + 9
    assert {row.count(" & ") for row in rows} == {rows[0].count(" & ")}
    assert r"10 \% quantile" in rows[0]


def test_names_cannot_break_a_table():
    frame = pd.concat([population("a|b_c", 10), population("d&e", 10)])
    found = compare(frame, rng=rng())
    assert r"a\|b_c" in found.to_markdown()
    assert r"a|b\_c & d\&e" in found.to_latex()


def test_a_table_without_regimes_has_no_such_column():
    frame = pd.concat([population("a", 10), population("b", 10)]).drop(columns="regime")
    assert compare(frame, rng=rng()).to_markdown().startswith("| A | B |")


def test_the_area_ends_at_a_limit_or_at_the_median_of_all(compared, regimes):
    inside = regimes[(regimes.regime == 0.5) & (regimes.original == "m")]
    limit = float(inside["error"].median())
    gains = np.clip(limit - inside["error"], 0, None).groupby(inside["space"]).mean()
    (pair, *_) = compare(inside, rng=rng()).pairs
    assert pair.area_difference.value == pytest.approx(gains["good"] - gains["plain"])
    (given, *_) = compare(inside, limit=limit, rng=rng()).pairs
    assert (given.area_difference, given.area_limit) == (pair.area_difference, limit)


def test_a_limit_above_everything_makes_the_area_the_mean():
    generator = rng()
    strata = strata_of([(generator.random(9), generator.random(14)), (generator.random(7), generator.random(5))])
    area, mean = area_difference(strata, [1.0, 1.0], level=0.9), mean_difference(strata, level=0.9)
    assert (area.value, area.low, area.high) == pytest.approx((-mean.value, -mean.high, -mean.low))


def test_best_of_one_is_the_mean_and_best_of_k_that_of_each():
    generator = rng()
    strata = strata_of([(generator.random(40), generator.random(50))])
    one, mean = best_difference(strata, 1, level=0.95), mean_difference(strata, level=0.95)
    assert (one.value, one.low, one.high) == pytest.approx((mean.value, mean.low, mean.high))
    expected = best_of(strata[0].a, k=8).value[0] - best_of(strata[0].b, k=8).value[0]
    assert best_difference(strata, 8, level=0.95).value == pytest.approx(expected)
    assert np.isnan(best_difference(strata, 25, level=0.95).low)


def test_k_is_ten_or_a_fifth_of_the_smallest_population(compared):
    assert {pair.k for pair in compared.pairs} == {6}
    frame = pd.concat([population("a", 60), population("b", 60), population("c", 4)])
    assert [p.k for p in compare(frame, rng=rng()).pairs] == [10, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": 31}, "k must be at most the 30 subnetworks of the smallest population; found 31 for good and plain"),
        ({"k": 0}, "k must be a whole number"),
        ({"quantiles": [0.1, 10]}, "quantiles must lie between 0 and 1"),
        ({"limit": np.nan}, "limit must be a finite number"),
    ],
)
def test_what_cannot_be_estimated_is_refused(regimes, arguments, words):
    with pytest.raises(InputError, match=words):
        compare(regimes, rng=rng(), **arguments)


def permuted(strata):
    return distribution_tests(strata, rng=rng(0))


def test_dominance_distinguishes_better_crossing_and_undecided():
    generator = rng(1)
    a = generator.standard_normal(300)
    for b, verdict in (
        (generator.standard_normal(300) + 1, "a"),
        (generator.standard_normal(300) - 1, "b"),
        (3 * generator.standard_normal(300), "neither"),
        (generator.standard_normal(300), "undecided"),
    ):
        strata = strata_of([(a, b)])
        assert dominance(strata, permuted(strata), level=0.95) == verdict


def test_evidence_to_the_contrary_in_the_tail_forbids_dominance():
    # b is worse over the middle, but holds all of the best: one in twelve
    a = np.linspace(0, 1, 600)
    b = np.r_[np.linspace(-1, -0.5, 48), np.linspace(0.5, 1.5, 552)]
    strata = strata_of([(a, b)])
    assert permuted(strata).below_p < 0.05
    assert dominance(strata, permuted(strata), level=0.95) == "neither"
    silent = DistributionTests(0, 1, 0, 1, 0.001, 1.0)
    assert dominance(strata, silent, level=0.95) in ("a", "undecided")


@given(st.lists(st.integers(0, 9).map(float), min_size=6, max_size=40))
@settings(max_examples=25, deadline=None)
def test_swapping_the_populations_mirrors_whole_distributions(data):
    cut = len(data) // 3 + 1
    a, b = np.array(data[:cut]), np.array(data[cut:]) + 1
    one, other = strata_of([(a, b)]), strata_of([(b, a)])
    found, mirrored = permuted(one), permuted(other)
    assert (found.ks, found.ks_p, found.ad) == pytest.approx((mirrored.ks, mirrored.ks_p, mirrored.ad))
    # the two draw other permutations: five standard errors of the difference of two shares of 999
    assert (found.above_p, found.below_p) == pytest.approx((mirrored.below_p, mirrored.above_p), abs=0.112)
    silent = DistributionTests(0, 1, 0, 1, 1, 1)
    turned = {"a": "b", "b": "a"}
    verdict = dominance(one, silent, level=0.8)
    assert dominance(other, silent, level=0.8) == turned.get(verdict, verdict)


def test_what_is_left_out_of_a_pooled_pair_is_named_with_its_regime(regimes):
    less = regimes[~((regimes.space == "good") & (regimes.original == "n") & (regimes.regime == 0.25))]
    found = compare(less, rng=rng())
    (pooled, *_) = found.pooled
    assert pooled.notes == ("Left out, for lack of two subnetworks of each population: n at 0.25.",)
    (alone, *_) = [pair for pair in found.pairs if pair.regime == 0.25]
    assert alone.notes == ("Left out, for lack of two subnetworks of each population: n.",)


def test_equal_values_dominate_nothing():
    strata = strata_of([(np.ones(5), np.ones(6))])
    assert dominance(strata, permuted(strata), level=0.95) == "undecided"
    assert (permuted(strata).ad, permuted(strata).ad_p) == (0, 1)


def test_a_difference_that_is_all_flops_goes_at_equal_flops():
    generator = rng(2)
    flops = [generator.uniform(90, 100, 200), generator.uniform(94, 104, 200)]
    a, b = (SimpleNamespace(values=0.5 - f / 200 + 0.005 * generator.standard_normal(200), flops=f) for f in flops)
    plain = mean_difference(strata_of([(a.values, b.values)]), level=0.95)
    found = binned_difference([(a, b)], level=0.95, rng=rng())
    assert plain.low > 0.015
    assert abs(found.difference.value) < 0.2 * plain.value
    assert found.n < 400
    real = binned_difference([(a, SimpleNamespace(values=b.values + 0.01, flops=b.flops))], level=0.95, rng=rng())
    assert (real.p, real.difference.high < 0) == (0.001, True)


def test_equal_flops_leave_the_difference_as_it_is(regimes):
    (pair, *_) = compare(regimes[regimes.original == "m"], rng=rng()).pairs
    assert pair.binned_difference == pair.mean_difference
    assert pair.flops_overlap == 1
    assert pair.n_binned == 60


def test_flops_that_do_not_meet_leave_no_difference_and_a_note():
    frame = pd.concat([population("a", 30, flops=1000), population("b", 30, flops=1005)])
    (pair,) = compare(frame, rng=rng()).pairs
    assert (pair.n_binned, pair.flops_overlap) == (0, 0)
    assert np.isnan([pair.binned_difference.value, pair.binned_p]).all()
    assert pair.notes == (
        "Only 0 % of one population lie within the range of the other's FLOPs: the rest has no counterpart at equal "
        "FLOPs.",
    )
    json.dumps(pair.to_dict(), allow_nan=False)


def test_overlap_is_the_smaller_share_of_both():
    a = SimpleNamespace(values=np.zeros(4), flops=np.array([1.0, 2, 3, 4]))
    b = SimpleNamespace(values=np.zeros(2), flops=np.array([2.0, 9]))
    assert flops_overlap([(a, b)]) == 0.5
    assert flops_overlap([(a, b), (a, a)]) == pytest.approx(5 / 6)


def test_the_same_generator_gives_the_same_bits_whatever_the_chunks(monkeypatch, regimes):
    one = compare(regimes, rng=rng(3)).to_dict()
    for module in (chunks, flops_bins, permutations):
        monkeypatch.setattr(module, "_CHUNK_BYTES", 8 * 120 * 7)
    assert compare(regimes, rng=rng(3)).to_dict() == one
    assert compare(regimes, rng=rng(4)).to_dict() != one


def test_large_populations_are_compared_in_little_memory():
    frame = pd.concat([population("a", 6_000), population("b", 6_000)])
    tracemalloc.start()
    compare(frame, rng=rng())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_three_anderson_darlings_of_two_are_one():
    generator = rng()
    samples = [np.round(generator.random(n), 1) for n in (12, 30)]
    both = distribution_tests(strata_of([(samples[0], samples[1])]), rng=rng())
    statistic, p = anderson_darling([samples], rng=rng())
    assert statistic == pytest.approx(both.ad)
    assert p == pytest.approx(both.ad_p, abs=0.07)
    assert anderson_darling([samples, samples], rng=rng())[0] == pytest.approx(2 * statistic)


def test_very_many_values_are_grouped_at_no_great_loss(monkeypatch):
    generator = rng()
    samples = [generator.random(700) ** power for power in (1, 1.1, 1.2)]
    grouped = anderson_darling([samples], rng=rng())[0]
    monkeypatch.setattr(permutations, "_MAX_TIES", 10_000)
    assert grouped == pytest.approx(anderson_darling([samples], rng=rng())[0], rel=0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_holm_never_lowers_and_keeps_the_order(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p) - 1e-15).all()
    assert (adjusted <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    assert adjusted[order[0]] == pytest.approx(min(1, len(p) * min(p)))


def test_statsmodels_is_loaded_when_p_values_are_adjusted_and_not_before():
    code = (
        "import sys, prunestats.comparison, prunestats.distribution, prunestats.noise; "
        "before = 'statsmodels' in sys.modules; "
        "prunestats.comparison.comparison.holm([0.1]); print(before, 'statsmodels' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_one_contrast_alone_is_students():
    parts = [(0.3, 9.0), (0.2, 14.0)]
    (found,) = simultaneous_intervals([Contrast(1.0, (0, 1), (1.0, -1.0), parts)], level=0.95, rng=rng())
    df = 0.25 / (0.09 / 9 + 0.04 / 14)
    assert found.high - 1 == pytest.approx(stats.t.ppf(0.975, df) * np.sqrt(0.5), rel=0.02)


def test_means_that_do_not_vary_are_points_in_a_family():
    pairs = [Contrast(float(a - b), (a, b), (1.0, -1.0), [(0.0, 3.0)] * 2) for a, b in combinations(range(3), 2)]
    found = simultaneous_intervals(pairs, level=0.95, rng=rng())
    assert [(one.low, one.high) for one in found] == [(-1, -1), (-2, -2), (-1, -1)]
