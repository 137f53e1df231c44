"""The protocol of a run: one-shot or iterative pruning, recalibration and fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from prunestats.outcome import EpochMetric
from prunestats.runners.data.datasets import Data
from prunestats.runners.pruning.filter_choice import importance, most_important
from prunestats.runners.pruning.shrinking import keep_filters
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.training.batch_norm import recalibrate
from prunestats.runners.training.batches import random_batches
from prunestats.runners.training.checkpoint import TrainingCheckpoint
from prunestats.runners.training.device import memory_layout, place_network
from prunestats.runners.training.distillation import Teacher
from prunestats.runners.training.loop import train
from prunestats.runners.training.recipe import Recipe
from prunestats.runners.training.seeds import torch_seed


@dataclass(frozen=True)
class PruningProtocol:
    """Protocol by which a subnetwork is pruned and trained.

    Parameters
    ----------
    criterion, init : str
        As in `prune`.
    recipe : Recipe
        Recipe of fine-tuning.
    steps : int
        1 is one-shot pruning; more is iterative pruning, which removes the same number of filters in every step.
    step_epochs : int
        Epochs of fine-tuning between two steps, each time with a complete learning-rate schedule.
    taylor_batches : int
        Batches of training images from which the criterion "taylor" is computed.
    bn_recalibration : int
        Batches of training images on which batch-norm statistics are estimated again after the last step.
    distill_weight, distill_temperature : float
        As in `Teacher`, the original being the teacher; a weight of 0 means no distillation.
    """

    criterion: str
    init: str
    recipe: Recipe
    steps: int = 1
    step_epochs: int = 0
    taylor_batches: int = 8
    bn_recalibration: int = 0
    distill_weight: float = 0.0
    distill_temperature: float = 4.0

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> PruningProtocol:
        """The protocol of a study's table: missing keys have their defaults, keys of measurements are ignored."""
        of_recipe = {field.name for field in fields(Recipe)}
        own = {field.name for field in fields(cls)}
        recipe = Recipe(**{name: value for name, value in parameters.items() if name in of_recipe})
        return cls(recipe=recipe, **{name: value for name, value in parameters.items() if name in own})


def prune_and_train(
    network: nn.Module,
    trace: Trace,
    data: Data,
    widths: Sequence[int],
    protocol: PruningProtocol,
    *,
    rng: np.random.Generator,
    on_epoch: Callable[[EpochMetric], None] = lambda metric: None,
    on_pruned: Callable[[nn.Module], None] = lambda pruned: None,
    layout: torch.memory_format | None = None,
    checkpoint: TrainingCheckpoint | None = None,
) -> tuple[nn.Module, float | None]:
    """Prune an original to given widths and fine-tune it.

    Parameters
    ----------
    network : torch.nn.Module
        The original, which is not changed.
    trace : Trace
    data : Data
    widths : sequence of int, length groups
    protocol : PruningProtocol
    rng : numpy.random.Generator
        Source of all randomness. Torch's global generator is restored.
    on_epoch : callable
        Receives the metrics of the last fine-tuning; epoch 0 is before its first step.
    on_pruned : callable
        Receives the network after the last pruning step, before recalibration and fine-tuning; must not change it.
    layout : torch.memory_format, optional
        Memory format of the pruned network; by default `memory_layout` decides it from the original.
    checkpoint : TrainingCheckpoint, optional
        As in `train`. An interrupted run is pruned to the filters of before, without training in between, and goes on
        inside the training in which it was interrupted.

    Returns
    -------
    network : torch.nn.Module
    train_loss : float or None
        Mean cross-entropy of the last epoch in nats.

    Raises
    ------
    DivergedError
        If a loss is not finite.
    """
    small, remaining, filters = network, trace, list[NDArray[np.bool_]]()
    checkpoint = checkpoint or TrainingCheckpoint()
    known, begun = list(checkpoint.filters), checkpoint.found_stage or 0
    recipe, teacher = protocol.recipe, None
    layout = layout or memory_layout(network, data.example_input)
    if protocol.distill_weight > 0:
        teacher = Teacher(network, protocol.distill_weight, protocol.distill_temperature)
    with torch.random.fork_rng(devices=[]):
        for step, target in enumerate(_targets(trace, widths, protocol.steps)):
            if step > 0:
                remaining = remaining.kept(filters)
            if step > 0 and step >= begun:
                checkpoint.stage = step
                between = replace(recipe, epochs=protocol.step_epochs)
                train(small, data.train, data.validation, between, rng=rng, teacher=teacher, checkpoint=checkpoint)
            if step < len(known):
                filters = known[step]
            else:
                filters = _chosen_filters(small, remaining, data, target, protocol, rng)
                checkpoint.filters.append(filters)
            if step == 0:
                torch.manual_seed(torch_seed(rng))
            small = place_network(keep_filters(small, remaining, filters, init=protocol.init), layout)
        checkpoint.stage = protocol.steps
        if begun < protocol.steps:
            on_pruned(small)
            if protocol.bn_recalibration > 0:
                recalibrate(small, random_batches(data.train, recipe.batch_size, protocol.bn_recalibration, rng))
        loss = train(
            *(small, data.train, data.validation, recipe),
            rng=rng,
            on_epoch=on_epoch,
            teacher=teacher,
            checkpoint=checkpoint,
        )
    return small, loss


def _chosen_filters(
    network: nn.Module,
    trace: Trace,
    data: Data,
    target: NDArray[np.int64],
    protocol: PruningProtocol,
    rng: np.random.Generator,
) -> list[NDArray[np.bool_]]:
    """Filters that a pruning step keeps, by the criterion of the protocol."""
    batches = None
    if protocol.criterion == "taylor":
        batches = random_batches(data.train, protocol.recipe.batch_size, protocol.taylor_batches, rng)
    scores = importance(network, trace, criterion=protocol.criterion, rng=rng, batches=batches)
    return most_important(trace, scores, target)


def _targets(trace: Trace, widths: Sequence[int], steps: int) -> Iterator[NDArray[np.int64]]:
    """Widths after each step, interpolated linearly from the original's to the final ones."""
    start, end = trace.cost.sizes, np.asarray(widths, dtype=np.int64)
    for step in range(1, steps + 1):
        yield start - (start - end) * step // steps
