"""Subset selection: critical values of other software and of Dunnett's tables, and the probability that it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunestats.noise.subset_selection import best_subset, dunnett_point


@pytest.mark.parametrize(
    ("groups", "df", "point"),
    # Dunnett, J. Amer. Statist. Assoc. 50 (1955), table 1a, one-sided, joint confidence 95 %
    [(1, 10, 1.81), (2, 10, 2.15), (3, 10, 2.34), (9, 20, 2.60), (2, 10**6, 1.92), (9, 10**6, 2.42)],
)
def test_critical_values_are_those_of_the_table(groups, df, point):
    assert dunnett_point(1.0, (1.0,), (groups,), df, 0.95) == pytest.approx(point, abs=0.005)


@pytest.mark.parametrize("df", [1, 5, 40])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_one_group_is_student(df, level):
    assert dunnett_point(2.0, (3.0,), (1,), df, level) == pytest.approx(stats.t.ppf(level, df), rel=2e-3, abs=1e-3)


def test_unequal_sizes_are_scipys_multivariate_t():
    point = dunnett_point(2.0, (2.0, 3.0), (2, 3), 12, 0.95)
    sizes = np.array([2, 2, 3, 3, 3])
    loading = np.sqrt(sizes / (sizes + 2))
    shape = np.outer(loading, loading)
    np.fill_diagonal(shape, 1)
    inside = stats.multivariate_t(shape=shape, df=12).cdf(np.full(5, point), random_state=0)
    assert inside == pytest.approx(0.95, abs=1e-3)


def test_equal_sizes_keep_what_lies_within_one_distance():
    rng = np.random.default_rng(0)
    means = rng.normal(0.1, 0.01, 30)
    distance = dunnett_point(2.0, (2.0,), (29,), 30, 0.95) * 0.006
    found = best_subset(means, np.full(30, 2.0), 0.006**2, 30, 0.95)
    assert found.tolist() == (means <= means.min() + distance).tolist()
    assert 1 < found.sum() < 30


def test_one_candidate_is_the_best():
    assert best_subset(np.array([0.1]), np.array([2.0]), 1e-4, 1, 0.95).tolist() == [True]


@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_the_best_is_kept_with_the_promised_probability(spread):
    """With equal true means (spread 0), the least favourable case, in 95 % of samples; else in more."""
    rng = np.random.default_rng(1)
    seeds = np.repeat([1.0, 2.0, 3.0], 7)
    truth = spread * np.sort(rng.standard_normal(21))[rng.permutation(21)]
    df, kept = int((seeds - 1).sum()), []
    for _ in range(400):
        means = truth + rng.standard_normal(21) / np.sqrt(seeds)
        kept.append(best_subset(means, seeds, rng.chisquare(df) / df, df, 0.95)[np.argmin(truth)])
    # three binomial standard errors below 0.95
    assert np.mean(kept) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400)
    if spread == 0:
        assert np.mean(kept) < 0.95 + 3 * np.sqrt(0.05 * 0.95 / 400)
