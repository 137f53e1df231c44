"""Lower envelope and winners: golden values, every bootstrap sample visited, invariances, their place in an optimum."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunestats.optimum.lower_envelope import fit_envelope, quantile_regression
from prunestats.optimum.optimum import find_optimum
from prunestats.optimum.regression import points
from prunestats.optimum.winners_ratio import bootstrap_winners


@pytest.mark.parametrize("shape", ["u", "falls", "skewed"])
@pytest.mark.parametrize("quantile", [0.05, 0.1, 0.5])
def test_envelope_and_its_kernel_covariance_equal_quantreg(golden, golden_points, shape, quantile):
    r = golden("envelope")
    found = fit_envelope(golden_points(shape, n=300), quantile)
    name = f"{shape}.{quantile:g}"
    assert found.coefficients == pytest.approx([r[f"{name}.b{k}"] for k in range(3)], rel=1e-7)
    v = found.covariance
    assert [v[1, 1], v[1, 2], v[2, 2]] == pytest.approx([r[f"{name}.v{k}"] for k in ("11", "12", "22")], rel=1e-6)


def test_originals_are_fixed_effects_of_the_envelope_as_in_quantreg(golden, golden_points):
    r = golden("envelope")
    found = fit_envelope(golden_points("u", originals=True, n=300), 0.1)
    assert found.coefficients[1:] == pytest.approx([r["two_originals.b1"], r["two_originals.b2"]], rel=1e-6)


def test_large_samples_are_solved_exactly(golden, golden_points):
    r = golden("envelope")
    found = fit_envelope(golden_points("u", n=8000), 0.05)
    assert found.coefficients == pytest.approx([r[f"large.b{k}"] for k in range(3)], rel=1e-6)


@given(st.integers(0, 1000), st.sampled_from([0.05, 0.25, 0.5, 0.9]))
@settings(max_examples=25, deadline=None)
def test_a_quantile_regression_has_its_share_below(seed, quantile):
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(80), rng.normal(size=(80, 2))])
    y = rng.standard_t(2, 80)
    residuals = y - design @ quantile_regression(design, y, quantile)
    assert (residuals < -1e-9).sum() <= quantile * 80 + 1e-9
    assert (residuals <= 1e-9).sum() >= quantile * 80 - 1e-9


@given(st.integers(0, 1000), st.sampled_from([0.5, 4.0]), st.sampled_from([-1.0, 10.0]))
@settings(max_examples=15, deadline=None)
def test_shift_and_scale_of_the_response_move_no_vertex(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, 120)
    y = x**2 + 0.1 * rng.normal(size=120)
    one, other = fit_envelope(points(x, y), 0.1), fit_envelope(points(x, scale * y + shift), 0.1)
    assert other.optimum_ratio == pytest.approx(one.optimum_ratio, rel=1e-6)
    assert other.fieller.low == pytest.approx(one.fieller.low, rel=1e-6)
    won, same = bootstrap_winners(points(x, y)), bootstrap_winners(points(x, scale * y + shift))
    assert same.ratio == won.ratio


def test_too_few_subnetworks_have_no_envelope():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 150)
    assert fit_envelope(points(x, x**2 + rng.normal(size=150)), 0.05) is None
    assert fit_envelope(points(x, 0 * x), 0.1) is None
    assert fit_envelope(points(np.round(x), x), 0.1) is None


@given(st.lists(st.integers(0, 3), min_size=4, max_size=6), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_winners_are_those_of_all_bootstrap_samples(errors, draws):
    n = len(errors)
    found = bootstrap_winners(points(np.arange(n), errors), share=draws / n)
    expected = np.zeros(n)
    for sample in itertools.product(range(n), repeat=draws):
        least = min(errors[i] for i in sample)
        tied = [i for i in range(n) if errors[i] == least]
        expected[tied] += 1 / len(tied) / n**draws
    order = np.argsort(found.ratios)
    assert found.chances[order] == pytest.approx(expected, abs=1e-9)
    assert found.low <= found.ratio <= found.high


def test_the_range_is_that_of_a_bootstrap_with_draws():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, 400), rng.normal(size=400)
    found = bootstrap_winners(points(x, y))
    picks = rng.integers(0, 400, (4000, 100))
    best = np.exp(x[picks[np.arange(4000), y[picks].argmin(axis=1)]])
    for ratio, chance in zip(found.ratios[:5], found.chances[:5], strict=True):
        assert abs(np.isclose(best, ratio).mean() - chance) < 4 * np.sqrt(chance / 4000)
    assert (best <= found.ratio * (1 + 1e-9)).mean() > 0.47
    assert (best < found.ratio * (1 - 1e-9)).mean() < 0.53
    share = ((best >= found.low) & (best <= found.high)).mean()
    assert share >= stats.binom.ppf(1e-4, 4000, 0.95) / 4000
    assert found.chances.sum() == pytest.approx(1, abs=1e-8)


def test_winners_of_several_originals_are_compared_within_each():
    x, y = np.arange(8.0), np.array([0.1, 0.2, 0.3, 0.4] * 2)
    found = bootstrap_winners(points(x, y + np.repeat([0.0, 5.0], 4), np.repeat(["a", "b"], 4)), share=0.5)
    assert np.log(found.ratios[:2]).tolist() == [0.0, 4.0]
    assert found.chances[0] == found.chances[1]
    assert bootstrap_winners(points(x[:4], y[:4])) is None


def test_an_optimum_has_both_and_its_verdict_none_of_them():
    rng = np.random.default_rng(0)
    params = rng.integers(5_000, 20_000, 300)
    frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(300)], "flops": 1_000_000, "params": params})
    frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.005 * rng.standard_normal(300)
    found = find_optimum(frame)
    assert [part.quantile for part in found.envelope] == [0.05, 0.1]
    assert all(100 in part.fieller for part in found.envelope)
    assert found.winners.low < 100 < found.winners.high
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["envelope"][0]["quantile"] == 0.05
    assert "Envelope(quantile=0.05" in repr(found.envelope)
    assert repr(found.winners).startswith("Winners(ratio=")
    few = find_optimum(frame[:60])
    assert few.envelope == ()
