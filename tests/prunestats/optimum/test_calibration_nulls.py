"""Rejection rates of tests of equal populations under the null; slow."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from prunestats.comparison.dominance import dominance
from prunestats.comparison.equal_flops import binned_difference
from prunestats.comparison.permutation_tests import anderson_darling, distribution_tests
from prunestats.comparison.stratified import probability_less, strata_of

pytestmark = pytest.mark.slow

R, FEW = 400, 100
POPULATIONS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "skewed": lambda rng, n: rng.lognormal(0, 0.8, n),
    "ties": lambda rng, n: np.round((0.1 + 0.02 * rng.standard_normal(n)) * 360) * 0.15,
}


def at_least(count, nominal, of=R):
    """Whether a count is not significantly (at 1e-4) below its nominal rate."""
    return count >= stats.binom.ppf(1e-4, of, nominal)


def at_most(count, nominal, of=R):
    return count <= stats.binom.ppf(1 - 1e-4, of, nominal)


@pytest.mark.parametrize(
    ("name", "n"), [(name, n) for name in POPULATIONS for n in (20, 60, 200)] + [("heavy tails", 1000), ("ties", 1000)]
)
def test_tests_of_equal_populations_reject_rarely_enough(name, n):
    runs = FEW if n == 1000 else R
    rng = np.random.default_rng(n)
    rejected = dict.fromkeys(("munzel", "smirnov", "darling", "binned"), 0)
    spread = POPULATIONS[name](np.random.default_rng(5), 100_000).std()
    claims = dict.fromkeys(("a", "b", "neither", "undecided"), 0)
    for _ in range(runs):
        a, b = POPULATIONS[name](rng, n), POPULATIONS[name](rng, n)
        strata = strata_of([(a, b)])
        tests = distribution_tests(strata, rng=rng)
        # FLOPs differ, and errors follow them: at equal FLOPs the populations are the same
        at = [
            SimpleNamespace(values=x + 2 * spread * f, flops=f)
            for x, f in ((a, rng.random(n)), (b, rng.random(n) ** 1.2))
        ]
        rejected["munzel"] += probability_less(strata, level=0.95)[1] < 0.05
        rejected["smirnov"] += tests.ks_p < 0.05
        rejected["darling"] += tests.ad_p <= 0.05
        rejected["binned"] += binned_difference([at], level=0.95, rng=rng).p <= 0.05
        claims[dominance(strata, tests, level=0.95)] += 1
    print(name, n, rejected, claims)
    assert at_most(rejected["munzel"], 0.055, runs)
    assert at_most(rejected["smirnov"], 0.05, runs)
    assert at_most(rejected["darling"], 0.05, runs)
    # FLOPs that still differ within a bin are left in
    assert at_most(rejected["binned"], 0.06, runs)
    assert at_most(claims["a"] + claims["b"], 0.01, runs)
    assert at_most(claims["neither"], 0.05, runs)


def test_stratified_permutations_reject_at_their_level():
    rng = np.random.default_rng(1)
    smirnov = darling = several = 0
    for _ in range(R):
        samples = [[rng.random(n) + k for n in (15, 10, 12)] for k in range(3)]
        found = distribution_tests(strata_of([(a, b) for a, b, _ in samples]), rng=rng)
        smirnov += found.ks_p <= 0.05
        darling += found.ad_p <= 0.05
        several += anderson_darling(samples, rng=rng)[1] <= 0.05
    for rejected in (smirnov, darling, several):
        assert at_most(rejected, 0.05)
        assert at_least(rejected, 0.05)
