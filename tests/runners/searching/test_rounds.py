"""The studies of a search: trainings, seeds, and the space of the candidates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prunestats.cost.model import CostModel, Layer
from prunestats.errors import InputError
from prunestats.runners.searching.halving import search_cost
from prunestats.runners.searching.rounds import SearchOptions, candidate_space, search_plan, uniform_widths
from prunestats.runners.study.file import parse_study
from prunestats.spaces.samplers import Independent
from prunestats.spaces.space import Regime, Space, WidthDivisor

STUDY = """
name = "small"
[[originals]]
network = "resnet_digits"
seeds = [4, 5]
epochs = 1
learning_rate = 0.1
[[originals]]
network = "resnet20"
epochs = 1
learning_rate = 0.1
[regimes]
flops = [0.5, 0.25]
tolerance = 0.05
[[spaces]]
name = "initial"
sampler = "independent"
regimes = [0.5]
[[spaces]]
name = "other"
sampler = "stage_wise"
[protocol]
epochs = 9
learning_rate = 0.1
seeds = [0, 7]
"""


def planned(budget=40, network="resnet_digits", flops=0.5, **options):
    return search_plan(parse_study(STUDY), SearchOptions(flops, budget, network, **options))


def test_seeds_for_selection_and_reporting_are_new_and_disjoint():
    plan = planned()
    parts = [plan.first_rung(), plan.later_rung(1, [[1] * 6]), plan.finalists([[1] * 6]), plan.confirmation([[1] * 6])]
    seeds = [part.protocol.seeds for part in parts]
    assert seeds == [(8,), (8,), (9, 10), (11, 12, 13)]
    assert [part.protocol.epochs for part in parts] == [1, 3, 9, 9]


def test_one_original_one_regime_one_space():
    part = planned().first_rung()
    assert [(original.network, original.seeds) for original in part.originals] == [("resnet_digits", (4,))]
    assert part.regimes.flops == (0.5,)
    assert [space.name for space in part.spaces] == ["initial"]
    assert part.name == "small search 0.5 of resnet_digits, budget 40, rung 1"


def test_an_original_from_a_checkpoint_is_searched_as_any_other():
    study = parse_study(STUDY.replace("seeds = [4, 5]\nepochs = 1\nlearning_rate = 0.1", 'checkpoint = "w.pth"'))
    (original,) = search_plan(study, SearchOptions(0.5, 40, "resnet_digits")).first_rung().originals
    assert original == study.originals[0]


def test_everything_together_is_within_the_budget():
    plan = planned(60, finalists=2, finalist_seeds=3, confirm_seeds=4)
    assert search_cost(plan.rungs) + (2 + 1) * 3 + 2 * 4 <= 60


def population(trend):
    rng = np.random.default_rng(0)
    params = rng.integers(5_000, 20_000, 120)
    signal = np.log(params / 10_000)
    loss = 0.1 + 0.2 * (signal**2 if trend == "bent" else 0 * signal) + 0.004 * rng.standard_normal(120)
    keys = [f"s{i}" for i in range(120)]
    frame = pd.DataFrame({"subnetwork": keys, "flops": 1_000_000, "params": params, "error": loss})
    return frame.assign(original="a", seed=0, log_cross_entropy=np.log(loss))


def test_candidates_are_sampled_around_an_estimated_optimum():
    space, reasons = candidate_space(Space("initial", Independent()), population("bent"))
    assert space.name == "initial-refined"
    assert any("interior" in reason for reason in reasons)
    assert replace(planned(), space=space).first_rung().spaces[0].space() == space


def test_without_an_optimum_they_are_sampled_from_the_first_space_with_the_reason():
    initial = Space("initial", Independent())
    space, reasons = candidate_space(initial, population("none"))
    assert space == initial
    assert reasons[-1] == "Candidates are sampled from the study's first space."
    assert "prunestats run" in candidate_space(initial, None)[1][0]
    assert candidate_space(initial, population("bent").head(2))[0] == initial


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"network": None}, "the study has resnet_digits, resnet20: select one with --network"),
        ({"network": "vgg"}, "found 'vgg'"),
        ({"budget": 16}, "budget of 17 trainings or more: 14 for finalists and confirmation"),
        ({"confirm_seeds": 1}, "confirm_seeds must be 2 or more"),
        ({"finalists": 0}, "finalists must be 1 or more; found 0"),
        ({"flops": 25}, "flops must be a fraction above 0 and at most 1; found 25"),
    ],
)
def test_what_cannot_be_searched_is_refused(options, reason):
    with pytest.raises(InputError, match=reason):
        planned(**options)


def test_a_protocol_without_training_is_refused():
    study = parse_study(
        STUDY.replace("epochs = 9\nlearning_rate = 0.1\nseeds", "epochs = 0\nlearning_rate = 0.1\nseeds")
    )
    with pytest.raises(InputError, match="epochs = 0"):
        search_plan(study, SearchOptions(0.5, 40, "resnet_digits"))


LAYERS = (Layer("conv", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9, 0, 9, 0),)
COST = CostModel(("a", "b"), (64, 64), LAYERS)


def test_uniform_pruning_keeps_one_ratio_and_is_nearest_to_the_target():
    widths = uniform_widths(COST, Space("s", Independent()), Regime(0.5, 0.02))
    every = [[k, k] for k in range(1, 65)]
    nearest = min(every, key=lambda row: abs(row[0] * row[1] - 0.5 * 64 * 64))
    assert widths == nearest


def test_uniform_pruning_that_cannot_meet_the_band_is_none():
    space = Space("s", Independent(), (WidthDivisor(32),))
    assert uniform_widths(COST, space, Regime(0.5, 0.02)) is None
