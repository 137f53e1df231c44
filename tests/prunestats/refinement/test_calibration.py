"""Coverage and type I error of refinement and sample saving. Slow; numbers in docs/methods/refinement.md."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.numeric.order_statistics import least_of
from prunestats.optimum.optimum import find_optimum
from prunestats.refinement.draws_saved import compute_saved
from prunestats.refinement.rule import refine
from prunestats.spaces.space import Independent, Space

pytestmark = pytest.mark.slow

NORMAL = (lambda rng, n: rng.standard_normal(n), lambda rng, n: rng.standard_normal(n) - 0.5)
PAIRS = {
    "shifted": NORMAL,
    "same": (NORMAL[0], NORMAL[0]),
    "narrower": (NORMAL[0], lambda rng, n: 0.6 * rng.standard_normal(n) - 1),
    "worse": (NORMAL[0], lambda rng, n: rng.standard_normal(n) + 0.3),
    "skewed": (lambda rng, n: rng.lognormal(0, 0.8, n), lambda rng, n: 0.8 * rng.lognormal(0, 0.8, n)),
}


def true_draws(initial, refined, k, most=2000):
    """Refined sample size with the expected best of k initial subnetworks, interpolated as the estimand."""
    target = least_of(np.sort(initial), np.array([k]))[0][0]
    curve = least_of(np.sort(refined), np.arange(1, most + 1))[0] - target
    m = int(np.flatnonzero(curve <= 0)[0]) + 1
    if m == 1:
        return 1.0
    return float(np.exp(np.interp(0, [-curve[m - 2], -curve[m - 1]], np.log([m - 1, m]))))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("n", "k"), [(60, 15), (200, 50), (1000, 100)])
def test_the_interval_of_the_factor_covers(name, n, k):
    initial, refined = PAIRS[name]
    truth = k / true_draws(initial(np.random.default_rng(9), 400_001), refined(np.random.default_rng(8), 400_001), k)
    rng, repeats = np.random.default_rng(n), 200
    covered = claimed = 0
    for _ in range(repeats):
        found = compute_saved([(initial(rng, n), refined(rng, n))], k=k)
        covered += found.factor.low <= truth <= found.factor.high
        claimed += found.saves
    assert covered >= stats.binom.ppf(1e-3, repeats, 0.93)
    if truth < 1.02:
        assert claimed <= stats.binom.ppf(1 - 1e-3, repeats, 0.035)


TRUTHS = {
    "u": lambda x: 0.12 * x**2,
    "asymmetric": lambda x: 0.03 * (np.exp(-3 * x) + 3 * x),
    "flat": lambda x: 0 * x,
    "straight": lambda x: -0.03 * x,
    "exponential": lambda x: 0.05 * np.exp(-2 * x),
}
BOTTOM = {"u": 0.0, "asymmetric": 0.0}


def draw(truth, rng, n, low=-1.0, high=1.0):
    x = rng.uniform(max(low, -1), min(high, 1), n)
    return x, 0.2 + truth(x) + 0.02 * rng.standard_normal(n)


@pytest.mark.parametrize("name", TRUTHS)
def test_the_loop_recovers_the_optimum_covers_its_saving_and_claims_none_that_is_not_there(name):
    truth, repeats, n, k = TRUTHS[name], 50, 120, 30
    rng = np.random.default_rng(1)
    whole = np.sort(draw(truth, np.random.default_rng(9), 100_001)[1])
    bands = inside = covered = claimed = 0
    for _ in range(repeats):
        x, y = draw(truth, rng, n)
        params = np.round(1e6 * np.exp(-x)).astype(int)
        frame = pd.DataFrame({"subnetwork": [str(i) for i in range(n)], "flops": 10**8, "params": params, "error": y})
        made = refine(Space("s", Independent()), find_optimum(frame, rng=rng), frame)
        if made.kind != "band":
            continue
        bands += 1
        low, high = np.log(made.band.low / 100), np.log(made.band.high / 100)
        inside += name in BOTTOM and low <= BOTTOM[name] <= high
        fresh, refined = draw(truth, rng, n)[1], draw(truth, rng, n, low, high)[1]
        found = compute_saved([(fresh, refined)], k=k)
        exact = k / true_draws(whole, draw(truth, np.random.default_rng(8), 40_001, low, high)[1], k)
        covered += found.factor.low <= exact <= found.factor.high
        claimed += found.saves
    if name in BOTTOM:
        assert bands >= 0.8 * repeats
        assert inside >= stats.binom.ppf(1e-3, bands, 0.93)
        assert covered >= stats.binom.ppf(1e-3, bands, 0.93)
    else:
        assert claimed <= stats.binom.ppf(1 - 1e-3, repeats, 0.05)
        assert bands <= stats.binom.ppf(1 - 1e-3, repeats, 0.05)
