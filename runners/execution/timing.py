"""Timing of training and evaluation with one thread, as in a worker, from which the duration of a study follows."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import nn

from prunestats.runners.execution.dask_cluster import default_workers
from prunestats.runners.execution.given_weights import training_recipe
from prunestats.runners.execution.image_samples import first_images
from prunestats.runners.execution.study_plan import StudyPlan
from prunestats.runners.execution.trial import Trial, as_worker, kind
from prunestats.runners.study.duration import Pace, Splits, Timing, study_s
from prunestats.runners.training.device import device, place_data
from prunestats.runners.training.loop import evaluate, train
from prunestats.runners.training.protocol import PruningProtocol, prune_and_train
from prunestats.runners.training.recipe import Recipe
from prunestats.runners.training.seeds import derived_rng

# Seconds that a measurement is to take: long beside a step of a small network, short beside a study.
_ENOUGH_S = 0.15

# Measurements, of which the median ignores one that other work on the machine has slowed.
_REPEATS = 3

# Images in evaluation batches: enough that the overhead of a batch does not count, few enough for a large network.
_EVALUATED = 256

# A rate at which weights stay finite, and no step takes less time.
_RATE = 1e-12


def time_trial(planned: StudyPlan, trial: Trial) -> Timing:
    """Seconds an image of an original and of its subnetworks, on the device of this process with one thread.

    Parameters
    ----------
    planned : StudyPlan
    trial : Trial
        The networks are not changed.
    """
    data, protocol = planned.data, PruningProtocol.from_parameters(planned.study.protocol.parameters)
    recipe = training_recipe(trial.original.task.recipe) or protocol.recipe
    with as_worker():
        return Timing(
            Splits(len(data.train), len(data.validation), len(data.test)),
            _pace(planned, trial, trial.network, recipe),
            {regime.flops: _pace(planned, trial, one, protocol.recipe) for regime, one in trial.pruned},
            _prune_s(planned, trial, protocol),
            trial.prepare_s,
        )


def expected_s(planned: StudyPlan, trials: Sequence[Trial], timings: Sequence[Timing], workers: int | None) -> float:
    """Seconds that a study takes with a number of workers, by default one a GPU, or else one a core."""
    workers = default_workers() if workers is None else workers
    of = {kind(trial.original): timing for trial, timing in zip(trials, timings, strict=True)}
    trained = [training_recipe(one.task.recipe) for one in planned.originals]
    epochs = [recipe.epochs if recipe else None for recipe in trained]
    originals = [of[kind(one)].original_s(count) for one, count in zip(planned.originals, epochs, strict=True)]
    runs, counted = 0.0, set[str]()
    for population in planned.populations:
        new = set(population.keys) - counted
        counted |= new
        seconds = of[kind(population.original)].run_s(population.regime.flops, planned.study.protocol)
        runs += len(new) * len(planned.study.protocol.seeds) * seconds
    return study_s(originals, runs, max(timing.prepare_s for timing in timings), workers)


def _pace(planned: StudyPlan, trial: Trial, network: nn.Module, recipe: Recipe) -> Pace:
    network, data = copy.deepcopy(network), planned.data
    rng = derived_rng(0, "timing")
    recipe = replace(recipe, epochs=1, warmup_epochs=0, learning_rate=_RATE)

    def step(batches: int) -> int:
        images = min(len(data.train), batches * recipe.batch_size)
        part = place_data(first_images(data, train=images, evaluation=1), trial.layout)
        train(network, part.train, part.validation, recipe, rng=rng)
        return images

    def evaluation(batches: int) -> int:
        images = min(len(data.test), _EVALUATED)
        part = place_data(first_images(data, train=1, evaluation=images), trial.layout)
        for _ in range(batches):
            evaluate(network, part.test)
        return batches * images

    return Pace(_seconds_an_image(step), _seconds_an_image(evaluation))


def _seconds_an_image(act: Callable[[int], int]) -> float:
    """Median seconds an image of an action on some batches, which returns its images; the first call warms up."""
    act(1)
    images, seconds = _timed(act, 1)
    if seconds > _ENOUGH_S:
        return seconds / images
    batches = int(_ENOUGH_S / max(seconds, 1e-6))  # a microsecond, so that a clock that stands still divides nothing
    found = [_timed(act, batches) for _ in range(_REPEATS)]
    return statistics.median(seconds / images for images, seconds in found)


def _timed(act: Callable[[int], int], batches: int) -> tuple[int, float]:
    started = time.perf_counter()
    images = act(batches)
    if device().type == "cuda":
        torch.cuda.synchronize(device())
    return images, time.perf_counter() - started


def _prune_s(planned: StudyPlan, trial: Trial, protocol: PruningProtocol) -> float:
    batch = first_images(planned.data, train=protocol.recipe.batch_size, evaluation=1)
    data = place_data(batch, trial.layout)
    once = replace(protocol, steps=1, bn_recalibration=0, distill_weight=0.0, recipe=replace(protocol.recipe, epochs=0))
    widths = [group.size for group in trial.trace.groups]
    started = time.perf_counter()
    prune_and_train(trial.network, trial.trace, data, widths, once, rng=derived_rng(0, "timing"), layout=trial.layout)
    return time.perf_counter() - started
