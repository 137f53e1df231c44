"""Optima of several designs: grouping of originals, verdicts of the slope, and predictions for a new original."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import prunestats as ps
from prunestats.conjectures.across_originals import meta_optimum
from prunestats.conjectures.prediction import predict_at
from prunestats.conjectures.prediction_interval import predict_new
from prunestats.conjectures.transfer import combine_optima
from prunestats.conjectures.transfer_result import DesignOptimum
from prunestats.errors import InputError, ResultsError
from prunestats.results.designs import OriginalDesign, group_designs, ratio_of

Z = stats.norm.isf(0.025)
REGIMES = (0.5, 0.25, 0.1)


def population(rng, best, *, n=80, regime=0.25, noise=0.01, **original):
    flops = round(regime * original["original_flops"])
    params = np.rint(flops / (best * np.exp(rng.uniform(-0.8, 0.8, n)))).astype(int)
    frame = pd.DataFrame({"subnetwork": np.arange(n).astype(str), "flops": flops, "params": params, "seed": 0})
    frame["error"] = 0.2 + 0.1 * np.log(flops / params / best) ** 2 + noise * rng.standard_normal(n)
    return frame.assign(regime=regime, space="initial", protocol="p", **original)


def designs(rng, ratios, *, seeds=1, regimes=(0.25,), best=lambda ratio, regime: ratio, **more):
    """Runs of originals of the given ratios, each with several seeds."""
    return pd.concat(
        population(
            rng, best(ratio, regime), regime=regime, original=f"key {ratio} {seed}", network=f"net {ratio}",
            dataset="digits", original_seed=seed, original_flops=int(ratio * 1_000_000), original_params=1_000_000,
            **more,
        )
        for ratio in ratios
        for seed in range(seeds)
        for regime in regimes
    ).reset_index(drop=True)  # fmt: skip


@pytest.fixture(scope="module")
def one_optimum():
    rng = np.random.default_rng(0)
    return ps.find_optimum(designs(rng, [100]))


@pytest.fixture(scope="module")
def optima(one_optimum):
    """Optima of designs with chosen log ratios, one for each design and regime."""

    def make(y, ratios, *, se=0.05, regimes=(0.5,), drawn=(1.0, 1e4)):
        cells = [(ratio, regime) for ratio in ratios for regime in regimes]
        return [
            DesignOptimum(
                OriginalDesign(f"net {ratio:g}", int(1e6 * ratio), 10**6, ratio, (f"{ratio:g}",)),
                regime,
                dataclasses.replace(
                    one_optimum,
                    verdict="interior",
                    ratio=np.exp(center),
                    low=np.exp(center - Z * se),
                    high=np.exp(center + Z * se),
                    ratio_q10=drawn[0] if len(drawn) == 2 else drawn[2] * ratio / 2,
                    ratio_q90=drawn[1] if len(drawn) == 2 else drawn[2] * ratio * 2,
                ),
            )
            for center, (ratio, regime) in zip(y, cells, strict=True)
        ]

    return make


def test_seeds_of_an_original_are_one_design():
    frame = designs(np.random.default_rng(0), [50, 20], seeds=3, n=5)
    found = group_designs(frame)
    assert [(one.name, one.ratio, len(one.originals)) for one in found] == [("net 20", 20, 3), ("net 50", 50, 3)]
    assert group_designs(frame.sample(frac=1, random_state=1)) == found


def test_names_of_designs_are_unique_and_short():
    rows = [("a", "net", "mnist", 90, 9), ("b", "net", "digits", 90, 9), ("c", "net", "digits", 40, 9)]
    columns = ["original", "network", "dataset", "original_flops", "original_params"]
    found = group_designs(pd.DataFrame(rows, columns=columns))
    assert [one.name for one in found] == ["net, digits, 40", "net, digits, 90", "net, mnist, 90"]
    alone = group_designs(pd.DataFrame(rows, columns=columns).drop(columns=["network", "dataset"]))
    assert sorted(one.name for one in alone) == ["a", "b", "c"]


def test_buckets_of_the_original_are_its_own():
    frame = designs(np.random.default_rng(0), [50, 20], n=5).assign(original_buckets=2000)
    assert [one.ratio for one in group_designs(frame, bucket=1024)] == [1e4, 2.5e4]
    with pytest.raises(ResultsError, match="not found: original_buckets"):
        group_designs(frame.drop(columns="original_buckets"), bucket=1024)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda frame: frame.drop(columns="original_params"), "not found: original_params"),
        (
            lambda frame: frame.assign(original_flops=0),
            "original_flops must be there and above 0 in every run; found 0",
        ),
        (lambda frame: frame.assign(original="one"), "found several of original one"),
    ],
)
def test_a_frame_without_designs_is_refused(change, complaint):
    with pytest.raises(ResultsError, match=complaint):
        group_designs(change(designs(np.random.default_rng(0), [50, 20], n=5)))


def test_an_original_is_given_in_three_ways():
    assert ratio_of(40) == ratio_of((80, 2)) == ratio_of(SimpleNamespace(flops=80, params=2)) == 40
    assert ratio_of(np.float64(3)) == 3


@pytest.mark.parametrize(
    ("original", "bucket", "complaint"),
    [
        (0, 1, "must be above 0; found 0"),
        ((1, 0), 1, "must be above 0; found nan"),
        ("resnet50", 1, "found str: trace a network"),
        ((1, 2, 3), 1, "found tuple"),
        (True, 1, "found bool"),
        ((80, 2), 64, "with a bucket of 64 an original is given as its ratio"),
    ],
)
def test_what_is_no_original_is_refused(original, bucket, complaint):
    with pytest.raises(InputError, match=complaint):
        ratio_of(original, bucket)


def test_a_slope_on_the_ratio_of_the_original_is_found_and_used_to_predict():
    rng = np.random.default_rng(1)
    frame = designs(rng, [40, 48, 56, 64, 72], seeds=2, regimes=(0.5, 0.25), best=lambda r, g: 2 * r * g**0.2)
    found = ps.transfer_optimum(frame, rng=np.random.default_rng(2))
    assert found.verdict == "follows"
    assert (found.meta.n_estimates, found.meta.n_originals) == (10, 5)
    assert 1 in found.slope
    assert 0.2 in found.meta.regime_slope
    assert found.drawn_slope == pytest.approx(1, abs=0.2)
    assert any("does not shift significantly relative to the sampled range" in reason for reason in found.reasons)
    one = ps.predict_optimum(frame, (60_000_000, 1_000_000), regime=0.25, rng=np.random.default_rng(2))
    assert one == found.predict(60, regime=0.25)
    assert 120 * 0.25**0.2 in one.new
    assert one.new.low < one.mean.low < one.mean.high < one.new.high
    assert one.notes == ()
    json.dumps(found.to_dict() | one.to_dict(), allow_nan=False)
    assert "Transfer('follows', slope=" in repr(found)


def test_the_same_seed_gives_the_same_and_the_order_of_runs_does_not_matter():
    frame = designs(np.random.default_rng(3), [40, 50, 60], seeds=2)
    one = ps.transfer_optimum(frame, rng=np.random.default_rng(0))
    two = ps.transfer_optimum(frame.sample(frac=1, random_state=1), rng=np.random.default_rng(0))
    assert one.reasons == two.reasons
    assert one.predict(55).new == two.predict(55).new


def test_seeds_are_strata_of_one_optimum():
    rng = np.random.default_rng(4)
    frame = designs(rng, [40, 50, 60], seeds=2)
    frame.loc[frame["original_seed"] == 1, "error"] += 0.3
    found = ps.transfer_optimum(frame)
    assert [one.optimum.n_originals for one in found.optima] == [2, 2, 2]
    assert [one.optimum.n_subnetworks for one in found.optima] == [160] * 3
    assert {one.optimum.verdict for one in found.optima} == {"interior"}


def test_three_designs_that_happen_to_lie_on_a_line_prove_little(optima):
    """The interval of their slope is no shorter than the standard errors allow."""
    ratios = np.array([10, 20, 40])
    found = combine_optima(optima(1 + 0.5 * np.log(ratios) + np.array([0, 1e-4, 0]), ratios, se=0.3))
    assert found.meta.slope_p < 0.001
    assert found.verdict == "not seen"
    information = ((np.log(ratios) - np.log(20)) ** 2).sum() / 0.3**2
    half = stats.t.isf(0.025, 1) / np.sqrt(information)
    assert (found.slope.low, found.slope.high) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-3)


def test_one_optimum_for_all_originals_has_no_significant_slope(optima):
    y = 4 + 0.05 * np.random.default_rng(5).standard_normal(6)
    found = combine_optima(optima(y, [10, 20, 40, 80, 160, 320]))
    assert found.verdict == "not seen"
    assert found.reasons[0].startswith(
        "No significant association between the ratio of the original and its optimum: slope"
    )


def test_an_optimum_may_decrease_with_the_ratio_of_the_original(optima):
    ratios = np.array([10, 20, 40, 80, 160])
    found = combine_optima(optima(8 - 0.5 * np.log(ratios), ratios))
    assert found.verdict == "opposes"


def test_without_an_overlap_of_sampled_ratios_no_slope_is_tested(optima):
    ratios = np.array([10, 40, 160, 640])
    found = combine_optima(optima(np.log(ratios), ratios, drawn=(0, 0, 1.0)))
    assert (found.verdict, found.shared) == ("drawn apart", False)
    assert found.drawn_slope == pytest.approx(1)
    assert any(reason.startswith("No ratio lies in the middle 80 %") for reason in found.reasons)
    assert (
        "It assumes an original whose ratios are sampled like those of the explored designs." in found.predict(50).notes
    )
    near = combine_optima(optima(np.log(ratios[:3] ** 0.5 * 10), ratios[:3] ** 0.5, drawn=(0, 0, 1.0)))
    assert near.shared


def test_a_shift_relative_to_the_sampled_range_is_stated(optima):
    ratios = np.geomspace(10, 20, 8)
    still = combine_optima(optima(np.full(8, 2.5) + 0.01 * np.arange(8) % 0.03, ratios, drawn=(0, 0, 1.0)))
    assert still.place_slope.high < 0
    assert any("optimum shifts significantly relative to the sampled range" in reason for reason in still.reasons)


def test_too_few_designs_give_no_prediction(optima):
    found = combine_optima(optima([3.0, 3.1, 3.5, 3.6], [10, 20], regimes=(0.5, 0.25)))
    assert (found.verdict, found.slope) == ("too few", None)
    assert found.reasons[-1].startswith("4 estimates of 2 originals: fewer than 3")
    with pytest.raises(InputError, match="a prediction needs optima of 3 originals; found 2"):
        found.predict(15)
    json.dumps(found.to_dict(), allow_nan=False)


def test_three_designs_hardly_constrain_a_fourth(optima):
    found = combine_optima(optima([2.0, 3.2, 3.5], [10, 20, 40]))
    one = found.predict(30)
    assert one.new.high / one.new.low > 1000
    assert any("3 designs hardly constrain the optimum of another one" in note for note in one.notes)


def test_extrapolation_is_noted(optima):
    ratios = np.array([10, 20, 40, 80, 160])
    y = (np.log(ratios)[:, None] + 0.1 * np.log(REGIMES)).ravel()
    found = combine_optima(optima(y, ratios, regimes=REGIMES))
    assert found.predict(50, regime=0.5).notes == ()
    outside = found.predict(500, regime=0.75).notes
    assert outside[0].startswith("A ratio of 500 lies outside the ratios of the designs with an optimum, 10 to 160")
    assert outside[1].startswith("A regime of 0.75 lies outside 0.1 to 0.5")
    flat = combine_optima(optima(np.full(5, 3.0) + 0.01 * np.arange(5), [20.0] * 4 + [20.0]))
    assert flat.verdict == "too few"
    with pytest.raises(InputError, match="a regime must be a FLOPs fraction above 0; found -1"):
        found.predict(50, regime=-1)


def test_populations_without_an_optimum_are_counted(optima):
    some = optima(np.log([10, 20, 40, 80]), [10, 20, 40, 80])
    some[1] = dataclasses.replace(some[1], optimum=dataclasses.replace(some[1].optimum, verdict="monotone"))
    found = combine_optima(some)
    (counted,) = [reason for reason in found.reasons if reason.startswith("3 of 4 populations")]
    assert "a usable optimum (3 interior, 1 monotone). In 1 the best ratio lies at or beyond an end" in counted


def test_a_single_design_is_refused():
    with pytest.raises(InputError, match="needs several designs; found net 40 alone"):
        ps.transfer_optimum(designs(np.random.default_rng(0), [40], seeds=2, n=5))


def test_regimes_alike_in_all_designs_predict_as_their_means_do(optima):
    """With equal standard errors and no variance within designs, several regimes are one mean a design."""
    rng, ratios = np.random.default_rng(6), np.geomspace(10, 100, 6)
    tops = np.log(ratios) + 0.3 * rng.standard_normal(6)
    y = tops[:, None] + 0.5 * np.log(REGIMES)
    found = combine_optima(optima(y.ravel(), ratios, regimes=REGIMES))
    middle = float(np.exp(np.mean(np.log(REGIMES))))
    design, row = np.column_stack([np.ones(6), np.log(ratios)]), np.array([1, np.log(30)])
    expected = predict_new(y.mean(axis=1), np.full(6, 0.05**2 / 3), design, row, level=0.95)
    one = found.predict(30, regime=middle)
    assert (np.log(one.new.low), np.log(one.new.high)) == pytest.approx((expected.low, expected.high), rel=1e-6)
    moved = found.predict(30, regime=0.5)
    assert np.log(moved.mean.value / one.mean.value) == pytest.approx(0.5 * np.log(0.5 / middle))


def test_one_optimum_an_original_is_predicted_as_before(one_optimum, optima):
    some = optima([3.0, 3.4, 3.3, 3.9], [10, 20, 40, 80])
    found = meta_optimum([one.optimum for one in some], original_ratio=[one.design.ratio for one in some])
    y, se, columns = found.design.y, found.design.se, found.design.columns
    row = np.array([1, np.log(30) - found.design.centers["original_ratio"]])
    new = predict_new(y, se**2, columns, row, level=0.95)
    prediction = predict_at(found.fit, found.design, float(np.log(30)), None, 0.95)
    assert (np.log(prediction.new.low), np.log(prediction.new.high)) == pytest.approx((new.low, new.high))
    wider = predict_new(y, se**2, columns, row, level=0.95, extra_variance=0.5)
    assert wider.low < new.low < new.high < wider.high
