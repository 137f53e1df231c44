"""Bucket sizes and competing predictors: golden values, sentences on collinearity, refusals, invariances."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import prunestats as ps
from prunestats.bucket_size.comparison import compare_buckets
from prunestats.bucket_size.cross_validation import assign_folds, corrected_interval, fold_losses
from prunestats.bucket_size.predictors import curve_columns
from prunestats.errors import InputError
from prunestats.optimum.beyond_costs import beyond_costs
from prunestats.optimum.points import ratio_points
from prunestats.optimum.quadratic import fit_quadratic
from prunestats.optimum.regression import orthonormal, points
from prunestats.optimum.seed_weights import precision_weights
from prunestats.results.means import unit_means


def weyl(n, step):
    return (np.arange(1, n + 1) * step) % 1


def golden_means():
    """Subnetworks of golden/buckets.R."""
    flops, params = 1e6 * (0.8 + 0.4 * weyl(150, 0.6180339887498949)), 5000 + 15000 * weyl(150, 0.41421356237309515)
    noise = 0.1 * stats.norm.ppf(weyl(150, 0.7320508075688772))
    error = (np.log(flops / params) - 4.5) ** 2 + 0.5 * np.log(flops / 1e6) + noise
    return pd.DataFrame({"flops": flops, "params": params, "error": error})


def population(n=200, *, seed=0, by="params", noise=0.01, groups=6):
    """Subnetworks whose error follows log parameters, or log of buckets of 1,024, or nothing."""
    rng = np.random.default_rng(seed)
    layers = rng.integers(200, 6000, (n, groups))
    frame = pd.DataFrame({"subnetwork": [f"s{i:04d}" for i in range(n)], "flops": rng.integers(980_000, 1_020_000, n)})
    frame["params"] = layers.sum(axis=1)
    frame["layer_params"] = [tuple(row) for row in layers.tolist()]
    frame["widths"] = [tuple(row) for row in np.sqrt(layers).round().astype(int).tolist()]
    buckets = np.ceil(layers / 1024).sum(axis=1)
    signal = {"params": np.log(frame["params"]), "buckets": np.log(buckets), "nothing": np.zeros(n)}[by]
    frame["error"] = 0.3 + 0.1 * (signal - signal.mean()) + noise * rng.standard_normal(n)
    return frame


def rng():
    return np.random.default_rng(7)


def test_the_test_beyond_flops_and_parameters_equals_r(golden):
    r = golden("buckets")
    means = golden_means()
    found = beyond_costs(ratio_points(means, 1, "error"), means)
    assert found.terms == 1
    assert (found.f, found.p) == pytest.approx((r["beyond.f"], r["beyond.p"]), rel=1e-6)
    assert (found.r2_costs, found.r2) == pytest.approx((r["beyond.r2_costs"], r["beyond.r2"]), rel=1e-9)


def test_cross_validated_losses_and_their_interval_equal_r(golden):
    r = golden("buckets")
    means = golden_means()
    fold, y = np.arange(150) % 10, means["error"].to_numpy() - means["error"].mean()
    losses = {}
    for name, x in (("ratio", np.log(means["flops"] / means["params"])), ("params", np.log(means["params"]))):
        basis = orthonormal(np.column_stack([np.ones(150), curve_columns(x.to_numpy())]))
        losses[name] = fold_losses(basis, y, fold)
        assert losses[name] == pytest.approx([r[f"loss.{name}.{k}"] for k in range(10)], rel=1e-8)
    interval, p = corrected_interval(losses["params"] - losses["ratio"], 10, 0.95)
    assert (interval.low, interval.high) == pytest.approx((r["corrected.low"], r["corrected.high"]), rel=1e-7)
    assert p == pytest.approx(r["corrected.p"], rel=1e-7)


@pytest.mark.parametrize("seeds", ["cluster", "uneven"])
def test_hc3_on_means_is_the_covariance_of_runs_in_clusters(golden, seeds):
    r = golden("buckets")
    means = golden_means()
    runs = 0.2 * stats.norm.ppf(weyl(450, 0.6180339887498949)).reshape(150, 3)
    counts = np.full(150, 3) if seeds == "cluster" else 1 + np.arange(1, 151) % 3
    y = means["error"] + [run[:count].mean() for run, count in zip(runs, counts, strict=True)]
    fit = fit_quadratic(points(np.log(means["flops"] / means["params"]), y))
    assert fit.coefficients == pytest.approx([r[f"{seeds}.b{k}"] for k in range(3)], rel=1e-8)
    v = fit.covariance
    # vcovCL multiplies by (clusters - 1) / clusters
    theirs = np.array([r[f"{seeds}.v{k}"] for k in ("11", "12", "22")]) * 150 / 149
    assert [v[1, 1], v[1, 2], v[2, 2]] == pytest.approx(theirs, rel=1e-8)


def test_folds_hold_whole_subnetworks_evenly_within_originals():
    strata = np.repeat([0, 1, 2], [50, 25, 10])
    fold = assign_folds(strata, 5, rng())
    for stratum, size in ((0, 10), (1, 5), (2, 2)):
        assert np.bincount(fold[strata == stratum], minlength=5).tolist() == [size] * 5


def test_fold_losses_are_those_of_fits_without_the_fold():
    generator = rng()
    design, y = np.column_stack([np.ones(60), generator.normal(size=(60, 3))]), generator.normal(size=60)
    fold = assign_folds(np.zeros(60, dtype=int), 7, generator)
    slow = []
    for part in range(7):
        b = np.linalg.lstsq(design[fold != part], y[fold != part], rcond=None)[0]
        slow.append(np.mean((y[fold == part] - design[fold == part] @ b) ** 2))
    assert fold_losses(orthonormal(design), y, fold) == pytest.approx(slow, rel=1e-10)


def test_a_ratio_collinear_with_the_parameters_is_called_a_proxy():
    found = compare_buckets(population(), sizes=[1, 1024], rng=rng())
    assert found.best in ("parameters", "ratio with buckets of 1")
    (said,) = [
        reason
        for reason in found.reasons
        if reason.startswith("The ratio with buckets of 1 is a proxy of the parameter")
    ]
    assert "have correlation -0.99" in said
    frame = found.frame.set_index("predictor")
    assert frame.loc["ratio with buckets of 1", "gain_low"] <= 0
    assert frame.loc["parameters", "r2"] > 0.8
    assert frame.loc["the average", "r2"] == pytest.approx(0, abs=1e-12)


def test_the_bucket_size_that_matters_wins_and_says_more():
    found = compare_buckets(population(by="buckets", n=300), sizes=[1, 1024], rng=rng())
    assert found.best == "ratio with buckets of 1,024"
    frame = found.frame.set_index("predictor")
    assert frame.loc["ratio with buckets of 1,024", "gain_low"] > 0
    assert frame.loc["ratio with buckets of 1,024", "beyond_p"] < 0.001
    (sizes,) = [reason for reason in found.reasons if reason.startswith("Among the bucket sizes 1,024 predicts best")]
    assert ": significantly different, by" in sizes
    lead, p = found.gain("ratio with buckets of 1,024", "ratio with buckets of 1")
    assert lead.low > 0
    assert p < 0.05


def test_nothing_to_predict_is_said():
    found = compare_buckets(population(by="nothing"), sizes=[1], rng=rng())
    assert found.best == "the average"
    assert found.reasons[0].startswith("No predictor of the error")


def test_all_widths_bound_what_a_ratio_can_predict():
    found = compare_buckets(population(), sizes=[1], rng=rng())
    assert found.reasons[-1].startswith("Of the ")
    assert "all log widths + FLOPs + parameters predict together" in found.reasons[-1]
    without = compare_buckets(population().drop(columns="widths"), sizes=[1], rng=rng())
    assert len(without.scores) == len(found.scores) - 2


def test_seeds_of_a_subnetwork_stay_together_and_weigh_by_their_number():
    frame = population(n=60)
    runs = pd.concat([frame.assign(seed=seed, error=frame["error"] + 0.05 * (seed - 1)) for seed in range(3)])
    once, thrice = compare_buckets(frame, sizes=[1], rng=rng()), compare_buckets(runs, sizes=[1], rng=rng())
    assert thrice.n_runs == 3 * once.n_runs
    assert thrice.losses == pytest.approx(once.losses)


def test_constant_flops_leave_nothing_beside_the_parameters():
    found = compare_buckets(population().assign(flops=1_000_000), sizes=[1], rng=rng())
    assert found.scores[3].beyond is None
    assert any("adds no term" in reason for reason in found.reasons)


def test_the_result_is_plain_data_and_sentences():
    found = compare_buckets(population(n=40), sizes=[1, 1024, 4096], folds=5, repeats=2, rng=rng())
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.frame["bucket"].dropna().tolist() == [1, 1024, 4096]
    assert found.losses.shape == (10, len(found.scores))
    assert repr(found) == f"BucketComparison(best={found.best!r}, n_subnetworks=40, response='error')"
    for reason in found.reasons:
        assert reason[0].isupper()
        assert reason.endswith(".")
        assert "nan" not in reason
    assert ps.compare_buckets is compare_buckets


@pytest.mark.parametrize(
    ("frame", "arguments", "words"),
    [
        (population(n=19), {"sizes": [1]}, "20 subnetworks or more"),
        (population(), {"sizes": []}, "different bucket sizes"),
        (population(), {"sizes": [1, 1]}, "different bucket sizes"),
        (population(), {"sizes": [0]}, "bucket must be a whole number"),
        (population(), {"sizes": [1], "folds": 1}, "2 to 20 folds"),
        (population().drop(columns="layer_params"), {}, "found no column layer_params"),
        (population().assign(error=0.5), {"sizes": [1]}, "found 200 with 1 values"),
    ],
)
def test_what_cannot_be_compared_is_refused(frame, arguments, words):
    with pytest.raises(InputError, match=words):
        compare_buckets(frame, rng=rng(), **arguments)
    with pytest.raises(InputError, match="predictor must be one of"):
        compare_buckets(population(n=20), sizes=[1], folds=2, repeats=1).gain("magic", "parameters")


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_and_the_scale_of_the_response_do_not_matter(seed):
    frame = population(n=40, seed=seed)
    one = compare_buckets(frame, sizes=[1], folds=4, repeats=2, rng=rng())
    other = compare_buckets(frame.sample(frac=1, random_state=seed), sizes=[1], folds=4, repeats=2, rng=rng())
    assert one.to_dict() == other.to_dict()
    scaled = compare_buckets(frame.assign(error=frame["error"] / 2), sizes=[1], folds=4, repeats=2, rng=rng())
    assert scaled.losses == pytest.approx(one.losses)


def test_weights_follow_the_numbers_of_seeds():
    frame = pd.concat([population(n=50).assign(seed=0), population(n=50).iloc[:10].assign(seed=1)])
    frame["error"] += 0.02 * np.random.default_rng(3).standard_normal(60)
    data = ratio_points(unit_means(frame, "error"), 1, "error")
    assert data.weights.mean() == pytest.approx(1)
    assert (data.weights[:10] > data.weights[10:].max()).all()
    means = unit_means(frame, "error")
    squares = frame.groupby("subnetwork")["error"].var().dropna().sum()
    assert means["seed_squares"].to_numpy() == pytest.approx(squares)


def test_precision_equals_the_variance_components_of_lme4(golden):
    r = golden("buckets")
    means = golden_means()
    runs = 0.2 * stats.norm.ppf(weyl(450, 0.6180339887498949)).reshape(150, 3)
    seeds = 1 + np.arange(1, 151) % 3
    within = [run[:count] for run, count in zip(runs, seeds, strict=True)]
    y = means["error"] + [part.mean() for part in within]
    squares = sum(((part - part.mean()) ** 2).sum() for part in within)
    data = points(np.log(means["flops"] / means["params"]), y)
    weights = precision_weights(data, seeds.astype(float), squares)
    precision = 1 / (r["lmer.subnetwork"] / r["lmer.seed"] + 1 / seeds)
    assert weights == pytest.approx(precision / precision.mean(), rel=1e-4)
