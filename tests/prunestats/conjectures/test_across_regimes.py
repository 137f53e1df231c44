"""Does the optimum shift with the regime: theory, limits of the data, refusals."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.conjectures.across_regimes import optimum_across_regimes, regime_trend
from prunestats.conjectures.regime_optima import optima_of_regimes
from prunestats.errors import InputError, ResultsError
from prunestats.optimum.optimum import find_optimum

Z = stats.norm.isf(0.025)


def runs(power, *, regimes=(0.5, 0.25, 0.125), n=100, noise=0.005, seed=0):
    """Optimum at 100 x (regime / 0.5)^power in every regime, ratios log-uniform around it."""
    rng = np.random.default_rng(seed)
    parts = []
    for regime in regimes:
        u = rng.uniform(-0.7, 0.7, n)
        flops = round(2_000_000 * regime)
        params = np.round(flops / (100 * (regime / 0.5) ** power * np.exp(u))).astype(int)
        error = 0.1 + 0.1 * u**2 + noise * rng.standard_normal(n)
        parts.append(pd.DataFrame({"flops": flops, "params": params, "error": error, "regime": regime}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(subnetwork=frame.index.astype(str))


@pytest.fixture(scope="module")
def made():
    one = find_optimum(runs(0.0, regimes=(0.5,)))

    def make(points):
        return {
            regime: dataclasses.replace(
                one, verdict="interior", ratio=np.exp(y), low=np.exp(y - Z * se), high=np.exp(y + Z * se)
            )
            for regime, (y, se) in points.items()
        }

    return make


def test_a_shifting_optimum_has_a_significant_slope():
    found = optimum_across_regimes(runs(0.5), rng=np.random.default_rng(0))
    assert found.regimes == (0.5, 0.25, 0.125)
    assert found.n_estimates == 3
    assert abs(found.slope.value - 0.5) < 2 * (found.slope.high - found.slope.value)
    assert found.halving.value == pytest.approx(0.5**found.slope.value)
    assert found.halving.low < found.halving.value < found.halving.high < 1
    assert found.equality_p < 1e-6
    assert found.line_p > 0.001
    assert "halving=" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_same_seed_gives_the_same_bits():
    frame = runs(0.2)
    one, two = (optimum_across_regimes(frame, rng=np.random.default_rng(5)).to_dict() for _ in range(2))
    assert one == two


def test_the_line_is_weighted_least_squares_with_known_errors(made):
    points = {0.75: (4.7, 0.05), 0.5: (4.6, 0.02), 0.25: (4.35, 0.1), 0.1: (4.3, 0.04)}
    found = regime_trend(made(points))
    y, se = np.array(list(points.values())).T
    x = np.log(list(points))
    (slope, intercept), covariance = np.polyfit(x, y, 1, w=1 / se, cov="unscaled")
    error = np.sqrt(covariance[0, 0])
    assert (found.slope.value, found.slope.low) == pytest.approx((slope, slope - Z * error))
    assert found.slope_p == pytest.approx(2 * stats.norm.sf(abs(slope) / error))
    residual_q = (((y - intercept - slope * x) / se) ** 2).sum()
    total_q = (((y - np.average(y, weights=1 / se**2)) / se) ** 2).sum()
    assert found.line_p == pytest.approx(stats.chi2.sf(residual_q, 2))
    assert found.equality_p == pytest.approx(stats.chi2.sf(total_q, 3))


def test_an_optimum_of_several_regimes_is_that_of_its_regime_alone():
    frame, settings = runs(0.2), {"bucket": 1, "response": "error", "level": 0.95}
    found = optima_of_regimes(frame, rng=np.random.default_rng(5), **settings)
    assert list(found) == [0.5, 0.25, 0.125]
    for regime, optimum in found.items():
        alone = find_optimum(frame[frame["regime"] == regime], rng=np.random.default_rng(5), **settings)
        assert optimum.to_dict() == alone.to_dict()
    assert list(optima_of_regimes(frame[:100].drop(columns="regime"), rng=None, **settings)) == [None]


def test_two_regimes_are_a_difference(made):
    found = regime_trend(made({0.5: (4.6, 0.03), 0.25: (4.5, 0.04)}))
    assert found.halving.value == pytest.approx(np.exp(-0.1))
    assert found.slope_p == pytest.approx(2 * stats.norm.sf(0.1 / 0.05))
    assert found.equality_p == pytest.approx(found.slope_p)
    assert np.isnan(found.line_p)
    assert any("a third regime would test linearity" in note for note in found.notes)


def test_a_curve_is_rejected_as_a_line(made):
    found = regime_trend(made({0.8: (4.6, 0.01), 0.4: (4.2, 0.01), 0.2: (4.6, 0.01)}))
    assert found.slope_p > 0.5
    assert found.line_p < 1e-6
    assert found.equality_p < 1e-6


@pytest.mark.parametrize(("kept", "words"), [(1, "1 of 3 regimes has an optimum"), (0, "0 of 3 regimes have")])
def test_fewer_than_two_optima_give_no_slope(made, kept, words):
    optima = made({0.75: (4.7, 0.05), 0.5: (4.6, 0.02), 0.25: (4.35, 0.1)})
    for regime in list(optima)[kept:]:
        optima[regime] = dataclasses.replace(optima[regime], verdict="edge")
    found = regime_trend(optima)
    assert (found.slope, found.halving, found.n_estimates) == (None, None, kept)
    assert np.isnan(found.equality_p)
    assert f"{3 - kept} of 3 without an estimate" in found.notes[0]
    assert found.notes[-1].startswith(words)
    json.dumps(found.to_dict(), allow_nan=False)


def test_sampled_ratios_without_an_overlap_are_noted(made):
    optima = made({0.5: (4.6, 0.03), 0.25: (3.6, 0.04), 0.125: (3.6, 0.04)})
    optima[0.25] = dataclasses.replace(optima[0.25], ratio_q10=20.0, ratio_q90=45.0)
    assert any("could not have been found" in note for note in regime_trend(optima).notes)


def test_frames_without_regimes_are_refused(made):
    frame = runs(0.0)
    with pytest.raises(ResultsError, match="needs two regimes; found 1"):
        optimum_across_regimes(frame[frame["regime"] == 0.5])
    with pytest.raises(ResultsError, match="needs two regimes; found 0"):
        optimum_across_regimes(frame.drop(columns="regime"))
    with pytest.raises(ResultsError, match="found 100 runs without"):
        optimum_across_regimes(frame.assign(regime=frame["regime"].where(frame["regime"] != 0.5)))
    with pytest.raises(InputError, match="found none"):
        regime_trend({})
    with pytest.raises(InputError, match="above 0; found 0"):
        regime_trend({0.0: next(iter(made({0.5: (4.6, 0.1)}).values()))})
