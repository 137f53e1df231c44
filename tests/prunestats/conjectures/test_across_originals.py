"""Meta-regression of the optima of several originals: golden values of metafor, theory, exclusions, refusals."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import prunestats as ps
from prunestats.conjectures.across_originals import meta_optimum
from prunestats.conjectures.log_optima import log_optimum
from prunestats.conjectures.meta_regression import meta_regression, reml
from prunestats.conjectures.prediction_interval import predict_new
from prunestats.errors import InputError

GOLDEN, SILVER, BRONZE = 0.6180339887498949, 0.41421356237309515, 0.7320508075688772
Z = stats.norm.isf(0.025)


def weyl(n, step):
    return (np.arange(1, n + 1) * step) % 1


def sample():
    """Moderator, standard errors and noise of golden/meta.R."""
    return 4 + weyl(12, GOLDEN), 0.05 + 0.15 * weyl(12, BRONZE), stats.norm.ppf(weyl(12, SILVER))


def case(name):
    x, se, noise = sample()
    one = np.ones(12)
    return {
        "line": (1 + 0.8 * x + 0.2 * noise, se, np.column_stack([one, x])),
        "mean": (1 + 0.2 * noise, se, one[:, None]),
        "none": (1 + 0.03 * noise, se, one[:, None]),
    }[name]


@pytest.fixture(scope="module")
def one_optimum():
    rng = np.random.default_rng(0)
    params = rng.integers(5_000, 20_000, 80)
    frame = pd.DataFrame({"subnetwork": np.arange(80).astype(str), "flops": 10**6, "params": params})
    return ps.find_optimum(frame.assign(error=0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.01 * rng.random(80)))


@pytest.fixture(scope="module")
def optima(one_optimum):
    """Optima with chosen log ratios and standard errors."""

    def make(y, se, **changes):
        return [
            dataclasses.replace(
                one_optimum,
                verdict="interior",
                ratio=np.exp(center),
                low=np.exp(center - Z * width),
                high=np.exp(center + Z * width),
                **changes,
            )
            for center, width in zip(y, np.broadcast_to(se, np.shape(y)), strict=True)
        ]

    return make


@pytest.mark.parametrize("name", ["line", "mean", "none"])
def test_the_line_is_metafors(golden, name):
    r = {key.removeprefix(f"{name}."): value for key, value in golden("meta").items() if key.startswith(f"{name}.")}
    y, se, design = case(name)
    fit = meta_regression(y, se, design)
    for i in range(design.shape[1]):
        interval, p = fit.coefficient(i, 0.95)
        assert (interval.value, interval.low) == pytest.approx((r[f"b{i}"], r[f"low{i}"]), rel=1e-6)
        assert p == pytest.approx(r[f"p{i}"], rel=1e-5)
    found = (fit.tau2.value, fit.tau2.low, fit.tau2.high, fit.tau2_dl, fit.i2, fit.q, fit.q_p)
    names = ("tau2", "tau2.low", "tau2.high", "dl", "i2", "q", "q.p")
    assert found == pytest.approx(tuple(r[key] for key in names), rel=1e-6, abs=1e-9)
    row = np.array([1, 4.6])[: design.shape[1]]
    mean, new = fit.mean(row, 0.95), fit.mean(row, 0.95, extra_variance=fit.tau2.value)
    assert (mean.value, mean.low, mean.high) == pytest.approx((r["at"], r["at.low"], r["at.high"]), rel=1e-6)
    assert (new.low, new.high) == pytest.approx((r["new.low"], r["new.high"]), rel=1e-6)


def test_two_levels_are_metafors(golden):
    r = golden("meta")
    x, se, noise = sample()
    groups, w, z = np.repeat(np.arange(4), 3), np.repeat(x[:4], 3), np.tile(np.log([0.25, 0.5, 0.75]), 4)
    y = 0.5 * w - 0.4 * z + 0.8 * stats.norm.ppf(weyl(4, SILVER))[groups] + 0.2 * noise
    fit = meta_regression(y, se, np.column_stack([np.ones(12), w, z]), groups)
    assert fit.tau2.value == pytest.approx(r["two.tau2.between"], rel=1e-3)
    assert fit.tau2_within == pytest.approx(r["two.tau2.within"], rel=1e-3)
    assert fit.coefficients == pytest.approx([r[f"two.b{i}"] for i in range(3)], rel=1e-3)
    factors = np.diag(fit.covariance) / np.array([r[f"two.se{i}"] for i in range(3)]) ** 2
    assert factors == pytest.approx(np.full(3, factors[0]), rel=1e-3)
    assert fit.df.tolist() == [2, 2, 7]


def test_equal_standard_errors_give_the_t_interval():
    y = np.array([1.0, 1.3, 0.8, 1.7, 1.1])
    fit = meta_regression(y, np.full(5, 0.1), np.ones((5, 1)))
    interval, p = fit.coefficient(0, 0.95)
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 4, y.mean(), stats.sem(y)))
    assert p == pytest.approx(stats.ttest_1samp(y, 0).pvalue)
    assert fit.tau2.value == pytest.approx(y.var(ddof=1) - 0.01)
    assert fit.tau2_dl == pytest.approx(fit.tau2.value)


def test_dersimonian_and_laird_equals_statsmodels():
    from statsmodels.stats.meta_analysis import combine_effects

    y, se, design = case("mean")
    theirs = combine_effects(y, se**2, method_re="dl")
    assert meta_regression(y, se, design).tau2_dl == pytest.approx(theirs.tau2, rel=1e-9)


@given(st.integers(0, 1000), st.sampled_from([0.5, 3.0]), st.sampled_from([-1.0, 2.0]))
@settings(max_examples=10, deadline=None)
def test_shift_scale_and_order(seed, scale, shift):
    rng = np.random.default_rng(seed)
    y, se, design = rng.normal(size=8), 0.2 + rng.random(8), np.column_stack([np.ones(8), rng.normal(size=8)])
    order = rng.permutation(8)
    one = meta_regression(y, se, design)
    two = meta_regression((scale * y + shift)[order], scale * se[order], design[order])
    assert two.tau2.value == pytest.approx(scale**2 * one.tau2.value, rel=1e-4, abs=1e-6)
    assert two.coefficients[1] == pytest.approx(scale * one.coefficients[1], rel=1e-4, abs=1e-6)
    assert two.i2 == pytest.approx(one.i2, rel=1e-4, abs=1e-5)


def test_the_restricted_likelihood_has_no_larger_value():
    y, se, design = case("line")
    best = reml(y, se**2, design, [np.eye(12)])[0]

    def loss(tau2):
        v = se**2 + tau2
        information = (design.T / v) @ design
        residuals = y - design @ np.linalg.solve(information, (design.T / v) @ y)
        return np.log(v).sum() + np.linalg.slogdet(information)[1] + (residuals**2 / v).sum()

    assert loss(best) <= min(loss(tau2) for tau2 in np.linspace(0, 1, 2001)) + 1e-9


def test_with_many_estimates_the_prediction_interval_is_that_of_the_true_distribution():
    rng = np.random.default_rng(0)
    y = 2 + 0.5 * rng.standard_normal(2000) + 0.1 * rng.standard_normal(2000)
    found = predict_new(y, np.full(2000, 0.01), np.ones((2000, 1)), np.ones(1), level=0.95)
    assert (found.low, found.high) == pytest.approx((2 - Z * 0.5, 2 + Z * 0.5), abs=0.05)


def test_the_prediction_interval_is_wider_than_with_tau_known():
    y, se, design = case("line")
    fit, row = meta_regression(y, se, design), np.array([1.0, 4.6])
    plug_in = fit.mean(row, 0.95, extra_variance=fit.tau2.value)
    found = predict_new(y, se**2, design, row, level=0.95)
    assert found.low < plug_in.low < plug_in.high < found.high


def test_the_standard_error_is_that_of_the_interval(optima):
    (found,) = optima([np.log(100)], 0.05)
    one = log_optimum(found, "m")
    assert (one.log_ratio, one.se, one.refusal) == (pytest.approx(np.log(100)), pytest.approx(0.05), "")


def test_the_optimum_follows_the_original(optima):
    rng = np.random.default_rng(1)
    ratios = np.geomspace(50, 400, 15)
    y = 1 + 0.8 * np.log(ratios) + 0.05 * rng.standard_normal(15)
    found = meta_optimum(optima(y + 0.02 * rng.standard_normal(15), 0.02), original_ratio=ratios)
    assert 0.8 in found.slope
    assert found.slope_p < 1e-6
    prediction = found.predict(200)
    assert np.exp(1) * 200**0.8 in prediction.mean
    assert prediction.new.low < prediction.mean.low < prediction.mean.high < prediction.new.high
    assert found.mean.value == pytest.approx(found.predict(np.exp(np.log(ratios).mean())).mean.value)
    assert found.notes == ()
    assert "slope=" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_without_a_moderator_there_is_a_mean(optima):
    found = meta_optimum(optima(np.log([90, 100, 110, 105, 95]), 0.03))
    assert (found.slope, found.regime_slope) == (None, None)
    assert np.isnan(found.slope_p)
    assert 100 in found.mean
    assert found.predict(7).mean == found.predict(700).mean


def test_optima_without_an_estimate_are_excluded_and_named(optima):
    every = optima(np.log([90, 100, 110, 105, 95, 97]), 0.03)
    every[1] = dataclasses.replace(every[1], verdict="monotone")
    every[3] = dataclasses.replace(every[3], verdict="edge")
    every[5] = dataclasses.replace(every[5], high=np.inf)
    found = meta_optimum(every, originals=list("abcdef"), original_ratio=[100, 120, 140, 160, 180, 200])
    assert (found.n_estimates, len(found.estimates)) == (3, 6)
    note = found.notes[0]
    assert note.startswith(
        "Excluded, 3 of 6 without an estimate: b (monotone); d (edge); f (interior, without a bounded"
    )
    assert "not at random" in note
    alone = meta_optimum([every[0], every[2], every[4]], original_ratio=[100, 140, 180])
    assert alone.slope == found.slope


def test_two_originals_are_not_enough(optima):
    found = meta_optimum(optima(np.log([90, 110]), 0.03), original_ratio=[100, 200])
    assert (found.fit, found.mean, found.new, found.slope) == (None, None, None, None)
    assert found.notes[-1].startswith("2 estimates of 2 originals: fewer than 3")
    with pytest.raises(InputError, match="a prediction needs optima of 3 originals; found 2"):
        found.predict(100)
    json.dumps(found.to_dict(), allow_nan=False)


def test_no_estimate_at_all_is_said(optima):
    none = [dataclasses.replace(one, verdict="flat") for one in optima([4.0, 4.1, 4.2], 0.1)]
    found = meta_optimum(none, original_ratio=[1, 2, 3])
    assert found.n_estimates == 0
    assert "0 estimates of 0 originals" in found.notes[-1]


def test_originals_of_one_ratio_have_no_slope(optima):
    found = meta_optimum(optima(np.log([90, 100, 110, 105]), 0.03), original_ratio=[100] * 4)
    assert found.slope is None
    assert found.mean is not None
    assert any("constant or collinear" in note for note in found.notes)


def test_regimes_of_one_original_are_not_independent_evidence(optima):
    rng = np.random.default_rng(2)
    m = 6
    tops = np.repeat(0.3 * rng.standard_normal(m), 3)
    fractions = np.tile([0.25, 0.5, 0.75], m)
    names = np.repeat(list("abcdef"), 3)
    y = 4.6 + tops - 0.5 * np.log(fractions) + 0.02 * rng.standard_normal(3 * m)
    every = optima(y, 0.02)
    found = meta_optimum(every, originals=names, regimes=fractions)
    alone = meta_optimum(every, regimes=fractions)
    assert (found.n_estimates, found.n_originals, alone.n_originals) == (18, 6, 18)
    assert -0.5 in found.regime_slope
    assert np.log(found.mean.high / found.mean.low) > 1.5 * np.log(alone.mean.high / alone.mean.low)
    assert np.ptp([found.regime_slope.low, found.regime_slope.high]) < 0.1
    assert found.estimates[0].name == "a at 0.25"
    two = meta_optimum(every[:6], originals=names[:6], regimes=fractions[:6])
    assert two.fit is None


def test_degrees_of_freedom_run_out(optima):
    found = meta_optimum(
        optima(np.log([90, 100, 110, 120]), 0.03),
        originals=list("aabc"),
        regimes=[0.5, 0.25, 0.5, 0.5],
    )
    assert found.fit is None
    assert "no residual degree of freedom" in found.notes[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"original_ratio": [1.0, 2.0]}, "original_ratio must have one entry an optimum; found 2 for 3 optima"),
        (
            {"original_ratio": [1.0, -2.0, 3.0]},
            "original_ratio must be numbers above 0, as logarithms are taken; found -2",
        ),
        ({"regimes": [0.5, 0.25, np.nan]}, "regimes must be numbers above 0"),
        ({"original_ratio": [1.0, None, 3.0]}, "above 0, as logarithms are taken; found None"),
        ({"original_ratio": [1.0, "2", 3.0]}, "above 0, as logarithms are taken; found 2"),
        ({"originals": ["a"]}, "originals must have one entry"),
        ({"level": 1.0}, "level must lie"),
    ],
)
def test_what_cannot_be_combined_is_refused(optima, arguments, words):
    with pytest.raises(InputError, match=words) as caught:
        meta_optimum(optima([4.0, 4.1, 4.2], 0.1), **arguments)
    assert "\n" not in str(caught.value)


def test_no_optimum_and_mixed_optima_are_refused(optima):
    with pytest.raises(InputError, match="found none"):
        meta_optimum([])
    mixed = [*optima([4.0, 4.1], 0.1), *optima([4.2], 0.1, bucket=1024)]
    with pytest.raises(InputError, match="optima must have one bucket to be combined; found 1, 1024"):
        meta_optimum(mixed)
    with pytest.raises(InputError, match="ratio of an original must be above 0; found -1"):
        meta_optimum(optima([4.0, 4.1, 4.2], 0.1)).predict(-1)
