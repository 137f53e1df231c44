"""Comparisons and distribution functions against R and scipy."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from prunestats.comparison.equal_flops import binned_difference
from prunestats.comparison.multiplicity import Contrast, holm, simultaneous_intervals
from prunestats.comparison.permutation_tests import anderson_darling, distribution_tests
from prunestats.comparison.quantile_bootstrap import bootstrap_distribution
from prunestats.comparison.stratified import (
    area_difference,
    best_difference,
    mean_difference,
    probability_less,
    quantile_difference,
    strata_of,
)
from prunestats.distribution.bands import multiplier_half_width
from prunestats.distribution.empirical import clopper_pearson, edf


def test_mean_difference_equals_welch_in_r_and_scipy(golden, golden_pair):
    r = golden("comparison")
    found = mean_difference(strata_of([golden_pair]), level=0.95)
    assert [found.value, found.low, found.high] == pytest.approx([r[f"welch.{k}"] for k in ("value", "low", "high")])
    theirs = stats.ttest_ind(*golden_pair, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_probability_less_equals_brunner_munzel_in_r_and_scipy(golden, golden_pair):
    r = golden("comparison")
    found, p = probability_less(strata_of([golden_pair]), level=0.95)
    assert [found.value, found.low, found.high, p] == pytest.approx(
        [r[f"brunner_munzel.{k}"] for k in ("value", "low", "high", "p")]
    )
    assert p == pytest.approx(stats.brunnermunzel(*golden_pair).pvalue)


def test_kolmogorov_smirnov_equals_r_and_scipy(golden, golden_pair):
    found = distribution_tests(strata_of([golden_pair]), rng=np.random.default_rng(0))
    assert found.ks == pytest.approx(golden("comparison")["ks.value"])
    assert found.ks_p == pytest.approx(stats.ks_2samp(*golden_pair).pvalue)


def test_median_difference_equals_the_bootstrap_of_r(golden, golden_pair):
    r = golden("comparison")
    found = quantile_difference(strata_of([golden_pair]), distributions(golden_pair, 0.5), 0.5, level=0.95)
    assert found.value == pytest.approx(r["median.value"])
    # values are rounded to 0.001, so quantiles of either bootstrap move in half steps of it
    assert (found.low, found.high) == pytest.approx((r["median.low"], r["median.high"]), abs=0.0006)


def test_clopper_pearson_equals_r(golden):
    r = golden("distribution")
    low, high = clopper_pearson([0, 1, 7, 20], 20)
    assert low == pytest.approx([r[f"clopper_pearson.{k}.low"] for k in (0, 1, 7, 20)])
    assert high == pytest.approx([r[f"clopper_pearson.{k}.high"] for k in (0, 1, 7, 20)])


@pytest.mark.parametrize("n", [5, 20, 60])
def test_band_has_the_exact_half_width_that_r_finds(golden, n):
    found = edf(np.arange(n) / n)
    middle = n // 2
    assert found.y[middle] - found.band_low[middle] == pytest.approx(golden("distribution")[f"band.{n}"], rel=1e-6)


def test_area_equals_students_interval_of_the_gains_in_r(golden, golden_pair):
    r = golden("distribution")
    found = edf(golden_pair[0]).area_interval(0.11)
    assert [found.value, found.low, found.high] == pytest.approx([r[f"area.{k}"] for k in ("value", "low", "high")])


@pytest.mark.parametrize("q", [0.2, 0.5])
def test_quantile_intervals_equal_the_binomial_pair_and_the_bootstrap_of_r(golden, golden_pair, q):
    r, found = golden("distribution"), edf(golden_pair[0])
    for method, name in (("exact", "order"), ("bootstrap", "boot")):
        interval = found.quantile_interval(q, method=method)
        assert (interval.low, interval.high) == (r[f"{name}.{q}.low"], r[f"{name}.{q}.high"])


def golden_weights(a):
    return 1.7 + (np.arange(1, 26) * 0.41421356237309515) % 1 - 10 * a


def test_weighted_function_and_its_intervals_equal_r(golden, golden_pair):
    r, a = golden("distribution"), golden_pair[0]
    found = edf(a, weights=golden_weights(a))
    place = np.searchsorted(found.x, 0.09, side="right") - 1
    assert [found.y[place], found.low[place], found.high[place], found.n_effective] == pytest.approx(
        [r[f"weighted.{k}"] for k in ("f", "low", "high", "kish")]
    )
    assert r["weighted.n"] < r["weighted.kish"] - 0.5, "else nothing is seen of the variance's own effective number"
    area = found.area_interval(0.11)
    assert [area.value, area.high - area.value] == pytest.approx(
        [r["weighted.area.value"], r["weighted.area.half"]], rel=1e-9
    )


def test_multiplier_band_has_the_half_width_that_r_simulates(golden):
    weights = 0.2 + (np.arange(1, 401) * 0.7320508075688772) % 1
    weights = weights[np.argsort((np.arange(1, 401) * 0.41421356237309515) % 1)] / weights.sum()
    half = multiplier_half_width(np.cumsum(weights), weights, weights, 0.95, np.random.default_rng(0))
    # 2,000 draws here and 20,000 there
    assert half == pytest.approx(golden("distribution")["multiplier"], rel=0.04)


def distributions(pair, q):
    return [tuple(bootstrap_distribution(np.sort(x), q) for x in pair)]


def test_difference_of_a_low_quantile_equals_the_bootstrap_of_r(golden, golden_pair):
    r = golden("comparison")
    found = quantile_difference(strata_of([golden_pair]), distributions(golden_pair, 0.2), 0.2, level=0.95)
    assert found.value == pytest.approx(r["quantile.value"])
    assert (found.low, found.high) == pytest.approx((r["quantile.low"], r["quantile.high"]), abs=0.0006)


def test_difference_of_areas_equals_welch_of_the_gains_in_r(golden, golden_pair):
    r = golden("comparison")
    found = area_difference(strata_of([golden_pair]), [0.1], level=0.95)
    assert [found.value, found.low, found.high] == pytest.approx([r[f"area.{k}"] for k in ("value", "low", "high")])


def test_difference_of_best_of_k_equals_the_jackknife_of_r(golden, golden_pair):
    r = golden("comparison")
    found = best_difference(strata_of([golden_pair]), 4, level=0.95)
    assert [found.value, found.high - found.value] == pytest.approx([r["best.value"], r["best.half"]])


@pytest.mark.filterwarnings("ignore:Parameter `variant`:UserWarning")
def test_anderson_darling_equals_the_formula_in_r_and_its_p_scipys(golden, golden_pair):
    r, rng = golden("comparison"), np.random.default_rng(0)
    a, b = golden_pair
    three = [a, b, b[:15] - 0.02]
    assert distribution_tests(strata_of([golden_pair]), rng=rng).ad == pytest.approx(r["ad.2"])
    assert anderson_darling([[a, b]], rng=rng)[0] == pytest.approx(r["ad.2"])
    statistic, p = anderson_darling([three], rng=rng)
    assert statistic == pytest.approx(r["ad.3"])
    theirs = stats.anderson_ksamp(three, method=stats.PermutationMethod(2999, random_state=1)).pvalue
    assert p == pytest.approx(theirs, abs=4 * np.sqrt(theirs * (1 - theirs) / 999))


def test_one_sided_p_equals_the_permutations_of_r(golden, golden_pair):
    p = golden("comparison")["ks.above.p"]
    found = distribution_tests(strata_of([golden_pair]), rng=np.random.default_rng(0))
    assert found.above_p == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 999))


def test_difference_at_equal_flops_equals_r(golden, golden_pair):
    r = golden("comparison")
    weyl = [(np.arange(1, n + 1) * 0.7320508075688772) % 1 for n in (25, 40)]
    a = SimpleNamespace(values=golden_pair[0], flops=1000 + 100 * weyl[0])
    b = SimpleNamespace(values=golden_pair[1], flops=1030 + 90 * weyl[1])
    found = binned_difference([(a, b)], level=0.95, rng=np.random.default_rng(0))
    half = found.difference.high - found.difference.value
    assert [found.difference.value, half] == pytest.approx([r["binned.value"], r["binned.half"]])
    p = r["binned.p"]
    assert found.p == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 999))


def test_holm_equals_r(golden):
    r = golden("comparison")
    assert holm([0.01, 0.04, 0.03, 0.005, 0.9]) == pytest.approx([r[f"holm.{k}"] for k in range(1, 6)])


def test_max_t_of_all_pairs_of_ten_is_tukeys(golden):
    parts = [(0.5, 1e9), (0.5, 1e9)]
    pairs = [Contrast(0.0, pair, (1.0, -1.0), parts) for pair in combinations(range(10), 2)]
    found = simultaneous_intervals(pairs, level=0.95, rng=np.random.default_rng(0))
    # 10,000 draws know their 95 % point to about 0.012
    assert found[0].high == pytest.approx(golden("comparison")["tukey"], abs=0.04)
