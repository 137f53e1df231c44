"""Expected best of k and sample sizes: golden values, all subsets enumerated, invariances, refusals."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunestats.distribution.best_of_k import best_of
from prunestats.distribution.samples_needed import samples_to_reach
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats
from prunestats.numeric.order_statistics import least_of

values = st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=2, max_size=9)


def weyl(n: int, step: float) -> Floats:
    return (np.arange(1, n + 1) * step) % 1


@pytest.fixture(scope="module")
def sample():
    """The twelve values of golden/best.R."""
    return np.round(0.10 + 0.02 * stats.norm.ppf(weyl(12, 0.6180339887498949)), 2)


def test_best_of_equals_all_subsets_and_the_jackknife_in_r(golden, sample):
    r = golden("best")
    found = best_of(sample, k=[1, 2, 5, 11, 12])
    assert found.value == pytest.approx([r[f"value.{k}"] for k in (1, 2, 5, 11, 12)], rel=1e-10)
    assert found.standard_error[:4] == pytest.approx([r[f"se.{k}"] for k in (1, 2, 5, 11)], rel=1e-8)
    assert np.isnan(found.standard_error[4])


def test_large_samples_keep_their_digits(golden):
    r = golden("best")
    large = 0.10 + 0.02 * stats.norm.ppf(weyl(5000, 0.41421356237309515))
    found = best_of(large, k=[10, 300, 4000])
    # lchoose loses some digits, the running product does not
    assert found.value == pytest.approx([r[f"large.{k}"] for k in (10, 300, 4000)], rel=1e-8)


def test_samples_to_reach_equals_r(golden, sample):
    r = golden("best")
    found = samples_to_reach(sample, 0.09, chance=0.9)
    expected = found.expected
    assert [1 / e for e in (expected.value, expected.high, expected.low)] == pytest.approx(
        [r["reach.p"], r["reach.low"], r["reach.high"]], rel=1e-8
    )
    assert [np.ceil(found.with_chance.high), np.ceil(found.with_chance.low)] == [
        r["reach.draws.high"],
        r["reach.draws.low"],
    ]


@given(values)
@settings(max_examples=40, deadline=None)
def test_it_is_the_mean_over_all_subsets(data):
    found = best_of(data)
    expected = [np.mean([min(s) for s in itertools.combinations(data, k)]) for k in found.k]
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert (found.value[0], found.value[-1]) == pytest.approx((np.mean(data), min(data)))


@given(values, st.randoms(use_true_random=False), st.sampled_from([0.5, 4.0]), st.sampled_from([-1.0, 2.0]))
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter_and_shift_and_scale_carry_over(data, random, scale, shift):
    shuffled = [scale * value + shift for value in data]
    random.shuffle(shuffled)
    one, other = best_of(data), best_of(shuffled)
    # a variance near 0 keeps half the digits of a shifted sample: 1e-8 of its root is rounding
    for name in ("value", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * scale + shift, abs=1e-7, nan_ok=True)
    # the band's critical value comes through the square root of a matrix that may be singular
    for name in ("band_low", "band_high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * scale + shift, abs=1e-5, nan_ok=True)
    assert other.standard_error == pytest.approx(one.standard_error * scale, abs=1e-9, nan_ok=True)


@given(st.integers(0, 1000), st.integers(4, 80))
@settings(max_examples=30, deadline=None)
def test_the_curve_and_its_band_never_rise_and_hold_each_other(seed, n):
    found = best_of(np.random.default_rng(seed).normal(size=n))
    inside = found.k <= n // 2
    assert (np.diff(found.value) <= 1e-12).all()
    assert (np.diff(found.band_low[inside]) <= 1e-12).all()
    assert (np.diff(found.band_high[inside]) <= 1e-12).all()
    assert (found.band_low[inside] <= found.value[inside]).all()
    assert (found.band_high[inside] >= found.value[inside]).all()
    assert np.isnan(found.low[~inside]).all()
    assert np.isnan(found.band_high[~inside]).all()


def test_one_k_is_the_same_as_the_whole_curve_at_it():
    data = np.random.default_rng(3).normal(size=500)
    whole, one = best_of(data), best_of(data, k=37)
    for name in ("value", "low", "high", "standard_error"):
        assert getattr(one, name)[0] == pytest.approx(getattr(whole, name)[36], rel=1e-12)
    # the band looks at the sizes asked for too, so it may be a little narrower where all are
    assert one.band_high[0] == pytest.approx(whole.band_high[36], rel=0.02)


def test_the_mean_is_students():
    data = np.random.default_rng(3).normal(size=30)
    found = best_of(data, k=1)
    theirs = stats.ttest_1samp(data, 0).confidence_interval(0.95)
    assert (found.low[0], found.high[0]) == pytest.approx((theirs.low, theirs.high))


def test_the_same_generator_gives_the_same_bits():
    data = np.random.default_rng(1).normal(size=50)
    one, other = (best_of(data, rng=np.random.default_rng(5)) for _ in range(2))
    assert one.band_low.tobytes() == other.band_low.tobytes()


@pytest.mark.parametrize("chunk", [1, 50, 700])
def test_chunks_change_nothing(monkeypatch, chunk):
    data = np.sort(np.random.default_rng(1).normal(size=60))
    k = np.arange(1, 61)
    one = least_of(data, k)
    monkeypatch.setattr("prunestats.numeric.order_statistics._CHUNK", chunk)
    other = least_of(data, k)
    assert other[0] == pytest.approx(one[0], rel=1e-13)
    assert other[1] == pytest.approx(one[1], rel=1e-10, nan_ok=True)


def test_equal_values_have_intervals_of_no_width():
    found = best_of([0.2] * 8)
    assert found.value.tolist() == [0.2] * 8
    assert found.band_low[:4].tolist() == found.band_high[:4].tolist() == [0.2] * 4


def test_a_single_value_is_its_own_best_without_an_interval():
    found = best_of([0.2])
    assert (found.value.tolist(), found.n) == ([0.2], 1)
    assert np.isnan([found.low, found.high, found.band_low, found.band_high]).all()


def test_a_curve_over_a_million_pairs_of_k_and_n_stays_small():
    import tracemalloc

    data = np.random.default_rng(1).normal(size=20_000)
    tracemalloc.start()
    best_of(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize(
    ("data", "k", "words"),
    [
        (
            [0.1, 0.2],
            3,
            "at most the 2 subnetworks of the sample; found 3: the best of more subnetworks than the sample has",
        ),
        ([0.1, 0.2], 0, "whole numbers of 1 or more"),
        ([0.1, 0.2], 1.5, "whole numbers of 1 or more"),
        ([0.1, 0.2], [], "whole numbers of 1 or more"),
        ([], 1, "at least one number"),
        ([0.1, np.nan], 1, "finite; found 1"),
    ],
)
def test_what_cannot_be_estimated_is_refused_in_one_line(data, k, words):
    with pytest.raises(InputError, match=words) as caught:
        best_of(data, k=k)
    assert "\n" not in str(caught.value)


def test_a_target_that_none_reached_has_no_estimate_but_a_lower_bound():
    found = samples_to_reach(np.linspace(0.1, 0.2, 20), 0.05)
    assert found.expected.value == found.expected.high == np.inf
    assert found.expected.low == pytest.approx(1 / (1 - 0.025 ** (1 / 20)))
    assert found.best_of.value == np.inf
    assert found.to_dict()["expected"]["value"] is None


def test_a_target_that_all_reach_takes_one():
    found = samples_to_reach([0.1, 0.2], 0.2)
    assert (found.expected.value, found.with_chance.value, found.best_of.value) == (1, 1, 1)


@given(values, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_harder_target_takes_no_fewer(data, one, other):
    hard, easy = (samples_to_reach(data, target) for target in sorted((one, other)))
    for name in ("expected", "with_chance", "best_of"):
        assert getattr(hard, name).value >= getattr(easy, name).value
        assert getattr(hard, name).low <= getattr(hard, name).value <= getattr(hard, name).high


@pytest.mark.parametrize(("arguments", "words"), [({"chance": 95}, "chance must"), ({"level": 2}, "level must")])
def test_a_chance_is_a_probability(arguments, words):
    with pytest.raises(InputError, match=words):
        samples_to_reach([0.1], 0.1, **arguments)
    with pytest.raises(InputError, match="finite number"):
        samples_to_reach([0.1], np.nan)


def test_results_are_json():
    json.dumps(best_of([0.2, 0.1, 0.2]).to_dict(), allow_nan=False)
    json.dumps(samples_to_reach([0.2, 0.1, 0.2], 0.1).to_dict(), allow_nan=False)
    assert repr(best_of([0.2, 0.1, 0.2])).startswith("BestOf(n=3, 3 k, best of 3: 0.1")


def test_of_values_that_are_maximised_the_best_is_the_greatest(sample):
    one, other = best_of(sample), best_of(1 - sample, direction="maximize")
    assert other.value == pytest.approx(1 - one.value)
    for low, high in (("low", "high"), ("band_low", "band_high")):
        assert getattr(other, low) == pytest.approx(1 - getattr(one, high), nan_ok=True)
        assert getattr(other, high) == pytest.approx(1 - getattr(one, low), nan_ok=True)
    assert other.value[-1] == (1 - sample).max()
    assert other.direction == "maximize"


def test_a_target_of_values_that_are_maximised_is_reached_from_above():
    values = [0.1, 0.2, 0.4, 0.5]
    one = samples_to_reach(values, 0.2, chance=0.75)
    other = samples_to_reach([-value for value in values], -0.2, chance=0.75, direction="maximize")
    assert (other.expected, other.with_chance, other.best_of) == (one.expected, one.with_chance, one.best_of)
    assert other.target == -0.2


def test_another_direction_is_refused():
    with pytest.raises(InputError, match="direction must be 'minimize' or 'maximize'; found 'up'"):
        best_of([0.1, 0.2], direction="up")
