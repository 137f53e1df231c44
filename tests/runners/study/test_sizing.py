"""The size of a short study from given seconds, and its text."""

from dataclasses import replace

import pytest

from prunestats.runners.study.duration import Pace, Splits, Timing, study_s
from prunestats.runners.study.file import parse_study
from prunestats.runners.study.short_study import ShortStudy
from prunestats.runners.study.sizing import StudySize, fitted_size, short_study_s
from prunestats.runners.study.tables import ProtocolConfig
from prunestats.spaces.constraints import WidthDivisor

FAST = Timing(Splits(1000, 250, 400), Pace(3e-4, 1e-4), {0.5: Pace(2e-4, 6e-5), 0.25: Pace(1e-4, 4e-5)}, 0.01, 0.5)
REGIMES = (0.5, 0.25)


def times(factor):
    slower = {regime: Pace(factor * one.train_s, factor * one.evaluate_s) for regime, one in FAST.pruned.items()}
    dense = Pace(factor * FAST.dense.train_s, factor * FAST.dense.evaluate_s)
    return replace(FAST, dense=dense, pruned=slower)


def test_seconds_of_an_original_and_of_a_run_are_those_of_their_images():
    # 10 epochs of 1,000 images and their validation; validation before training; both splits at the end
    assert FAST.original_s(10) == pytest.approx(10 * (0.3 + 0.025) + 0.025 + 0.025 + 0.04)
    assert FAST.original_s(None) == pytest.approx(0.025 + 0.04)
    plain = FAST.run_s(0.5, ProtocolConfig(epochs=2, learning_rate=0.1))
    assert plain == pytest.approx(2 * (0.2 + 0.015) + 0.015 + 0.024 + 0.01 + 0.02)


@pytest.mark.parametrize(
    "more", [{"distill_weight": 0.5}, {"proxies": True}, {"latency": True}, {"steps": 2, "step_epochs": 1}]
)
def test_what_else_a_run_does_takes_longer(more):
    plain = ProtocolConfig(epochs=2, learning_rate=0.1)
    assert FAST.run_s(0.5, ProtocolConfig(epochs=2, learning_rate=0.1, **more)) > FAST.run_s(0.5, plain)


def test_originals_are_bounded_by_the_longest_and_runs_are_shared():
    alone = study_s([10.0], 100.0, 1.0, 0)
    assert alone == 111.0
    assert study_s([10.0, 10.0], 100.0, 1.0, 2) < study_s([20.0], 100.0, 1.0, 2)
    assert study_s([10.0], 1000.0, 1.0, 4) < study_s([10.0], 1000.0, 1.0, 2) < 1000.0


@pytest.mark.parametrize("factor", [0.1, 1, 5, 20])
@pytest.mark.parametrize("minutes", [5, 10, 60])
def test_what_fits_does_fit_and_is_as_large_as_possible(factor, minutes):
    timing = times(factor)
    found = fitted_size(timing, REGIMES, minutes=minutes, workers=2)
    assert found.seconds == short_study_s(timing, REGIMES, found.size, 2, trained=True)
    assert 10 <= found.size.subnetworks <= 60
    assert found.fits
    assert found.seconds <= 0.8 * 60 * minutes
    assert found.minutes <= minutes
    one_more = replace(found.size, subnetworks=found.size.subnetworks + 1)
    larger = short_study_s(timing, REGIMES, one_more, 2, trained=True)
    assert found.size.subnetworks == 60 or larger > 0.8 * 60 * minutes


def test_more_minutes_are_never_a_smaller_study():
    sizes = [fitted_size(times(10), REGIMES, minutes=minutes, workers=2).size for minutes in (4, 8, 16, 32, 64, 128)]
    effort = [(size.seeds, size.original_epochs) for size in sizes]
    assert effort == sorted(effort)
    assert effort[-1][0] == 2


def test_time_that_is_short_takes_seeds_last():
    found = [fitted_size(times(factor), REGIMES, minutes=10, workers=2) for factor in (1, 10, 30, 60)]
    assert [one.size.seeds for one in found[:2]] == [2, 2]
    assert found[0].size.epochs > found[1].size.epochs
    assert all(one.size.subnetworks >= 10 for one in found)


def test_the_least_study_is_given_where_none_fits_with_the_minutes_that_it_needs():
    timing = times(1000)
    found = fitted_size(timing, REGIMES, minutes=10, workers=2)
    assert not found.fits
    assert found.size == StudySize(2, 1, 10, 1)
    assert fitted_size(timing, REGIMES, minutes=found.minutes, workers=2).fits
    assert not fitted_size(timing, REGIMES, minutes=found.minutes - 1, workers=2).fits


def test_a_small_network_has_fewer_subnetworks():
    assert fitted_size(FAST, REGIMES, minutes=60, workers=2, most=30).size.subnetworks == 30
    assert fitted_size(FAST, REGIMES, minutes=60, workers=2, most=10).size.subnetworks == 10


DRAFT = ShortStudy(
    name="Net-images",
    data={"name": "npz", "folder": 'my "images".npz'},
    network="mynet:Net",
    checkpoint=None,
    flops=REGIMES,
    tolerance=None,
    batch_norm=True,
    training_images=1000,
    size=StudySize(20, 2, 25, 2),
)


def test_the_text_is_a_study_of_about_twenty_lines():
    study = parse_study(DRAFT.text)
    assert 18 <= len([line for line in DRAFT.text.splitlines() if line]) <= 25
    assert max(len(line) for line in DRAFT.text.splitlines()) <= 110
    assert (study.name, study.data.folder, study.originals[0].network) == ("Net-images", 'my "images".npz', "mynet:Net")
    assert (study.regimes.flops, study.regimes.tolerance) == (REGIMES, 0.02)
    assert [space.sampler for space in study.spaces] == ["independent", "jittered_uniform"]
    assert (study.originals[0].epochs, study.protocol.epochs) == (20, 2)
    assert (study.population.subnetworks, study.protocol.seeds) == (25, (0, 1))
    assert study.originals[0].learning_rate > study.protocol.learning_rate


def test_the_text_with_a_divisor_constrains_both_spaces():
    text = replace(DRAFT, divisor=8).text
    assert [space.space().constraints for space in parse_study(text).spaces] == [(WidthDivisor(8),)] * 2
    assert max(len(line) for line in text.splitlines()) <= 112
    assert "width_divisor" not in DRAFT.text


def test_the_text_follows_network_and_data():
    plain = parse_study(replace(DRAFT, batch_norm=False, training_images=45_000).text)
    assert plain.originals[0].learning_rate < parse_study(DRAFT.text).originals[0].learning_rate
    assert plain.originals[0].batch_size > parse_study(DRAFT.text).originals[0].batch_size
    cifar = parse_study(replace(DRAFT, data={"name": "cifar10", "folder": "data"}, tolerance=0.05).text)
    assert cifar.originals[0].augment == cifar.protocol.augment == "crop_flip"
    assert cifar.regimes.tolerance == 0.05
    given = parse_study(replace(DRAFT, checkpoint="net.pth").text)
    assert (given.originals[0].checkpoint, given.originals[0].epochs) == ("net.pth", 0)
