"""Empirical distribution functions: ties, areas, quantiles, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunestats.distribution import edf
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
