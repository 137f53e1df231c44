"""Error rates and coverage of the verdict in simulations, marked slow; see docs/methods/verdict-rules.md."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from prunestats.optimum.fits import fit_all
from prunestats.optimum.flatness import flatness
from prunestats.optimum.lack_of_fit import lack_of_fit
from prunestats.optimum.lind_mehlum import lind_mehlum
from prunestats.optimum.quadratic import fit_quadratic
from prunestats.optimum.regression import points
from prunestats.optimum.two_lines import fit_two_lines
from prunestats.optimum.verdict import judge

pytestmark = pytest.mark.slow

NOISE_SD = 0.5
RATIOS = {
    "uniform": (lambda rng, n: rng.uniform(-1, 1, n), lambda q: 2 * q - 1),
    "skewed": (lambda rng, n: 2 * rng.beta(1.5, 4, n) - 1, lambda q: 2 * stats.beta.ppf(q, 1.5, 4) - 1),
}
NOISES = {
    "gauss": lambda rng, x: rng.standard_normal(x.size),
    "skewed": lambda rng, x: (rng.lognormal(0, 0.8, x.size) - np.exp(0.32)) / 1.3,
    "unequal": lambda rng, x: rng.standard_normal(x.size) * np.exp(-0.8 * x) / 1.1,
    "heavy": lambda rng, x: rng.standard_t(3, x.size) / np.sqrt(3),
}


def u_at(share, strength):
    """A parabola with its minimum at a quantile of the ratios."""

    def make(x, quantile):
        width = quantile(0.9) - quantile(0.1)
        return strength * ((x - quantile(share)) / width) ** 2, quantile(share)

    return make


def smooth_asymmetric(x, quantile):
    u = 3 * (x - quantile(0.3)) / (quantile(0.9) - quantile(0.1))
    return 1.05 * (np.exp(-2 * u) - 2 * np.exp(-u)), quantile(0.3)


def v_shaped(x, quantile):
    u = (x - quantile(0.3)) / (quantile(0.9) - quantile(0.1))
    return np.where(u < 0, -8 * u, 2 * u), quantile(0.3)


def v_shallow(x, quantile):
    u = (x - quantile(0.3)) / (quantile(0.9) - quantile(0.1))
    return np.where(u < 0, -3.2 * u, 0.8 * u), quantile(0.3)


def wells(apart, depth=1.0, narrow=1.0):
    """Two wells in a shallow bowl; its global minima, two when they are equally deep and wide."""

    def make(x, quantile):
        width, center = quantile(0.9) - quantile(0.1), (quantile(0.1) + quantile(0.9)) / 2
        centers = center + apart * width * np.array([-1, 1])

        def curve(at):
            left = np.exp(-(((at - centers[0]) / (0.16 * width)) ** 2) / 2)
            right = np.exp(-(((at - centers[1]) / (0.16 * narrow * width)) ** 2) / 2)
            return 0.6 * ((at - center) / width) ** 2 - 2 * left - 2 * depth * right

        near = centers[:, None] + np.linspace(-0.2, 0.2, 2001) * width
        values = curve(near)
        minima = near[[0, 1], values.argmin(axis=1)]
        deep = values.min(axis=1)
        return curve(x), minima if depth == narrow == 1 else minima[[deep.argmin()]]

    return make


def w_shaped(x, quantile):
    """A W of straight lines with two equal minima."""
    width, center = quantile(0.9) - quantile(0.1), (quantile(0.1) + quantile(0.9)) / 2
    return 6 * np.abs(np.abs(x - center) / width - 0.25), center + 0.25 * width * np.array([-1, 1])


def exponential_u(k, strength):
    """A smooth U, steeper towards large ratios: exp(k u) - k u - 1 with |k u| up to k at the ends of the range."""

    def make(x, quantile):
        u = x - quantile(0.5)
        return strength * (np.exp(k * u) - k * u - 1) / k**2, quantile(0.5)

    return make


WELLS = {"equal": wells(0.3), "nearer": wells(0.25), "unequal": wells(0.3, 0.8), "W": w_shaped}
WITHOUT = {
    "straight": lambda x, quantile: (-x, None),
    "exponential": lambda x, quantile: (3 * np.exp(-2 * (x + 1)), None),
    "logarithmic": lambda x, quantile: (-np.log(x + 1.3), None),
    "falls, then flat": lambda x, quantile: (3 * np.maximum(quantile(0.5) - x, 0), None),
    "flat": lambda x, quantile: (0 * x, None),
    "bottom at 95 %": u_at(0.95, 6.0),
    "bottom at 92 %": u_at(0.92, 6.0),
}
WITH = {"symmetric": u_at(0.5, 8.0), "bottom at 30 %": u_at(0.3, 8.0), "asymmetric": smooth_asymmetric}
WITH |= {f"exponential {k:g}": exponential_u(k, 6.0) for k in (0.5, 1.0, 2.0)}


def samples(truth, n, repeats, seed=0):
    """Yield points and the true optimum, over all distributions of ratios and noise."""
    rng = np.random.default_rng([seed, n])
    for ratios, noise in itertools.islice(itertools.cycle(itertools.product(RATIOS, NOISES)), repeats):
        draw, quantile = RATIOS[ratios]
        x = draw(rng, n)
        curve, optimum = truth(x, quantile)
        yield points(x, curve + NOISE_SD * NOISES[noise](rng, x)), optimum, rng


def verdicts(truth, n, repeats):
    for data, optimum, rng in samples(truth, n, repeats):
        yield judge(data, fit_all(data, rng=rng)), optimum


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize("n", [20, 60, 200, 1000])
def test_the_rate_of_false_interior_is_at_most_five_percent(name, n):
    repeats = 160 if n < 1000 else 48
    false = sum(found.verdict == "interior" for found, _ in verdicts(WITHOUT[name], n, repeats))
    assert false <= stats.binom.ppf(0.999, repeats, 0.05)


@pytest.mark.parametrize("name", WITH)
@pytest.mark.parametrize("n", [20, 60, 200, 1000])
def test_the_reported_interval_covers_given_an_interior_verdict(name, n):
    said = covered = 0
    for found, optimum in verdicts(WITH[name], n, 160 if n < 1000 else 48):
        if found.verdict == "interior":
            said += 1
            covered += found.estimate.low <= np.exp(optimum) <= found.estimate.high
    assert said >= 15
    assert covered >= stats.binom.ppf(0.001, said, 0.93)


@pytest.mark.parametrize("truth", [v_shaped, v_shallow])
@pytest.mark.parametrize(("n", "nominal"), [(60, 0.93), (200, 0.93)])
def test_the_reported_interval_covers_the_kink_of_a_v(truth, n, nominal):
    found = [(f, optimum) for f, optimum in verdicts(truth, n, 160) if f.verdict == "interior"]
    covered = sum(f.estimate.low <= np.exp(optimum) <= f.estimate.high for f, optimum in found)
    assert covered >= stats.binom.ppf(0.001, len(found), nominal)


@pytest.mark.parametrize("name", WELLS)
@pytest.mark.parametrize("n", [60, 200, 1000])
def test_the_reported_set_covers_both_basins_or_the_deeper_one(name, n):
    repeats = 120 if n < 1000 else 64
    reported = covered = single = 0
    for found, minima in verdicts(WELLS[name], n, repeats):
        if found.estimate is not None:
            reported += 1
            pieces = found.estimate.pieces
            covered += all(any(low <= np.exp(at) <= high for low, high in pieces) for at in minima)
            single += not np.isnan(found.estimate.ratio)
    assert reported >= 0.85 * repeats
    assert covered >= stats.binom.ppf(0.001, reported, 0.92)
    # with equal depths the share of one basin is uniform, and outside 10 % to 90 % one time in five
    if name != "unequal":
        assert single <= stats.binom.ppf(0.999, reported, 0.35 if n == 60 else 0.2)


@pytest.mark.parametrize(
    ("name", "n", "power"), [("symmetric", 60, 0.9), ("symmetric", 120, 0.95), ("bottom at 30 %", 200, 0.75)]
)
def test_a_real_u_is_found(name, n, power):
    repeats = 100
    found = sum(f.verdict == "interior" for f, _ in verdicts(WITH[name], n, repeats))
    assert found >= stats.binom.ppf(0.001, repeats, power)


def test_flat_and_monotone_have_power_where_they_are_true():
    flat = [f.verdict for f, _ in verdicts(WITHOUT["flat"], 200, 100)]
    monotone = [f.verdict for f, _ in verdicts(WITHOUT["straight"], 200, 100)]
    assert flat.count("flat") >= 75
    assert monotone.count("monotone") >= 80
    assert flat.count("monotone") + flat.count("edge") + flat.count("interior") <= stats.binom.ppf(0.999, 100, 0.06)


@pytest.mark.parametrize("n", [20, 60, 200])
def test_tests_and_intervals_keep_their_levels_under_the_null(n):
    repeats = 400
    fieller = band = misfit = straight = bound = 0
    for data, optimum, _ in samples(u_at(0.5, 8.0), n, repeats):
        quadratic = fit_quadratic(data)
        fieller += np.exp(optimum) in quadratic.fieller
        _, low, high = quadratic.predict([np.exp(optimum)])
        band += low[0] <= 0 <= high[0]
        misfit += lack_of_fit(data).p < 0.05
    for data, _, _ in samples(WITHOUT["straight"], n, repeats):
        straight += lind_mehlum(fit_quadratic(data), data.x.min(), data.x.max()).p < 0.05
    for data, _, _ in samples(lambda x, quantile: (0.3 * x, None), n, repeats):
        truth = 0.09 * data.x.var() / (0.09 * data.x.var() + NOISE_SD**2)
        bound += flatness(data).r2_upper >= truth
    # with four times the noise at one end and n = 20 HC3 is slightly anticonservative
    floor = stats.binom.ppf(1e-4, repeats, 0.93)
    assert fieller >= floor
    assert band >= floor
    assert bound >= floor
    assert misfit <= stats.binom.ppf(1 - 1e-4, repeats, 0.06)
    assert straight <= stats.binom.ppf(1 - 1e-4, repeats, 0.05)


@pytest.mark.parametrize("name", ["straight", "exponential", "logarithmic", "flat"])
@pytest.mark.parametrize("n", [20, 60, 200])
def test_two_lines_find_no_u_where_there_is_none(name, n):
    repeats = 200
    false = sum(fit_two_lines(data).u_shaped for data, _, _ in samples(WITHOUT[name], n, repeats))
    assert false <= stats.binom.ppf(0.999, repeats, 0.05)


def test_lind_mehlum_finds_a_u_in_a_curved_monotone_truth_so_it_does_not_enter_the_verdict():
    repeats = 100
    false = 0
    for data, _, _ in samples(WITHOUT["exponential"], 200, repeats):
        false += lind_mehlum(fit_quadratic(data), data.x.min(), data.x.max()).p < 0.05
    assert false > 50
