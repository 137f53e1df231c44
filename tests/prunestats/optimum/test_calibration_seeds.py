"""Coverage with precision-weighted means; slow, more numbers in decision 0005."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.optimum.points import ratio_points
from prunestats.optimum.quadratic import fit_quadratic
from prunestats.optimum.regression import points
from prunestats.results.means import unit_means

pytestmark = pytest.mark.slow

REPEATS, BEST = 150, 0.2


def seeds_at_random(first, rng):
    return np.where(rng.random(first.size) < 0.5, 1, 5)


def seeds_for_winners(first, rng):
    """Ten seeds for the best tenth by the first seed, one for the rest."""
    return np.where(np.argsort(np.argsort(first)) < first.size // 10, 10, 1)


def population(rng, n, noise, scheme):
    """Runs of subnetworks on a parabola in log ratio, errors near 0.3."""
    params = np.round(1e6 / np.exp(4.6 + rng.uniform(-1, 1, n))).astype(int)
    u = np.log(1e6 / params) - 4.6
    own = 0.3 + 0.1 * (u - BEST) ** 2 + 0.01 * np.clip(noise(n), -20, 20)
    errors = own[:, None] + 0.02 * rng.standard_normal((n, 10))
    counts = scheme(errors[:, 0], rng)
    who, seed = np.nonzero(np.arange(10) < counts[:, None])
    frame = pd.DataFrame({"subnetwork": who, "seed": seed, "flops": 1_000_000, "params": params[who]})
    return frame.assign(error=errors[who, seed])


@pytest.mark.parametrize("scheme", [seeds_at_random, seeds_for_winners])
@pytest.mark.parametrize("noise", ["normal", "heavy"])
@pytest.mark.parametrize("n", [60, 200])
def test_vertex_and_level_are_covered_whoever_gets_more_seeds(scheme, noise, n):
    rng = np.random.default_rng(n)
    draw = {"normal": rng.standard_normal, "heavy": lambda size: rng.standard_t(3, size) / np.sqrt(3)}[noise]
    vertex = level = plain = 0
    shorter = []
    for _ in range(REPEATS):
        means = unit_means(population(rng, n, draw, scheme), "error")
        data = ratio_points(means, 1, "error")
        fit, equal = fit_quadratic(data), fit_quadratic(points(data.x, data.y))
        vertex += np.exp(4.6 + BEST) in fit.fieller
        for quadratic in (fit, equal):
            _, low, high = quadratic.predict([np.exp(4.6 + BEST)])
            covered = low[0] <= 0.3 <= high[0]
            level, plain = level + covered * (quadratic is fit), plain + covered * (quadratic is equal)
        shorter.append(fit.covariance[2, 2] < equal.covariance[2, 2])
    floor = stats.binom.ppf(1e-3, REPEATS, 0.93)
    assert vertex >= floor
    assert level >= floor
    if scheme is seeds_at_random:
        assert np.mean(shorter) > 0.6
    elif n == 200:
        assert plain < 0.85 * REPEATS
