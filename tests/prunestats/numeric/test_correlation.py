import numpy as np
import pytest
from scipy import stats

from prunestats.errors import InputError
from prunestats.numeric.correlation import correlation
from prunestats.numeric.pareto import pareto_front


def pairs(n, rho, rng):
    x = rng.standard_normal(n)
    return x, rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(n)


def test_pearsons_interval_is_scipys():
    x, y = pairs(30, 0.6, np.random.default_rng(2))
    expected = stats.pearsonr(x, y)
    found = correlation(x, y, method="pearson")
    assert found.value == pytest.approx(expected.statistic)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_spearmans_value_is_scipys_and_its_interval_wider_than_pearsons():
    x, y = pairs(30, 0.6, np.random.default_rng(2))
    found = correlation(x, y)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    ranks = correlation(stats.rankdata(x), stats.rankdata(y), method="pearson")
    widths = [np.arctanh(one.high) - np.arctanh(one.low) for one in (found, ranks)]
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(1 + found.value**2 / 2))


def test_any_monotone_scale_has_the_same_rank_correlation():
    x, y = pairs(20, 0.8, np.random.default_rng(3))
    assert correlation(np.exp(x), y**3) == correlation(x, y)


@pytest.mark.parametrize("rho", [0.0, 0.7, 0.95])
def test_coverage_of_spearmans(rho):
    """For bivariate normal values the population's coefficient is 6 / pi asin(rho / 2)."""
    rng = np.random.default_rng(4)
    true = 6 / np.pi * np.arcsin(rho / 2)
    inside = [true in correlation(*pairs(40, rho, rng)) for _ in range(1000)]
    assert abs(np.mean(inside) - 0.95) < 0.025


def test_edges():
    assert (correlation([1, 2, 3], [1, 2, 3]).low, correlation([1, 2, 3], [1, 2, 3]).high) == (-1, 1)
    perfect = correlation(range(9), range(9))
    assert (perfect.value, perfect.low, perfect.high) == (1, 1, 1)
    assert np.isnan(correlation([1, 1, 1, 1], [1, 2, 3, 4]).value)
    with pytest.raises(InputError, match="equal length"):
        correlation([1, 2], [1])
    with pytest.raises(InputError, match="spearman or pearson"):
        correlation([1, 2], [1, 2], method="kendall")


def test_the_front_is_what_no_point_beats():
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 9, 60), rng.integers(0, 9, 60)
    beaten = [any((x <= a) & (y <= b) & ((x < a) | (y < b))) for a, b in zip(x, y, strict=True)]
    assert pareto_front(x, y).tolist() == [not each for each in beaten]
    assert pareto_front([1, np.nan], [np.nan, 1]).tolist() == [False, False]
