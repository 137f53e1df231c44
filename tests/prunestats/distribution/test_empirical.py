"""Empirical distribution functions: ties, areas, quantiles, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunestats.distribution.bands import band_half_width, clopper_pearson, multiplier_half_width
from prunestats.distribution.complexity import complexity_weights
from prunestats.distribution.empirical import edf
from prunestats.errors import InputError

values = st.lists(st.integers(0, 40).map(lambda k: k / 40), min_size=1, max_size=60)


@given(values)
def test_f_counts_values_at_or_below_x(data):
    result = edf(data)
    expected = [np.mean(np.asarray(data) <= x) for x in result.x]
    assert result.y == pytest.approx(expected)
    assert result.x.tolist() == sorted(set(data))
    assert result.y[-1] == 1.0


@given(values, st.randoms(use_true_random=False))
def test_the_order_of_the_subnetworks_does_not_matter(data, random):
    shuffled = list(data)
    random.shuffle(shuffled)
    assert edf(data).to_dict() == edf(shuffled).to_dict()


@given(values, st.floats(0.001, 1.0))
def test_quantile_is_the_smallest_x_that_reaches_q(data, q):
    result = edf(data)
    found = float(result.quantile(q))
    assert np.mean(np.asarray(data) <= found) >= q - 1e-9
    below = [x for x in result.x if x < found]
    assert not below or np.mean(np.asarray(data) <= below[-1]) < q


@given(values, st.floats(0, 1))
def test_area_is_the_mean_gain_below_the_limit(data, limit):
    assert edf(data).area(limit) == pytest.approx(np.mean(np.maximum(limit - np.asarray(data), 0)), abs=1e-12)


@given(values, st.sampled_from([0.25, 0.5, 2.0, 4.0]), st.sampled_from([-1.0, 0.5, 3.0]))
@settings(max_examples=50)
def test_bands_follow_shift_and_scale(data, scale, shift):
    one, other = edf(data), edf(np.asarray(data) * scale + shift)
    assert other.x == pytest.approx(one.x * scale + shift)
    for name in ("y", "low", "high", "band_low", "band_high"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))


def test_intervals_hold_f_and_the_band_is_wider_in_the_middle():
    result = edf(np.linspace(0, 1, 40))
    assert (result.low <= result.y).all() and (result.y <= result.high).all()  # noqa: PT018
    middle = 20
    assert result.band_low[middle] < result.low[middle]
    assert result.band_high[middle] > result.high[middle]
    assert ((result.band_low >= 0) & (result.band_high <= 1)).all()


def test_a_higher_level_is_wider():
    assert (edf([1.0, 2.0, 3.0], level=0.99).band_low <= edf([1.0, 2.0, 3.0], level=0.9).band_low).all()


def test_quantiles_at_whole_counts_are_not_lost_to_rounding():
    result = edf(np.arange(10.0))
    assert result.quantile([0.1, 0.3, 0.7, 1.0]).tolist() == [0.0, 2.0, 6.0, 9.0]


@pytest.mark.parametrize(
    ("data", "words"),
    [([], "at least one number"), ([[0.1], [0.2]], "one row"), ([0.1, np.nan], "finite; found 1")],
)
def test_what_is_no_sample_is_refused(data, words):
    with pytest.raises(InputError, match=words):
        edf(data)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_probability(level):
    with pytest.raises(InputError, match=r"level must lie between 0 and 1; found .*write level=0.95"):
        edf([0.1], level=level)


@pytest.mark.parametrize("q", [0, -0.1, 1.1])
def test_a_quantile_is_of_a_probability(q):
    with pytest.raises(InputError, match="q must lie in"):
        edf([0.1, 0.2]).quantile(q)


def test_the_result_is_json():
    found = json.loads(json.dumps(edf([0.2, 0.1, 0.2]).to_dict()))
    assert found["x"] == [0.1, 0.2]
    assert found["n"] == 3


@given(values, st.lists(st.integers(1, 5), min_size=60, max_size=60))
def test_a_whole_weight_counts_a_value_so_often(data, counts):
    weighted = edf(data, weights=counts[: len(data)])
    repeated = edf(np.repeat(data, counts[: len(data)]))
    assert weighted.x.tolist() == repeated.x.tolist()
    assert weighted.y == pytest.approx(repeated.y)
    assert weighted.area(0.5) == pytest.approx(repeated.area(0.5))
    assert weighted.quantile([0.1, 0.5, 1.0]).tolist() == repeated.quantile([0.1, 0.5, 1.0]).tolist()


@given(values, st.floats(0.1, 10))
def test_equal_weights_change_nothing(data, weight):
    assert edf(data, weights=[weight] * len(data)).to_dict() == edf(data).to_dict()


@given(values, st.randoms(use_true_random=False))
def test_the_order_of_weighted_subnetworks_does_not_matter(data, random):
    pairs = [(value, 1 + i % 3) for i, value in enumerate(data)]
    shuffled = list(pairs)
    random.shuffle(shuffled)
    one, other = (edf([v for v, _ in p], weights=[w for _, w in p]).to_dict() for p in (pairs, shuffled))
    assert one == other


def test_effective_size_falls_with_unequal_weights_and_zero_leaves_out():
    found = edf([0.1, 0.2, 0.3, 0.4], weights=[1, 1, 2, 0])
    assert found.n == 3
    assert found.n_effective == pytest.approx(16 / 6)
    assert found.x.tolist() == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("n", [20, 200, 2000])
def test_the_multiplier_band_tends_to_the_exact_one_with_equal_weights(n):
    step = np.full(n, 1 / n)
    half = multiplier_half_width(np.cumsum(step), step, step, 0.95, np.random.default_rng(1))
    assert half == pytest.approx(band_half_width(n, 0.95), rel=0.04)


def test_bands_of_weighted_values_do_not_depend_on_the_size_of_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    data, weights = rng.random(50), rng.random(50)
    whole = edf(data, weights=weights, rng=np.random.default_rng(3)).to_dict()
    monkeypatch.setattr("prunestats.numeric.chunks._CHUNK_BYTES", 8 * 50 * 7)
    assert edf(data, weights=weights, rng=np.random.default_rng(3)).to_dict() == whole
    assert edf(data, weights=weights, rng=np.random.default_rng(4)).band_low.tolist() != whole["band_low"]


def test_pointwise_intervals_equal_those_of_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    k = np.arange(31)
    assert clopper_pearson(k, 30) == pytest.approx(np.array(proportion_confint(k, 30, method="beta")), abs=1e-14)


@pytest.mark.parametrize("n", [1500, 10_000])
def test_many_pointwise_intervals_are_interpolated_to_ten_digits(n):
    k = np.arange(n + 1)
    low, high = clopper_pearson(k, n)
    some = np.r_[1:150, n // 3, n // 2, n - 150 : n]
    assert low[some] == pytest.approx(stats.beta.ppf(0.025, k[some], n - k[some] + 1), abs=1e-10)
    assert high[some] == pytest.approx(stats.beta.ppf(0.975, k[some] + 1, n - k[some]), abs=1e-10)
    assert (low[0], high[-1]) == (0, 1)


def test_the_bootstrap_of_a_quantile_is_that_of_all_resamples():
    data = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    every = np.sort(data[np.indices((5,) * 5).reshape(5, -1)], axis=0)[1]
    expected = np.quantile(every, [0.1, 0.9], method="inverted_cdf")
    found = edf(data, level=0.8).quantile_interval(0.4, method="bootstrap")
    assert (found.value, found.low, found.high) == (2.0, *expected)


def test_a_low_quantile_of_few_values_has_no_lower_end():
    found = edf(np.arange(20.0)).quantile_interval(0.1)
    assert (found.low, found.value) == (-np.inf, 1.0)
    assert edf(np.arange(20.0)).quantile_interval(0.9).high == np.inf


def test_one_value_has_an_area_without_an_interval():
    found = edf([0.2]).area_interval(0.3)
    assert found.value == pytest.approx(0.1)
    assert np.isnan([found.low, found.high]).all()


def test_complexity_weights_make_every_bin_count_equally():
    complexity = np.random.default_rng(0).random(500) ** 2
    weights = complexity_weights(complexity, bins=5)
    edges = np.linspace(complexity.min(), complexity.max(), 6)
    assert np.histogram(complexity, edges, weights=weights)[0] == pytest.approx(np.full(5, 0.2))


def test_complexity_weights_imitate_a_reference_and_leave_out_what_is_beyond():
    rng = np.random.default_rng(0)
    reference, complexity = 0.5 + rng.random(300) ** 2, 2 * rng.random(800)
    weights = complexity_weights(complexity, reference=reference, bins=8)
    edges = np.linspace(reference.min(), reference.max(), 9)
    assert np.histogram(complexity, edges, weights=weights)[0] == pytest.approx(
        np.histogram(reference, edges)[0] / reference.size
    )
    assert (weights[(complexity < reference.min()) | (complexity > reference.max())] == 0).all()
    assert weights.sum() == pytest.approx(1)


def test_equal_complexity_weighs_equally():
    assert complexity_weights([7, 7, 7]).tolist() == [1 / 3] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"complexity": [1, 2, 10], "bins": 3}, "found 1 of 3 without, the first from 4 to 7: use fewer bins"),
        ({"complexity": [1, 2], "bins": 0}, "bins must be a whole number"),
        ({"complexity": [1, np.inf]}, "complexity must be finite; found 1"),
        ({"complexity": [1, 2], "reference": []}, "reference must be one row"),
    ],
)
def test_complexity_that_cannot_be_matched_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        complexity_weights(**arguments)


@pytest.mark.parametrize("weights", [[1.0], [1, -1], [0, 0], [1, np.nan]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(InputError, match="weights must be"):
        edf([0.1, 0.2], weights=weights)


def test_intervals_of_quantiles_refuse_what_they_cannot_answer():
    found = edf([0.1, 0.2, 0.3], weights=[1, 2, 3])
    with pytest.raises(InputError, match="needs equal weights"):
        found.quantile_interval(0.5, method="bootstrap")
    with pytest.raises(InputError, match="exact or bootstrap"):
        found.quantile_interval(0.5, method="bca")
    with pytest.raises(InputError, match="q must lie between"):
        found.quantile_interval(1.0)
