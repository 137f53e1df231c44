"""Coverage of all intervals and bands of a comparison. Simulations, marked slow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunestats.comparison.quantile_bootstrap import bootstrap_distribution
from prunestats.comparison.stratified import (
    area_difference,
    best_difference,
    mean_difference,
    probability_less,
    quantile_difference,
    strata_of,
)
from prunestats.distribution.empirical import edf

pytestmark = pytest.mark.slow

R = 400
POPULATIONS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "skewed": lambda rng, n: rng.lognormal(0, 0.8, n),
    "ties": lambda rng, n: np.round((0.1 + 0.02 * rng.standard_normal(n)) * 360) * 0.15,
}
SHIFT = 0.6


def at_least(count, promised, of=R):
    """Whether a count is not significantly (p = 1e-4) below the nominal share."""
    return count >= stats.binom.ppf(1e-4, of, promised)


def at_most(count, promised, of=R):
    return count <= stats.binom.ppf(1 - 1e-4, of, promised)


def truths(name):
    big = np.sort(POPULATIONS[name](np.random.default_rng(99), 400_001))
    other = big[::20] + SHIFT
    below = np.searchsorted(big, other, side="left") + np.searchsorted(big, other, side="right")
    return -SHIFT, float(below.mean() / 2 / big.size)


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize(
    ("n_a", "n_b", "originals"),
    [(20, 20, 1), (60, 60, 1), (200, 60, 1), (200, 200, 1), (1000, 1000, 1), (20, 20, 2)],
)
def test_intervals_of_differences_cover(name, n_a, n_b, originals):
    rng = np.random.default_rng(n_a * 7 + n_b + originals)
    difference, probability = truths(name)
    big = np.sort(POPULATIONS[name](np.random.default_rng(98), 400_001))
    limit, k = float(np.median(big)), min(10, min(n_a, n_b) // 5)
    area = float(np.clip(limit - big, 0, None).mean() - np.clip(limit - big - SHIFT, 0, None).mean())
    held = dict.fromkeys(("mean", "median", "low quantile", "less", "area", "best"), 0)
    for _ in range(R):
        draw = POPULATIONS[name]
        strata = strata_of([(draw(rng, n_a), draw(rng, n_b) + SHIFT) for _ in range(originals)])
        held["mean"] += difference in mean_difference(strata, level=0.95)
        for q, which in ((0.5, "median"), (0.1, "low quantile")):
            distributions = [(bootstrap_distribution(s.a, q), bootstrap_distribution(s.b, q)) for s in strata]
            found = quantile_difference(strata, distributions, q, level=0.95)
            held[which] += found.low - 1e-9 <= difference <= found.high + 1e-9
        held["less"] += probability in probability_less(strata, level=0.95)[0]
        held["area"] += area in area_difference(strata, [limit] * originals, level=0.95)
        held["best"] += difference in best_difference(strata, k, level=0.95)
    print(name, n_a, n_b, originals, {which: round(count / R, 3) for which, count in held.items()})
    assert at_least(held["mean"], 0.94)
    assert at_least(held["median"], 0.945)
    assert at_least(held["low quantile"], 0.94)
    assert at_least(held["less"], 0.94)
    assert at_least(held["area"], 0.93)
    assert at_least(held["best"], 0.94)


@pytest.mark.parametrize("shift", [1.5, 2.3, 3.3])
@pytest.mark.parametrize("n", [20, 60, 200])
def test_the_interval_of_the_probability_covers_near_one(n, shift):
    rng = np.random.default_rng(n)
    truth = stats.norm.cdf(shift / np.sqrt(2))
    covered = sum(
        truth in probability_less(strata_of([(rng.normal(0, 1, n), rng.normal(shift, 1, n))]), level=0.95)[0]
        for _ in range(R)
    )
    assert at_least(covered, 0.935)


@pytest.mark.parametrize("n", [20, 60, 200])
def test_edf_bands_cover(n):
    rng = np.random.default_rng(n)
    whole = tied = pointwise = 0
    for _ in range(R):
        found = edf(rng.random(n))
        before = np.r_[0.0, found.y[:-1]]
        half = found.y[-1] - found.band_low[-1]
        whole += bool((np.maximum(found.y - found.x, found.x - before) <= half).all())
        ties = edf(np.ceil(rng.random(n) * 15) / 15)
        tied += bool(((ties.band_low <= ties.x + 1e-12) & (ties.x <= ties.band_high + 1e-12)).all())
        position = np.searchsorted(ties.x, 0.4, side="right") - 1
        pointwise += bool(position >= 0 and ties.low[position] <= ties.x[position] <= ties.high[position])
    assert at_least(whole, 0.95)
    assert at_most(whole, 0.95)
    assert at_least(tied, 0.95)
    assert at_least(pointwise, 0.95)
