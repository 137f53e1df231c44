"""The optimum: verdicts on simple mean responses, invariances, refused input, and the reasons."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunestats.errors import InputError, ResultsError
from prunestats.optimum.optimum import find_optimum
from prunestats.optimum.points import ratio_points
from prunestats.optimum.quadratic import fit_quadratic
from prunestats.optimum.regression import points
from prunestats.results.means import unit_means

BEST = 100.0


def population(curve, n=200, *, noise=0.004, seed=0, spread=0.7):
    """Subnetworks of 1 M FLOPs whose error is `curve` of log(ratio / 100)."""
    rng = np.random.default_rng(seed)
    params = np.round(1_000_000 / (BEST * np.exp(rng.uniform(-spread, spread, n)))).astype(int)
    u = np.log(1_000_000 / params / BEST)
    error = np.clip(0.2 + curve(u) + noise * rng.standard_normal(n), 0, 1)
    return pd.DataFrame(
        {"subnetwork": [f"s{i:04d}" for i in range(n)], "flops": 1_000_000, "params": params, "error": error}
    )


def rng():
    return np.random.default_rng(42)


@pytest.mark.parametrize(
    ("curve", "verdict"),
    [
        (lambda u: 0.1 * u**2, "interior"),
        (lambda u: 0.03 * np.where(u < 0, -2 * u, u), "interior"),
        (lambda u: 0.03 * (np.exp(-3 * u) + 3 * u), "interior"),
        (lambda u: 0.1 * (u - 0.6) ** 2, "edge"),
        (lambda u: 0.1 * (u + 0.6) ** 2, "edge"),
        (lambda u: -0.1 * u**2, "edge"),
        (lambda u: -0.05 * u, "monotone"),
        (lambda u: 0.05 * u, "monotone"),
        (lambda u: 0.0 * u, "flat"),
    ],
)
def test_verdicts_on_simple_mean_responses(curve, verdict):
    found = find_optimum(population(curve), rng=rng())
    assert found.verdict == verdict
    if verdict == "interior":
        assert found.low < BEST < found.high
    if verdict in ("monotone", "flat"):
        assert np.isnan([found.ratio, found.low, found.high]).all()
        assert found.believed is None


def test_a_fitting_quadratic_is_reported_with_its_set_joined_to_the_cubics():
    found = find_optimum(population(lambda u: 0.1 * u**2), rng=rng())
    assert found.believed == "quadratic"
    fieller, cubic = found.quadratic.fieller, found.cubic
    assert found.ratio == found.quadratic.optimum_ratio
    assert (found.low, found.high) == (min(fieller.low, cubic.low), max(fieller.high, cubic.high))
    assert any("slope of a cubic is not significantly different from zero" in reason for reason in found.reasons)


@pytest.mark.parametrize("k", [0.5, 1.0, 1.5])
def test_an_undetected_asymmetry_does_not_move_the_optimum_out_of_the_interval(k):
    frame = population(lambda u: 0.1 * (np.exp(k * u) - k * u - 1) / k**2, noise=0)
    covered = said = 0
    for seed in range(20):
        noise = 0.01 * np.random.default_rng(seed).standard_normal(len(frame))
        found = find_optimum(frame.assign(error=frame["error"] + noise), rng=rng())
        if found.verdict == "interior":
            said += 1
            covered += found.low < BEST < found.high
    assert said >= 15
    # Fieller's set covers about half of the time at k = 0.5 and hardly ever at 1.5
    assert covered >= stats.binom.ppf(0.001, said, 0.93)


@pytest.mark.parametrize(
    ("curve", "verdict"),
    [
        (lambda u: 0.1 * u**2, "interior"),
        (lambda u: 0.1 * (np.exp(1.5 * u) - 1.5 * u), "interior"),
        (lambda u: 0.05 * u, "monotone"),
        (lambda u: np.where(np.arange(u.size) == 3, 0.4, 0.0), "flat"),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 1e-12])
def test_results_without_noise_get_a_verdict(curve, verdict, noise):
    found = find_optimum(population(curve, noise=noise), rng=rng())
    assert found.verdict == verdict
    if verdict == "interior":
        assert found.low <= BEST <= found.high


def test_on_an_asymmetric_u_the_spline_is_reported_and_the_quadratic_misses():
    found = find_optimum(population(lambda u: 0.03 * (np.exp(-3 * u) + 3 * u), n=400), rng=rng())
    assert found.believed == "spline"
    assert BEST not in found.quadratic.fieller
    assert found.low < BEST < found.high
    assert any("does not fit" in reason for reason in found.reasons)


def test_on_a_v_the_interval_covers_that_of_the_breakpoint():
    found = find_optimum(population(lambda u: 0.05 * np.where(u < 0, -4 * u, u), n=400), rng=rng())
    assert found.low <= found.corner.low < BEST < found.corner.high <= found.high
    assert any("broken-stick regression with its breakpoint" in reason for reason in found.reasons)


def test_two_basins_are_reported_without_a_single_ratio():
    found = find_optimum(population(lambda u: 0.05 * np.cos(9 * u) + 0.02 * u**2, n=400, noise=0.02), rng=rng())
    one, other = found.spline.basins
    assert one[0] < BEST * np.exp(-np.pi / 9) < one[1] < BEST < other[0] < BEST * np.exp(np.pi / 9) < other[1]
    assert one[2] + other[2] == pytest.approx(1)
    assert found.verdict == "unidentified"
    assert np.isnan(found.ratio)
    assert found.pieces == ((one[0], one[1]), (other[0], other[1]))
    assert (found.low, found.high) == (one[0], other[1])
    assert any("two separate basins, and no single ratio is reported" in reason for reason in found.reasons)
    assert "ratio=nan [" in repr(found)


def test_a_second_basin_that_is_significantly_worse_leaves_an_interior_optimum():
    found = find_optimum(population(lambda u: 0.05 * np.cos(9 * u) + 0.05 * u, n=400, noise=0.02), rng=rng())
    assert found.verdict == "interior"
    assert found.low < BEST * np.exp(-np.pi / 9 - 0.01) < found.high < BEST
    assert len(found.pieces) == 1


def test_an_inverted_u_has_two_basins_at_the_ends_and_no_single_ratio():
    found = find_optimum(population(lambda u: -0.1 * u**2), rng=rng())
    assert found.verdict == "edge"
    low, high = found.pieces
    assert low[1] < found.ratio_q10
    assert found.ratio_q90 < high[0]
    assert np.isnan(found.ratio)


def test_a_wave_without_curvature_is_not_flat():
    # several periods have almost no linear, quadratic, cubic or quartic component
    found = find_optimum(population(lambda u: 0.02 * np.cos(14 * u), n=60, noise=0.01), rng=rng())
    assert found.flatness.p > 0.05
    assert found.verdict == "unidentified"
    assert any("the spline explains" in reason for reason in found.reasons)


def test_one_basin_is_one():
    found = find_optimum(population(lambda u: 0.1 * u**2), rng=rng())
    ((low, high, share),) = found.spline.basins
    assert low < BEST < high
    assert share == 1.0


def test_a_significant_curvature_is_not_a_u():
    found = find_optimum(population(lambda u: 0.05 * np.exp(-2.5 * u)), rng=rng())
    assert found.quadratic.curvature_p < 1e-6
    assert found.lind_mehlum.p < 0.05
    assert found.verdict != "interior"


def test_a_maximum_is_not_an_optimum():
    found = find_optimum(population(lambda u: -0.1 * u**2), rng=rng())
    assert np.isnan(found.quadratic.optimum_ratio)
    assert "finds an inverted U, with its maximum inside the sampled range" in found.reasons[0]


def test_too_few_subnetworks_are_unidentified():
    found = find_optimum(population(lambda u: 0.1 * u**2, n=19), rng=rng())
    assert found.verdict == "unidentified"
    assert found.reasons[0] == "Only 19 subnetworks: a verdict needs at least 20."


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_a_handful_of_subnetworks_is_unidentified(n):
    found = find_optimum(population(lambda u: 0.1 * u**2, n=n), rng=rng())
    assert found.verdict == "unidentified"
    assert found.quadratic is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_ratios_that_hardly_vary_are_unidentified():
    found = find_optimum(population(lambda u: 100 * u**2, spread=0.01), rng=rng())
    assert found.verdict == "unidentified"
    assert found.reasons[0].startswith("The ratios hardly vary")


def test_few_distinct_ratios_are_unidentified():
    frame = population(lambda u: 0.1 * u**2).assign(params=lambda f: np.where(f.params > 10_000, 15_000, 7_000))
    found = find_optimum(frame, rng=rng())
    assert found.verdict == "unidentified"
    assert "2 distinct ratios" in found.reasons[0]


def test_one_error_for_all_is_flat():
    found = find_optimum(population(lambda u: 0 * u, noise=0.0), rng=rng())
    assert found.verdict == "flat"
    assert "the same value of the error" in found.reasons[0]


def test_seeds_are_averaged_and_counted():
    frame = population(lambda u: 0.1 * u**2)
    frame = pd.concat([frame.assign(seed=s, error=frame.error + 0.001 * (s - 1)) for s in range(3)])
    found = find_optimum(frame, rng=rng())
    assert (found.n_subnetworks, found.n_runs) == (200, 600)
    once = find_optimum(population(lambda u: 0.1 * u**2), rng=rng())
    assert found.ratio == pytest.approx(once.ratio)
    assert found.low == pytest.approx(once.low)


def test_a_subnetwork_in_two_spaces_counts_once():
    frame = population(lambda u: 0.1 * u**2).assign(seed=0)
    both = pd.concat([frame.assign(space="wide"), frame.iloc[:50].assign(space="narrow")])
    found = find_optimum(both, rng=rng())
    assert found.n_subnetworks == 200
    assert found.to_dict() == find_optimum(frame, rng=rng()).to_dict()


def test_originals_are_fixed_effects():
    frame = population(lambda u: 0.1 * u**2)
    two = frame.assign(original=np.where(np.arange(200) % 3 == 0, "m", "n"))
    shifted = two.assign(error=two.error + np.where(two.original == "m", 0.3, 0.0))
    one, other = find_optimum(two, rng=rng()), find_optimum(shifted, rng=rng())
    assert (one.n_originals, other.verdict) == (2, "interior")
    assert other.ratio == pytest.approx(one.ratio, rel=1e-6)
    assert (other.low, other.high) == pytest.approx((one.low, one.high), rel=1e-5)
    assert other.r2 == pytest.approx(one.r2)


def test_the_quadratic_predicts_at_the_average_of_the_originals():
    frame = population(lambda u: 0.1 * u**2, noise=0.0)
    frame["original"] = np.where(np.arange(200) % 4 == 0, "m", "n")
    frame["error"] += np.where(frame["original"] == "m", 0.2, 0.0)
    frame["error"] += 1e-4 * np.cos(37 * np.arange(200))
    fit, low, high = find_optimum(frame, rng=rng()).quadratic.predict([BEST, 2 * BEST])
    assert fit == pytest.approx([0.25, 0.25 + 0.1 * np.log(2) ** 2], abs=1e-3)
    assert (low < fit).all()
    assert (fit < high).all()


def test_buckets_change_the_ratio():
    frame = population(lambda u: 0.1 * u**2)
    frame["layer_params"] = [(p // 2, p - p // 2) for p in frame["params"]]
    found = find_optimum(frame, bucket=1024, rng=rng())
    assert found.bucket == 1024
    assert found.ratio_min > 50 * find_optimum(frame, rng=rng()).ratio_min


def test_r2_of_all_widths_bounds_that_of_the_ratio():
    frame = population(lambda u: -0.05 * u)
    frame["widths"] = [(int(p), 1 + i % 7) for i, p in enumerate(frame["params"])]
    found = find_optimum(frame, rng=rng())
    assert found.r2 == pytest.approx(found.r2_widths, abs=0.02)
    assert find_optimum(frame.drop(columns="widths"), rng=rng()).r2_widths is None
    ragged = frame.assign(widths=[(1,) * (1 + i % 2) for i in range(200)])
    assert find_optimum(ragged, rng=rng()).r2_widths is None


def test_another_response_is_named_in_the_reasons():
    frame = population(lambda u: 0.1 * u**2).assign(log_cross_entropy=lambda f: np.log(f.error))
    found = find_optimum(frame, response="log_cross_entropy", rng=rng())
    assert found.response == "log_cross_entropy"
    assert "the log cross-entropy falls" in found.reasons[0]


def test_flops_that_vary_are_a_caution():
    frame = population(lambda u: 0.1 * u**2)
    frame["flops"] = np.linspace(800_000, 1_200_000, 200).astype(int)
    assert any("FLOPs differ by up to 50 %" in reason for reason in find_optimum(frame, rng=rng()).reasons)


def test_a_narrow_band_confounds_ratio_and_parameters():
    reasons = find_optimum(population(lambda u: 0.1 * u**2), rng=rng()).reasons
    assert reasons[-1] == (
        "Log ratio and log parameters correlate at -1.000: an effect of the ratio cannot be separated from an effect "
        "of parameters."
    )


def test_the_ratio_is_tested_beyond_flops_and_parameters():
    frame = population(lambda u: 0.1 * u**2).assign(flops=lambda f: np.linspace(950_000, 1_050_000, 200).astype(int))
    frame["flops"] = frame["flops"].sample(frac=1, random_state=1).to_numpy()
    found = find_optimum(frame, rng=rng())
    assert found.beyond.p > 0.001
    assert any("to FLOPs and parameters (p " in reason for reason in found.reasons)
    assert find_optimum(population(lambda u: 0.1 * u**2), rng=rng()).beyond is None


def test_means_of_more_seeds_have_more_weight():
    frame = population(lambda u: 0.1 * u**2, n=120, noise=0.001).assign(seed=0)
    generator = np.random.default_rng(5)
    runs = pd.concat([frame, *(frame.iloc[:60].assign(seed=seed) for seed in range(1, 9))])
    runs["error"] += 0.03 * generator.standard_normal(len(runs))
    found = find_optimum(runs, rng=rng())
    assert (found.n_subnetworks, found.n_runs) == (120, 600)
    half = find_optimum(runs[runs["subnetwork"].isin(frame["subnetwork"].iloc[:60])], rng=rng())
    assert found.low < BEST < found.high
    # the means of nine seeds hold nearly all information: single seeds must not dilute it
    data = ratio_points(unit_means(runs, "error"), 1, "error")
    equal = fit_quadratic(points(data.x, data.y)).fieller
    width, alone, diluted = (
        np.log(part.high / part.low) for part in (found.quadratic.fieller, half.quadratic.fieller, equal)
    )
    assert width < 1.1 * alone
    assert diluted > 1.2 * width


def test_a_hundred_thousand_runs_stay_within_memory():
    frame = pd.concat([population(lambda u: 0.1 * u**2, n=33_000).assign(seed=seed) for seed in range(3)])
    tracemalloc.start()
    found = find_optimum(frame, rng=rng())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.verdict == "interior"
    assert peak < 300 * 2**20


def test_reasons_are_sentences_with_numbers():
    for curve in (lambda u: 0.1 * u**2, lambda u: -0.05 * u, lambda u: 0 * u, lambda u: 0.05 * np.exp(-2.5 * u)):
        for reason in find_optimum(population(curve), rng=rng()).reasons:
            assert reason[0].isupper()
            assert reason.endswith(".")
            assert any(character.isdigit() for character in reason)
            assert "nan" not in reason


def test_the_result_is_json_without_nan():
    for curve in (lambda u: 0.1 * u**2, lambda u: 0 * u):
        found = json.loads(json.dumps(find_optimum(population(curve), rng=rng()).to_dict(), allow_nan=False))
        assert found["quadratic"]["fieller"]["kind"] in ("bounded", "exclusive", "unbounded")


@pytest.mark.parametrize(
    ("change", "arguments", "error", "words"),
    [
        ({"regime": np.where(np.arange(200) < 9, 0.5, 0.25)}, {}, ResultsError, "one regime at a time is analysed"),
        (
            {"protocol": np.where(np.arange(200) < 9, "a", "b")},
            {},
            ResultsError,
            "expected one protocol",
        ),
        ({}, {"bucket": 1024}, InputError, "found no column layer_params"),
        ({}, {"response": "accuracy"}, InputError, "expected a column 'accuracy'"),
        ({}, {"response": "params"}, InputError, "must be an outcome"),
        ({}, {"level": 95}, InputError, "level must lie between 0 and 1"),
    ],
)
def test_frames_without_one_optimum_are_refused(change, arguments, error, words):
    with pytest.raises(error, match=words):
        find_optimum(population(lambda u: 0.1 * u**2).assign(**change), rng=rng(), **arguments)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_runs_does_not_matter(seed):
    frame = population(lambda u: 0.05 * u**2, n=40, seed=seed)
    frame = pd.concat([frame.assign(seed=s, error=frame.error + 0.001 * s) for s in range(2)])
    one = find_optimum(frame, rng=rng()).to_dict()
    assert one == find_optimum(frame.sample(frac=1, random_state=seed), rng=rng()).to_dict()


@given(st.integers(0, 10_000), st.sampled_from([0.25, 0.5, 2.0]), st.sampled_from([-0.01, 0.1]))
@settings(max_examples=15, deadline=None)
def test_shift_and_scale_of_the_response_change_no_verdict(seed, scale, shift):
    frame = population(lambda u: 0.02 * u**2, n=60, seed=seed)
    one = find_optimum(frame, rng=rng())
    other = find_optimum(frame.assign(error=frame.error * scale + shift), rng=rng())
    assert other.verdict == one.verdict
    assert (other.ratio, other.low, other.high) == pytest.approx((one.ratio, one.low, one.high), rel=1e-4, nan_ok=True)
    assert other.quadratic.coefficients[1:] == pytest.approx(one.quadratic.coefficients[1:] * scale)


@given(st.integers(0, 10_000), st.sampled_from([10, 1000]))
@settings(max_examples=15, deadline=None)
def test_the_optimum_scales_with_flops(seed, factor):
    frame = population(lambda u: 0.05 * u**2, n=60, seed=seed)
    one = find_optimum(frame, rng=rng())
    other = find_optimum(frame.assign(flops=frame.flops * factor), rng=rng())
    assert other.verdict == one.verdict
    assert (other.ratio, other.low, other.high) == pytest.approx(
        (one.ratio * factor, one.low * factor, one.high * factor), rel=1e-4, nan_ok=True
    )


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_verdicts_of_a_response_turned_upside_down_exclude_each_other(seed):
    frame = population(lambda u: 0.05 * u**2, n=60, seed=seed)
    verdicts = {find_optimum(f, rng=rng()).verdict for f in (frame, frame.assign(error=0.5 - frame.error))}
    assert verdicts != {"interior"}
