"""Coverage of the intervals of best of k and of sample sizes; slow. Numbers are in docs/methods/best-of.md."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunestats.distribution.best_of_k import best_of
from prunestats.distribution.samples_needed import samples_to_reach
from prunestats.numeric.order_statistics import least_of

pytestmark = pytest.mark.slow

R = 300
POPULATIONS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "skewed": lambda rng, n: rng.lognormal(0, 0.8, n),
    "ties": lambda rng, n: np.round((0.1 + 0.02 * rng.standard_normal(n)) * 360) / 360,
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
}
# with a lower tail that falls like a power, values far below the sample minimum are likely and not in the sample
NOMINAL = {"normal": 0.92, "skewed": 0.92, "ties": 0.92, "heavy tails": 0.83}


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("n", [20, 60, 200, 1000])
def test_intervals_and_band_of_the_curve_cover(name, n):
    k = np.unique(np.geomspace(1, n // 2, 8).astype(int))
    big = np.sort(POPULATIONS[name](np.random.default_rng(9), 400_001))
    truth = least_of(big, k)[0]
    rng = np.random.default_rng(n)
    pointwise, band = np.zeros(k.size), 0
    for _ in range(R):
        found = best_of(POPULATIONS[name](rng, n), k=k, rng=rng)
        pointwise += (found.low <= truth) & (truth <= found.high)
        band += bool(((found.band_low <= truth) & (truth <= found.band_high)).all())
    floor = stats.binom.ppf(1e-4, R, NOMINAL[name])
    # k = 1 is the mean: a t interval of few skewed values covers too rarely
    assert (pointwise[1:] >= floor).all()
    assert band >= floor


@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize("quantile", [0.05, 0.3])
def test_samples_to_reach_cover(n, quantile):
    rng = np.random.default_rng(n)
    target = float(stats.norm.ppf(quantile))
    expected = inverse = 0
    big = np.sort(stats.norm.ppf((np.arange(1, 200_001) - 0.5) / 200_000))
    k = np.arange(1, 200)
    truth = int(k[least_of(big, k)[0] <= target][0])
    for _ in range(R):
        found = samples_to_reach(rng.standard_normal(n), target)
        expected += 1 / quantile in found.expected
        inverse += truth in found.best_of
    assert expected >= stats.binom.ppf(1e-4, R, 0.95)
    assert inverse >= stats.binom.ppf(1e-4, R, 0.93)
