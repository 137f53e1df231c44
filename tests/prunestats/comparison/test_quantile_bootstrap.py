"""The bootstrap of quantiles in closed form: every resample visited, sums against all sums, chances that sum to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunestats.comparison.quantile_bootstrap import Law, middle_quantile, percentile_interval, resampled_quantile

samples = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=6)


@given(samples, st.sampled_from([0.1, 0.25, 0.5, 0.6, 0.9]))
@settings(max_examples=60, deadline=None)
def test_the_law_is_that_of_all_resamples(data, q):
    ordered = np.sort(data)
    n = ordered.size
    every = (
        [middle_quantile(np.sort(ordered[list(index)]), q) for index in np.ndindex(*(n,) * min(n, 5))] if n < 6 else []
    )
    law = resampled_quantile(ordered, q)
    assert law.chances.sum() == pytest.approx(1)
    for value in np.unique(every):
        assert law.chances[law.values == value].sum() == pytest.approx(np.mean(np.array(every) == value), abs=1e-9)


@given(samples, st.sampled_from([0.1, 0.5]))
def test_the_quantile_is_numpys_averaged_inverse(data, q):
    expected = np.quantile(data, q, method="averaged_inverted_cdf")
    assert middle_quantile(np.sort(data), q) == pytest.approx(expected)


@pytest.mark.parametrize("n", [99, 100, 4999, 5000, 100_000])
@pytest.mark.parametrize("q", [0.01, 0.1, 0.5])
def test_large_samples_have_the_moments_of_the_beta_law(n, q):
    # of evenly spaced values the quantile of a resample is about Beta's, with variance q (1 - q) / n
    law = resampled_quantile(np.arange(1, n + 1) / n, q)
    assert law.chances @ law.values == pytest.approx(q, abs=2 / n)
    assert law.variance == pytest.approx(q * (1 - q) / n, rel=0.02 + 2 / (n * q))


def test_a_sum_of_laws_equals_all_sums():
    rng = np.random.default_rng(0)
    laws = [Law(np.sort(rng.standard_normal(m)), rng.dirichlet(np.ones(m))) for m in (7, 9, 5)]
    weights = (0.6, -0.6, 0.4)
    values = np.add.outer(np.add.outer(0.6 * laws[0].values, -0.6 * laws[1].values), 0.4 * laws[2].values).ravel()
    chances = np.multiply.outer(np.multiply.outer(laws[0].chances, laws[1].chances), laws[2].chances).ravel()
    order = np.argsort(values)
    reached = np.cumsum(chances[order])
    expected = values[order][np.searchsorted(reached, [0.025, 0.975])]
    spread = np.sqrt(sum(w**2 * law.variance for w, law in zip(weights, laws, strict=True)))
    low, high = percentile_interval(list(zip(weights, laws, strict=True)), 0.95)
    assert low <= expected[0] + 1e-12
    assert high >= expected[1] - 1e-12
    assert (low, high) == pytest.approx(tuple(expected), abs=0.005 * spread)


def test_laws_of_one_value_leave_a_point():
    point = Law(np.array([3.0]), np.array([1.0]))
    assert percentile_interval([(1.0, point), (-2.0, point)], 0.95) == (-3.0, -3.0)


def test_a_value_far_out_costs_digits_and_not_memory():
    law = resampled_quantile(np.append(np.arange(19.0), 1e9), 0.5)
    low, high = percentile_interval([(1.0, law), (-1.0, law)], 0.95)
    assert -20 < low < high < 20
