"""Variance components and planning: golden values, invariances, what cannot be estimated, refusals."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunestats.errors import InputError, ResultsError
from prunestats.noise.components import variance_components
from prunestats.noise.nested_anova import nested_anova
from prunestats.noise.precision_plan import plan_precision


def weyl(n, step):
    return (np.arange(1, n + 1) * step) % 1


def design(balanced):
    """The runs of golden/components.R."""
    original = np.repeat(["m", "n", "o"], [5, 5, 5] if balanced else [5, 4, 6])
    cell = np.repeat(np.arange(15), [3] * 15 if balanced else [3, 1, 2, 4, 2] * 3)
    shift = pd.Series({"m": 0.0, "n": 1.5, "o": -1.0})[original[cell]].to_numpy()
    y = shift + stats.norm.ppf(weyl(15, 0.6180339887498949))[cell]
    y = y + 0.5 * stats.norm.ppf(weyl(cell.size, 0.41421356237309515))
    seed = pd.Series(cell).groupby(cell).cumcount()
    frame = pd.DataFrame({"original": original[cell], "subnetwork": [f"s{i:02d}" for i in cell], "seed": seed, "y": y})
    return frame.assign(flops=9, params=3, error=0.1)


def runs(effects_sd, noise_sd, *, originals=1, subnetworks=20, seeds=3, seed=0):
    rng = np.random.default_rng(seed)
    shape = (originals, subnetworks, seeds)
    y = 0.5 + effects_sd * rng.standard_normal(shape[:2])[:, :, None] + noise_sd * rng.standard_normal(shape)
    index = pd.MultiIndex.from_product([range(size) for size in shape], names=["original", "subnetwork", "seed"])
    frame = pd.DataFrame({"error": y.ravel()}, index=index).reset_index()
    return frame.assign(flops=9, params=3, original=frame.original.map(lambda i: f"o{i}"))


@pytest.mark.parametrize("name", ["balanced", "unbalanced"])
def test_components_equal_the_mean_squares_of_r(golden, name):
    r = golden("components")
    found = variance_components(design(name == "balanced"), "y")
    for part in ("seed", "subnetwork", "original"):
        assert getattr(found, part).value == pytest.approx(r[f"{name}.{part}"], rel=1e-8)
    assert (found.seed.low, found.seed.high) == pytest.approx((r[f"{name}.seed.low"], r[f"{name}.seed.high"]), rel=1e-8)
    assert (found.icc.low, found.icc.high) == pytest.approx((r[f"{name}.icc.low"], r[f"{name}.icc.high"]), rel=1e-7)


def test_balanced_components_equal_reml_of_nlme(golden):
    r = golden("components")
    found = variance_components(design(True), "y")
    for part in ("seed", "subnetwork", "original"):
        assert getattr(found, part).value == pytest.approx(r[f"reml.{part}"], rel=1e-4)


def test_balanced_components_equal_reml_of_statsmodels():
    import statsmodels.formula.api as smf

    frame = runs(0.05, 0.02, seeds=4).assign(y=lambda f: 20 * f["error"])
    theirs = smf.mixedlm("y ~ 1", frame, groups="subnetwork").fit(reml=True)
    found = variance_components(frame, "y")
    assert found.seed.value == pytest.approx(theirs.scale, rel=1e-3)
    assert found.subnetwork.value == pytest.approx(float(theirs.cov_re.iloc[0, 0]), rel=1e-3)


@pytest.mark.parametrize(("balanced", "apart"), [(True, 1e-4), (False, 0.15)])
def test_components_equal_or_are_near_those_of_a_mixed_model(balanced, apart):
    """Equal in a balanced design; in an unbalanced one REML is another estimator of the same variances."""
    import statsmodels.formula.api as smf

    frame = design(balanced)
    terms = {"groups": "original", "re_formula": "1", "vc_formula": {"subnetwork": "0 + C(subnetwork)"}}
    theirs = smf.mixedlm("y ~ 1", frame, **terms).fit(reml=True)
    found = variance_components(frame, "y")
    assert found.original.value == pytest.approx(float(theirs.cov_re.iloc[0, 0]), rel=apart)
    assert found.subnetwork.value == pytest.approx(float(theirs.vcomp[0]), rel=apart)
    assert found.seed.value == pytest.approx(float(theirs.scale), rel=apart)


@pytest.mark.parametrize("balanced", [True, False])
def test_mean_squares_equal_those_of_statsmodels(balanced):
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    frame = design(balanced)
    # keys of subnetworks are unique, so the second model contains the first
    table = anova_lm(smf.ols("y ~ C(original)", frame).fit(), smf.ols("y ~ C(subnetwork)", frame).fit()).loc[1]
    nested = nested_anova(frame["original"], frame["subnetwork"], frame["y"].to_numpy())
    assert nested.ms_seed == pytest.approx(table["ssr"] / table["df_resid"], rel=1e-10)
    sizes, owners = frame.groupby("subnetwork").size(), frame.groupby("subnetwork")["original"].first()
    # the expected mean square of subnetworks in an unbalanced design (Searle, Casella and McCulloch, appendix F.1)
    weight = (len(frame) - (sizes**2 / sizes.groupby(owners).sum()[owners].to_numpy()).sum()) / nested.df_subnetwork
    between = table["ss_diff"] / nested.df_subnetwork
    assert nested.subnetwork == pytest.approx((between - nested.ms_seed) / weight, rel=1e-10)


def test_the_balanced_icc_is_the_f_interval_of_the_textbook():
    frame = runs(0.05, 0.05, subnetworks=10, seeds=4)
    found = variance_components(frame).icc
    means = frame.groupby("subnetwork")["error"].mean()
    f = 4 * means.var() / frame.groupby("subnetwork")["error"].var().mean()
    low, high = f / stats.f.ppf([0.975, 0.025], 9, 30)
    assert (found.low, found.high) == pytest.approx(((low - 1) / (low + 3), (high - 1) / (high + 3)), rel=1e-8)


@given(st.integers(0, 500), st.sampled_from([0.5, 0.25]), st.sampled_from([0.0, 0.01]))
@settings(max_examples=15, deadline=None)
def test_shift_scale_and_order(seed, scale, shift):
    frame = runs(0.02, 0.02, originals=2, subnetworks=6, seeds=2, seed=seed)
    frame = frame.sample(frac=0.8, random_state=seed)
    other = frame.assign(error=frame.error * scale + shift).sample(frac=1, random_state=seed)
    one, two = variance_components(frame), variance_components(other)
    assert two.icc.high == pytest.approx(one.icc.high, abs=1e-8)
    for name in ("original", "subnetwork", "seed"):
        ends = [getattr(getattr(two, name), end) for end in ("low", "value", "high")]
        assert ends == pytest.approx(
            [getattr(getattr(one, name), end) * scale**2 for end in ("low", "value", "high")], rel=1e-6, abs=1e-15
        )
        assert ends == sorted(ends)


def test_the_order_of_the_runs_changes_no_bit():
    frame = runs(0.02, 0.02, originals=2)
    assert variance_components(frame).to_dict() == variance_components(frame[::-1]).to_dict()


def test_one_seed_per_subnetwork_is_noted():
    found = variance_components(runs(0.1, 0.05, seeds=1))
    assert (found.seed, found.subnetwork, found.icc, found.original) == (None, None, None, None)
    assert found.within == pytest.approx(runs(0.1, 0.05, seeds=1)["error"].var())
    assert found.notes[0].startswith("One seed per subnetwork (20 of them)")
    assert found.notes[1].startswith("One original")
    assert "subnetwork=unknown" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_one_subnetwork_per_original_is_noted():
    found = variance_components(runs(0.1, 0.05, originals=4, subnetworks=1))
    assert (found.subnetwork, found.original) == (None, None)
    assert found.seed is not None
    assert np.isnan(found.within)
    assert any(note.startswith("One subnetwork per original") for note in found.notes)


def test_originals_are_estimated_with_one_seed_too():
    found = variance_components(runs(0.02, 0.02, originals=6, seeds=1))
    assert found.original is not None
    assert found.seed is None


def test_an_estimate_below_zero_is_zero_and_noted():
    frames = (variance_components(runs(0.0, 0.05, subnetworks=5, seed=seed)) for seed in range(20))
    found = next(found for found in frames if found.subnetwork.value == 0)
    assert found.subnetwork.low == 0 < found.subnetwork.high
    assert any("subnetworks is below zero" in note for note in found.notes)


def test_a_run_in_two_spaces_counts_once():
    frame = runs(0.05, 0.02)
    both = pd.concat([frame.assign(space="a"), frame[:9].assign(space="b")])
    assert variance_components(both).to_dict() == variance_components(frame).to_dict()


def test_seeds_without_spread_leave_everything_to_the_subnetworks():
    found = variance_components(runs(0.05, 0.0))
    assert found.icc.value == pytest.approx(1.0)
    assert found.seed.value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "response", "error", "words"),
    [
        ({"regime": [0.5, 0.25] * 30}, "error", ResultsError, "one regime at a time"),
        ({}, "accuracy", InputError, "no such column 'accuracy'"),
        ({"y": np.nan}, "y", ResultsError, "y must be finite"),
    ],
)
def test_what_has_no_components_is_refused(change, response, error, words):
    with pytest.raises(error, match=words):
        variance_components(runs(0.05, 0.02).assign(**change), response)


def test_a_plan_is_the_cheapest_of_all_designs():
    found = variance_components(runs(0.03, 0.06, seeds=4))
    plan = plan_precision(found, half_width=0.01, cost_ratio=3.0)
    others = [plan_precision(found, half_width=0.01, cost_ratio=3.0, seeds=r) for r in range(1, 30)]
    assert plan.cost == min(other.cost for other in others)
    assert plan.seeds == pytest.approx(np.sqrt(3 * found.seed.value / found.subnetwork.value), abs=1.5)
    for other in others:
        deviation = np.sqrt((found.subnetwork.value + found.seed.value / other.seeds) / other.subnetworks)
        assert other.half_width == pytest.approx(stats.t.ppf(0.975, other.subnetworks - 1) * deviation)
        assert other.half_width <= 0.01


def test_subnetworks_that_cost_nothing_extra_want_one_seed():
    assert plan_precision(variance_components(runs(0.03, 0.06)), half_width=0.01).seeds == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"half_width": 0.0}, "half_width must be above 0"),
        ({"half_width": 0.1, "cost_ratio": -1.0}, "cost_ratio"),
        ({"half_width": 0.1, "seeds": 0}, "seeds must be"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        plan_precision(variance_components(runs(0.03, 0.06)), **arguments)
    with pytest.raises(InputError, match="found none of seeds"):
        plan_precision(variance_components(runs(0.03, 0.06, seeds=1)), half_width=0.1)


def test_a_cautious_plan_is_that_of_the_upper_bounds():
    found = variance_components(runs(0.03, 0.06, seeds=4))
    upper = dataclasses.replace(
        found,
        subnetwork=dataclasses.replace(found.subnetwork, value=found.subnetwork.high),
        seed=dataclasses.replace(found.seed, value=found.seed.high),
    )
    cautious = plan_precision(found, half_width=0.01, cost_ratio=1.0, cautious=True)
    assert cautious == plan_precision(upper, half_width=0.01, cost_ratio=1.0)
    assert cautious.runs > plan_precision(found, half_width=0.01, cost_ratio=1.0).runs


def test_a_planned_study_is_as_precise_as_planned():
    found = variance_components(runs(0.03, 0.06, seeds=4))
    plan = plan_precision(found, half_width=0.02, cost_ratio=2.0)
    rng = np.random.default_rng(0)
    between, noise = np.sqrt([found.subnetwork.value, found.seed.value])
    shape = (3000, plan.subnetworks)
    means = between * rng.standard_normal(shape) + noise / np.sqrt(plan.seeds) * rng.standard_normal(shape)
    half = stats.t.ppf(0.975, plan.subnetworks - 1) * means.std(axis=1, ddof=1) / np.sqrt(plan.subnetworks)
    assert np.sqrt(np.mean(half**2)) == pytest.approx(plan.half_width, rel=0.02)
    assert plan.half_width <= 0.02
    covered = np.mean(np.abs(means.mean(axis=1)) <= half)
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 3000))


def test_components_of_a_mirrored_metric_are_those_of_the_error(as_miou, as_perplexity):
    frame = runs(0.02, 0.01, originals=2).drop(columns="metric", errors="ignore")
    one, other = variance_components(frame), variance_components(as_miou(frame))
    for name in ("original", "subnetwork", "seed", "icc"):
        a, b = getattr(one, name), getattr(other, name)
        assert (b.value, b.low, b.high) == pytest.approx((a.value, a.low, a.high), rel=1e-6)
    assert other.mean == pytest.approx(1 - one.mean)
    assert (other.response, other.metric.direction) == ("miou", "maximize")
    plans = [plan_precision(part, half_width=0.005) for part in (one, other)]
    assert plans[0].subnetworks == plans[1].subnetworks
    with pytest.raises(InputError) as refused:
        plan_precision(variance_components(as_perplexity(frame)), half_width=0)
    assert not any(word in str(refused.value) for word in ("error", "%"))
