"""Refinement: the rule, sample splitting, the sample saving, and the whole loop on populations of known truth."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from prunestats.errors import InputError
from prunestats.numeric.order_statistics import least_of
from prunestats.optimum.optimum import find_optimum
from prunestats.refinement.draws_saved import compute_saved
from prunestats.refinement.gain import head_to_head
from prunestats.refinement.rule import refine
from prunestats.results.splitting import split_population
from prunestats.spaces.space import Independent, RatioBand, Space, WidthDivisor

SPACE = Space("initial", Independent(0.1), (WidthDivisor(4),))
TRUTHS = {
    "u": lambda x: 0.12 * x**2,
    "falls": lambda x: -0.08 * x,
    "rises": lambda x: 0.08 * x,
    "flat": lambda x: 0 * x,
}


def population(truth, n=240, seed=0, low=-np.inf, high=np.inf, name="initial", originals=("m",)):
    """Subnetworks with x = log(ratio / 100) uniform on (-1, 1), given a band; 1,000,000 FLOPs each."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(max(-1.0, low), min(1.0, high), n)
    frame = pd.DataFrame(
        {
            "original": [originals[i % len(originals)] for i in range(n)],
            "subnetwork": [f"{name}{seed}-{i}" for i in range(n)],
            "space": name,
            "regime": 0.5,
            "flops": 1_000_000,
            "params": np.round(10_000 * np.exp(-x)).astype(int),
        }
    )
    frame["error"] = 0.3 + TRUTHS[truth](x) + 0.01 * rng.standard_normal(n)
    return frame


@pytest.fixture(scope="module")
def optima():
    return {name: find_optimum(population(name), rng=np.random.default_rng(0)) for name in TRUTHS}


def test_an_interior_optimum_gives_a_band_around_the_reported_interval(optima):
    made = refine(SPACE, optima["u"], population("u"), least_share=0.01)
    assert made.kind == "band"
    assert made.band.low == pytest.approx(optima["u"].low)
    assert made.band.high == pytest.approx(optima["u"].high)
    assert made.space.constraints == (WidthDivisor(4), made.band)
    assert made.space.sampler == SPACE.sampler
    assert (made.initial, made.verdict) == ("initial", "interior")
    x = 1_000_000 / population("u").params
    assert made.share == pytest.approx(((x >= made.band.low) & (x <= made.band.high)).mean())


@pytest.mark.parametrize("share", [0.1, 0.35, 0.8])
def test_a_narrow_band_is_widened_equally_on_the_log_scale_to_hold_its_share(optima, share):
    found = optima["u"]
    made = refine(SPACE, found, population("u"), least_share=share)
    assert share <= made.share < share + 0.02 or np.isclose(made.band.low, found.low)
    assert np.log(found.low / made.band.low) == pytest.approx(np.log(made.band.high / found.high), abs=1e-9)


@pytest.mark.parametrize(("truth", "open_end", "closed_end"), [("falls", "high", "low"), ("rises", "low", "high")])
def test_a_monotone_population_gives_a_one_sided_exploratory_band(optima, truth, open_end, closed_end):
    made = refine(SPACE, optima[truth], population(truth))
    assert optima[truth].verdict == "monotone"
    assert made.kind == "one_sided"
    assert getattr(made.band, open_end) is None
    assert getattr(made.band, closed_end) == pytest.approx(
        optima[truth].ratio_q90 if truth == "falls" else optima[truth].ratio_q10
    )
    assert made.share == pytest.approx(0.1, abs=0.01)
    assert "not an optimum" in made.reasons[0]


@pytest.mark.parametrize("verdict", ["flat", "unidentified"])
def test_without_evidence_there_is_no_band_and_a_remedy(optima, verdict):
    found = dataclasses.replace(optima["flat"], verdict=verdict)
    made = refine(SPACE, found, population("flat"))
    assert (made.kind, made.space, made.band) == ("refused", None, None)
    assert ("keep the initial space" if verdict == "flat" else "train more") in made.reasons[0]


def test_two_basins_give_no_one_sided_band(optima):
    twice = dataclasses.replace(optima["falls"].spline, basins=((50.0, 60.0, 0.5), (250.0, 270.0, 0.5)))
    made = refine(SPACE, dataclasses.replace(optima["falls"], spline=twice))
    assert made.kind == "refused"
    assert "separate basins" in made.reasons[0]


def test_a_refinement_is_plain_data_and_knows_its_optimum(optima):
    made = refine(SPACE, optima["u"], population("u"))
    stored = json.loads(json.dumps(made.to_dict()))
    assert Space.named(**stored["space"]) == made.space
    assert made.optimum != refine(SPACE, optima["falls"]).optimum
    assert refine(SPACE, optima["u"], population("u")) == made
    assert np.isnan(refine(SPACE, optima["u"]).share)
    with pytest.raises(InputError, match="least_share"):
        refine(SPACE, optima["u"], least_share=10)


def test_halves_share_no_subnetwork_and_halve_every_population():
    frame = population("u", 101, originals=("m", "n"))
    seeds = pd.concat([frame.assign(seed=0), frame.assign(seed=1, error=0.2)], ignore_index=True)
    other = seeds[:30].assign(space="other")
    whole = pd.concat([seeds, other], ignore_index=True)
    fit, judge = split_population(whole, rng=np.random.default_rng(0))
    assert len(fit) + len(judge) == len(whole)
    assert not set(fit.subnetwork) & set(judge.subnetwork)
    for original in ("m", "n"):
        for space in ("initial", "other"):
            sizes = [
                part[(part.original == original) & (part.space == space)].subnetwork.nunique() for part in (fit, judge)
            ]
            assert abs(sizes[0] - sizes[1]) <= 2
    shuffled = split_population(whole.sample(frac=1, random_state=1), rng=np.random.default_rng(0))[0]
    assert set(shuffled.subnetwork) == set(fit.subnetwork)
    assert set(split_population(whole, rng=np.random.default_rng(1))[0].subnetwork) != set(fit.subnetwork)


def test_the_draws_saved_solve_for_equal_expected_bests():
    rng = np.random.default_rng(3)
    initial, refined = rng.standard_normal(400), rng.standard_normal(300) - 0.7
    found = compute_saved([(initial, refined)], k=100)
    target = least_of(np.sort(initial), np.array([100]))[0][0]
    curve = least_of(np.sort(refined), np.arange(1, 151))[0]
    m = int(np.flatnonzero(curve <= target)[0]) + 1
    assert m - 1 < found.draws.value <= m
    assert found.factor.value == pytest.approx(100 / found.draws.value)
    assert found.target == pytest.approx(target)
    assert found.factor.low <= found.factor.value <= found.factor.high
    moved = compute_saved([(3 * initial + 7, 3 * refined + 7)], k=100)
    assert moved.factor.to_dict() == pytest.approx(found.factor.to_dict())
    assert compute_saved([(initial, refined), (initial, refined)]).factor.value == pytest.approx(found.factor.value)


def test_a_target_that_is_not_reached_is_reported_as_censored():
    rng = np.random.default_rng(0)
    found = compute_saved([(rng.standard_normal(200), rng.standard_normal(40) + 3)], k=50)
    assert (found.reached, found.saves, found.factor.value, found.draws.high) == (False, False, 0.0, np.inf)
    assert 50 / 20 <= found.factor.high < 4
    assert "not reached" in found.words
    first = compute_saved([(rng.standard_normal(200), rng.standard_normal(40) - 9)], k=50)
    assert (first.draws.value, first.saves) == (1.0, True)
    assert "A single subnetwork reaches it" in first.words
    with pytest.raises(InputError, match="found 3 and 40"):
        compute_saved([(np.zeros(3), np.zeros(40))])


def test_head_to_head_reads_both_frames_and_keeps_originals_apart():
    initial = population("u", 300, originals=("m", "n"))
    refined = population("u", 200, seed=1, low=-0.2, high=0.2, name="a-refined", originals=("n", "m"))
    found = head_to_head(initial, refined, k=30, rng=np.random.default_rng(0))
    assert (found.initial, found.refined, found.regime) == ("initial", "a-refined", 0.5)
    assert [curves.original for curves in found.curves] == ["m", "n"]
    assert found.curves[0].edf_initial.n == 150
    assert found.p_better.low > 0.6
    assert found.saving.k == 30
    swapped = head_to_head(refined, initial, k=25, rng=np.random.default_rng(0))
    assert swapped.p_better.value == pytest.approx(1 - found.p_better.value)
    assert json.dumps(found.to_dict())
    assert "The target is the best of 37" in head_to_head(initial, refined).notes[-2]
    with pytest.raises(InputError, match=r"one regime; found 0\.5 and 0\.25"):
        head_to_head(initial, refined.assign(regime=0.25))


def test_the_whole_loop_finds_the_optimum_and_its_saving_on_fresh_draws():
    fit, judge = split_population(population("u", 400), rng=np.random.default_rng(0))
    made = refine(SPACE, find_optimum(fit, rng=np.random.default_rng(0)), fit)
    assert abs(np.log(made.band.low * made.band.high / 100**2)) / 2 < 0.2
    ends = np.log(made.band.low / 100), np.log(made.band.high / 100)
    fresh = population("u", 200, seed=5, low=ends[0], high=ends[1], name="refined")
    assert head_to_head(judge, fresh, rng=np.random.default_rng(0)).saving.saves


def test_bands_of_ratio_are_the_ones_that_sampling_knows():
    assert isinstance(refine(SPACE, find_optimum(population("u"))).band, RatioBand)
