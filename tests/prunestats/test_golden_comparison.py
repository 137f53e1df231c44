"""Comparisons and distribution functions against R and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunestats.distribution import clopper_pearson, edf
from prunestats.strata import kolmogorov_smirnov, mean_difference, median_difference, probability_less, strata_of


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
    ks, p = kolmogorov_smirnov(strata_of([golden_pair]), rng=np.random.default_rng(0))
    assert ks == pytest.approx(golden("comparison")["ks.value"])
    assert p == pytest.approx(stats.ks_2samp(*golden_pair).pvalue)


def test_median_difference_equals_the_bootstrap_of_r(golden, golden_pair):
    r = golden("comparison")
    found = median_difference(strata_of([golden_pair]), level=0.95, rng=np.random.default_rng(1))
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
