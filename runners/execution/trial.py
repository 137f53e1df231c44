"""A trial of each original before a study: one training step and one evaluation, as `run` will do them.

What a network cannot do fails here, in one line, before anything is trained or stored.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from prunestats.errors import TrialError
from prunestats.outcome import EpochMetric
from prunestats.runners.data.datasets import Data
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan
from prunestats.runners.execution.trial_failures import check_training_outputs, divergence
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.checkpoint import load_checkpoint
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.pruning.tracing import trace
from prunestats.runners.training.device import device, memory_layout, place_data, place_network
from prunestats.runners.training.loop import evaluate, train
from prunestats.runners.training.protocol import PruningProtocol, prune_and_train
from prunestats.runners.training.recipe import Recipe
from prunestats.runners.training.seeds import derived_rng, torch_seed
from prunestats.spaces.space import Regime

# Multiply-adds of a forward pass in the trial on a CPU: about a second of one thread, three with the backward pass.
# Where a batch takes more, fewer images show the same errors; on a GPU the whole batch also shows whether memory does.
_MOST_FLOPS = 20_000_000_000

# Images at least: batch norm in training mode refuses one value per channel, which a batch of the study need not be.
_FEWEST_IMAGES = 2


# Widths in a message, which is to stay one line; deep networks have a hundred groups.
_SHOWN_WIDTHS = 8


@dataclass(frozen=True)
class Trial:
    """An original that has been tried.

    Parameters
    ----------
    original : PlannedOriginal
    network : torch.nn.Module
        The dense network before its training step, on the device of this process.
    trace : Trace
    pruned : tuple of (Regime, torch.nn.Module)
        In each regime, the sampled subnetwork with the fewest FLOPs, before its training step.
    layout : torch.memory_format
        Memory format in which it is trained.
    checkpoint : str
        What was unwrapped and removed to read its checkpoint; empty where nothing was.
    prepare_s : float
        Seconds to build and trace it, as each worker does once.
    diverged : tuple of str
        The steps after which a loss was not finite, in words; a run that does so is stored as failed.
    """

    original: PlannedOriginal
    network: nn.Module
    trace: Trace
    pruned: tuple[tuple[Regime, nn.Module], ...]
    layout: torch.memory_format
    checkpoint: str
    prepare_s: float
    diverged: tuple[str, ...]


def try_originals(planned: StudyPlan) -> tuple[Trial, ...]:
    """Take one training step and one evaluation of every original, and of a subnetwork of it in every regime.

    Parameters
    ----------
    planned : StudyPlan

    Returns
    -------
    tuple of Trial
        One for each original of the file; those that differ in their seed alone are tried once.

    Raises
    ------
    TrialError
        In one line: what failed, the line of the user's own file where there is one, and the error.

    Notes
    -----
    Device, memory format, recipe, criterion, pruning steps and distillation are those of the study, on one batch.
    Random numbers of later runs are not affected, as the state of torch's generators is restored.
    """
    distinct: dict[str, PlannedOriginal] = {}
    for original in planned.originals:
        distinct.setdefault(kind(original), original)
    with as_worker():
        return tuple(_try(planned, original) for original in distinct.values())


def kind(original: PlannedOriginal) -> str:
    """What originals have in common that differ in their seed alone."""
    return repr((original.task.network, original.task.recipe))


@contextmanager
def as_worker() -> Iterator[None]:
    """One thread, as in a worker, and torch's generators restored afterwards."""
    threads = torch.get_num_threads()
    gpus = [device()] if device().type == "cuda" else []
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.cuda.empty_cache()  # for the workers of the same GPU


def _try(planned: StudyPlan, original: PlannedOriginal) -> Trial:
    task, started = original.task, time.perf_counter()
    rng = derived_rng(task.seed, task.key, "trial")
    torch.manual_seed(torch_seed(rng))
    network = build_network(task.network, num_classes=planned.data.num_classes, seed=torch_seed(rng))
    traced = trace(network, planned.data.example_input)
    layout = memory_layout(network, planned.data.example_input)
    read = load_checkpoint(network, task.recipe["checkpoint"]) if "checkpoint" in task.recipe else ""
    network = place_network(network, layout)
    trial = Trial(original, network, traced, (), layout, read, time.perf_counter() - started, ())
    diverged = [_try_dense(planned, trial, rng)]
    pruned = []
    for regime, widths in _smallest(planned, original):
        small, problem = _try_subnetwork(planned, trial, regime, widths, rng)
        pruned.append((regime, small))
        diverged.append(problem)
    return replace(trial, pruned=tuple(pruned), diverged=tuple(filter(None, diverged)))


def _try_dense(planned: StudyPlan, trial: Trial, rng: np.random.Generator) -> str:
    recipe = None if "checkpoint" in trial.original.task.recipe else Recipe(**trial.original.task.recipe)
    batch_size = recipe.batch_size if recipe else planned.study.protocol.batch_size
    data, images = _batch(planned, trial, batch_size)
    log: list[EpochMetric] = []

    def act() -> None:
        network = copy.deepcopy(trial.network)
        if recipe is not None:
            some = data.train.batch(slice(0, _FEWEST_IMAGES))[0]
            check_training_outputs(trial.original.task.network, network, some, data.num_classes)
            one = _one_epoch(recipe, images)
            train(network, data.train, data.validation, one, rng=rng, on_epoch=log.append)
        evaluate(network, data.test)

    what = "one training step of the dense network" if recipe else "an evaluation of the dense network"
    problem = divergence(f"{trial.original.task.network}: {what}", act)
    if problem and not log:
        raise TrialError(f"{trial.original.task.network}: {problem} before any training: are its weights finite?")
    return problem and f"{what}: {problem}"


def _try_subnetwork(
    planned: StudyPlan, trial: Trial, regime: Regime, widths: list[int], rng: np.random.Generator
) -> tuple[nn.Module, str]:
    protocol = PruningProtocol.from_parameters(planned.study.protocol.parameters)
    data, images = _batch(planned, trial, protocol.recipe.batch_size)
    short = replace(
        protocol,
        recipe=_one_epoch(protocol.recipe, images),
        steps=min(protocol.steps, 2),
        step_epochs=min(protocol.step_epochs, 1),
    )
    pruned: list[nn.Module] = []

    def act() -> None:
        small, _ = prune_and_train(
            trial.network,
            trial.trace,
            data,
            widths,
            short,
            rng=rng,
            on_pruned=lambda one: pruned.append(copy.deepcopy(one)),
            layout=trial.layout,
        )
        evaluate(small, data.test)

    what = f"one training step of a subnetwork at {regime.flops:g} of the FLOPs (widths {_short(widths)})"
    problem = divergence(f"{trial.original.task.network}: {what}", act)
    return pruned[0] if pruned else trial.network, problem and f"{what}: {problem}"


def _batch(planned: StudyPlan, trial: Trial, batch_size: int) -> tuple[Data, int]:
    """First images of each split, as in a worker, and their number: a batch, or fewer where it takes too long.

    The training split has one more where the last batch of the study will be of a single image.
    """
    images = batch_size
    if device().type == "cpu":
        images = min(batch_size, max(_FEWEST_IMAGES, _MOST_FLOPS // max(trial.original.flops, 1)))
    data = planned.data
    alone = len(data.train) > 1 and len(data.train) % batch_size == 1
    return place_data(first_images(data, train=images + alone, evaluation=images), trial.layout), images


def first_images(data: Data, *, train: int, evaluation: int) -> Data:
    """The data with the first images of the training split, and of validation and test."""
    return replace(
        data,
        train=data.train.first(train),
        validation=data.validation.first(evaluation),
        test=data.test.first(evaluation),
    )


def _one_epoch(recipe: Recipe, batch_size: int) -> Recipe:
    # without warm-up, which may be longer than the trial
    return replace(recipe, epochs=min(recipe.epochs, 1), warmup_epochs=0, batch_size=batch_size)


def _smallest(planned: StudyPlan, original: PlannedOriginal) -> Iterator[tuple[Regime, list[int]]]:
    """In each regime, the widths of the sampled subnetwork with the fewest FLOPs, whose layers are the narrowest."""
    for regime in planned.study.regime_bands:
        samples = [
            population.sample
            for population in planned.populations
            if population.original is original and population.regime == regime
        ]
        if samples:  # a space may be sampled in some of the regimes only
            sampled = min(samples, key=lambda one: int(one.flops.min()))
            yield regime, sampled.widths[int(sampled.flops.argmin())].tolist()


def _short(widths: list[int]) -> str:
    shown = ", ".join(map(str, widths[:_SHOWN_WIDTHS]))
    return shown if len(widths) <= _SHOWN_WIDTHS else f"{shown}, ... of {len(widths)} groups"
