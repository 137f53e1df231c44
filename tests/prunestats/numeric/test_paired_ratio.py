import numpy as np
import pytest
from scipy import stats

from prunestats.errors import InputError
from prunestats.numeric.paired_ratio import median_ratio


@pytest.mark.parametrize("n", [6, 7, 12, 25, 30, 101])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_bounds_are_those_of_scipys_quantile_test(n, level):
    rng = np.random.default_rng(n)
    dense, pruned = rng.lognormal(1, 0.2, n), rng.lognormal(0, 0.2, n)
    found = median_ratio(dense, pruned, level)
    expected = stats.quantile_test(dense / pruned, q=1, p=0.5).confidence_interval(confidence_level=level)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.value == pytest.approx(np.median(dense / pruned))


def test_ranks_are_those_of_published_tables():
    """Ranks of the interval of a median at 95 %: David and Nagaraja 2003, and tables of the sign test."""
    for n, rank in ((6, 1), (10, 2), (20, 6), (30, 10), (50, 18)):
        ratios = np.arange(1.0, n + 1)
        found = median_ratio(ratios, np.ones(n))
        assert (found.low, found.high) == (rank, n + 1 - rank)


def test_a_common_slowdown_cancels():
    rng = np.random.default_rng(1)
    load = rng.lognormal(0, 1, 40)
    found = median_ratio(3 * load, load)
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_too_few_pairs_have_no_bounds():
    found = median_ratio([2.0] * 5, [1.0] * 5)
    assert (found.value, found.low, found.high) == (2, 0, np.inf)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 2.0]), ([1.0], [0.0]), ([np.nan], [1.0])])
def test_what_is_no_pair_of_times_is_refused(a, b):
    with pytest.raises(InputError):
        median_ratio(a, b)


def test_coverage_with_outliers():
    """Times with a tail, as on a machine that does other work: the true median of the ratio is 2."""
    rng = np.random.default_rng(0)
    repeats, n = 2000, 41
    noise = rng.standard_t(2, (repeats, n)) / 20
    inside = [2 in median_ratio(2 * np.exp(row), np.ones(n)) for row in noise]
    # at least 95 %, and 2.6 binomial standard errors of 2,000 repetitions below it
    assert np.mean(inside) > 0.95 - 2.6 * np.sqrt(0.95 * 0.05 / repeats)
    assert np.mean(inside) < 0.98
