"""Coverage of the envelope's confidence set; slow, numbers in docs/methods/envelope-winners.md."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunestats.optimum.lower_envelope import fit_envelope
from prunestats.optimum.regression import points

pytestmark = pytest.mark.slow

R = 200
NOISES = {
    "normal": (lambda rng, n: rng.standard_normal(n), 0.93),
    "skewed": (lambda rng, n: rng.lognormal(0, 0.8, n), 0.95),
    # in a heavy lower tail the kernel has few residuals near zero, and coverage is known to be too low
    "heavy tails": (lambda rng, n: rng.standard_t(3, n), 0.87),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "quantile"), [(200, 0.1), (400, 0.1), (1000, 0.05), (1000, 0.1)])
def test_the_set_of_the_vertex_covers(noise, n, quantile):
    draw, nominal = NOISES[noise]
    rng = np.random.default_rng(n)
    covered = 0
    for _ in range(R):
        x = rng.uniform(-1, 1, n)
        found = fit_envelope(points(x, 4 * (x - 0.1) ** 2 + 0.5 * draw(rng, n)), quantile)
        covered += np.exp(0.1) in found.fieller
    assert covered >= stats.binom.ppf(1e-4, R, nominal)
