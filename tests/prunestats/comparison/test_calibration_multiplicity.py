"""Family-wise error, simultaneous coverage, and false and true claims of dominance. Simulations, marked slow."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from prunestats.comparison.dominance import dominance
from prunestats.comparison.multiplicity import Contrast, holm, simultaneous_intervals
from prunestats.comparison.permutation_tests import distribution_tests
from prunestats.comparison.stratified import mean_difference, mean_parts, probability_less, strata_of

pytestmark = pytest.mark.slow

R, FEW = 300, 120
POPULATIONS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "skewed": lambda rng, n: rng.lognormal(0, 0.8, n),
    "ties": lambda rng, n: np.round(4 * rng.standard_normal(n)) / 4,
}


def at_least(count, promised, of=R):
    """Whether a count is not significantly (p = 1e-4) below the nominal share."""
    return count >= stats.binom.ppf(1e-4, of, promised)


def at_most(count, promised, of=R):
    return count <= stats.binom.ppf(1 - 1e-4, of, promised)


@pytest.mark.parametrize("n", [20, 60, 200, 1000])
def test_dominance_is_not_claimed_where_there_is_none(n):
    """The functions touch in the middle; they cross; a's is above everywhere."""
    rng = np.random.default_rng(n)
    touching = crossing = wrong = 0
    for _ in range(FEW):
        a = rng.random(n)
        b = rng.random(n)
        # b is worse below and above one half; at one half the functions are equal
        worse = np.where(b < 0.5, 0.5 - (0.5 - b) ** 2 * 2, 1 - (1 - b) ** 2 * 2)
        for which, other in (("touching", worse), ("crossing", 0.5 + 0.6 * (b - 0.5)), ("above", b + 0.2)):
            strata = strata_of([(a, other)])
            verdict = dominance(strata, distribution_tests(strata, rng=rng), level=0.95)
            touching += which == "touching" and verdict == "a"
            crossing += which == "crossing" and verdict in ("a", "b")
            wrong += which == "above" and verdict in ("b", "neither")
    print(n, touching / FEW, crossing / FEW, wrong / FEW)
    assert at_most(touching, 0.05, FEW)
    assert at_most(crossing, 0.05, FEW)
    assert at_most(wrong, 0.05, FEW)


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("n", [20, 60, 200, 1000])
def test_families_keep_their_level(name, n):
    """Holm: any false rejection among ten pairs of five equal populations; max-T: all ten intervals cover."""
    rng = np.random.default_rng(n)
    any_rejected = all_held = 0
    for _ in range(R):
        samples = [np.sort(POPULATIONS[name](rng, n)) for _ in range(5)]
        contrasts, p = [], []
        for i, j in combinations(range(5), 2):
            strata = strata_of([(samples[i], samples[j])])
            p.append(probability_less(strata, level=0.95)[1])
            value = mean_difference(strata, level=0.95).value
            contrasts.append(Contrast(value, (i, j), (1.0, -1.0), mean_parts(strata)))
        any_rejected += holm(p).min() <= 0.05
        all_held += all(0 in one for one in simultaneous_intervals(contrasts, level=0.95, rng=rng))
    print(name, n, any_rejected / R, all_held / R)
    assert at_most(any_rejected, 0.055)
    assert at_least(all_held, 0.94)
    # pairs share populations: intervals that ignored the dependence would be conservative
    assert at_most(all_held, 0.98)


@pytest.mark.parametrize(("n", "shift", "least"), [(200, 0.5, 0.35), (200, 1.0, 0.95), (60, 1.0, 0.3)])
def test_dominance_is_found_where_it_is_large(n, shift, least):
    rng = np.random.default_rng(n)
    found = 0
    for _ in range(FEW):
        strata = strata_of([(rng.standard_normal(n), rng.standard_normal(n) + shift)])
        found += dominance(strata, distribution_tests(strata, rng=rng), level=0.95) == "a"
    print(n, shift, found / FEW)
    assert at_least(found, least, FEW)
