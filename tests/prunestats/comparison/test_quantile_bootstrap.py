"""The bootstrap of quantiles in closed form: all resamples enumerated, sums against all sums, total probability 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunestats.comparison.quantile_bootstrap import (
    DiscreteDistribution,
    bootstrap_distribution,
    percentile_interval,
    sample_quantile,
)

samples = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=6)


@given(samples, st.sampled_from([0.1, 0.25, 0.5, 0.6, 0.9]))
@settings(max_examples=60, deadline=None)
def test_the_distribution_is_that_of_all_resamples(data, q):
    ordered = np.sort(data)
    n = ordered.size
    every = (
        [sample_quantile(np.sort(ordered[list(index)]), q) for index in np.ndindex(*(n,) * min(n, 5))] if n < 6 else []
    )
    found = bootstrap_distribution(ordered, q)
    assert found.probabilities.sum() == pytest.approx(1)
    for value in np.unique(every):
        assert found.probabilities[found.values == value].sum() == pytest.approx(
            np.mean(np.array(every) == value), abs=1e-9
        )


@given(samples, st.sampled_from([0.1, 0.5]))
def test_the_quantile_is_numpys_averaged_inverse(data, q):
    expected = np.quantile(data, q, method="averaged_inverted_cdf")
    assert sample_quantile(np.sort(data), q) == pytest.approx(expected)


@pytest.mark.parametrize("n", [99, 100, 4999, 5000, 100_000])
@pytest.mark.parametrize("q", [0.01, 0.1, 0.5])
def test_large_samples_have_the_moments_of_the_beta_distribution(n, q):
    # of evenly spaced values the quantile of a resample is about Beta's, with variance q (1 - q) / n
    found = bootstrap_distribution(np.arange(1, n + 1) / n, q)
    assert found.probabilities @ found.values == pytest.approx(q, abs=2 / n)
    assert found.variance == pytest.approx(q * (1 - q) / n, rel=0.02 + 2 / (n * q))


def test_a_sum_of_distributions_equals_all_sums():
    rng = np.random.default_rng(0)
    distributions = [
        DiscreteDistribution(np.sort(rng.standard_normal(m)), rng.dirichlet(np.ones(m))) for m in (7, 9, 5)
    ]
    weights = (0.6, -0.6, 0.4)
    values = np.add.outer(
        np.add.outer(0.6 * distributions[0].values, -0.6 * distributions[1].values), 0.4 * distributions[2].values
    ).ravel()
    probabilities = np.multiply.outer(
        np.multiply.outer(distributions[0].probabilities, distributions[1].probabilities),
        distributions[2].probabilities,
    ).ravel()
    order = np.argsort(values)
    cumulative = np.cumsum(probabilities[order])
    expected = values[order][np.searchsorted(cumulative, [0.025, 0.975])]
    spread = np.sqrt(sum(w**2 * found.variance for w, found in zip(weights, distributions, strict=True)))
    low, high = percentile_interval(list(zip(weights, distributions, strict=True)), 0.95)
    assert low <= expected[0] + 1e-12
    assert high >= expected[1] - 1e-12
    assert (low, high) == pytest.approx(tuple(expected), abs=0.005 * spread)


def test_distributions_of_one_value_leave_a_point():
    point = DiscreteDistribution(np.array([3.0]), np.array([1.0]))
    assert percentile_interval([(1.0, point), (-2.0, point)], 0.95) == (-3.0, -3.0)


def test_a_value_far_out_costs_digits_and_not_memory():
    found = bootstrap_distribution(np.append(np.arange(19.0), 1e9), 0.5)
    low, high = percentile_interval([(1.0, found), (-1.0, found)], 0.95)
    assert -20 < low < high < 20
