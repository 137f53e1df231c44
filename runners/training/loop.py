"""Training loop and evaluation of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from prunestats.outcome import EpochMetric
from prunestats.runners.data.datasets import ImageSplit
from prunestats.runners.data.loader_split import LoaderSplit
from prunestats.runners.training.batches import training_batches
from prunestats.runners.training.checkpoint import TrainingCheckpoint, TrainingState
from prunestats.runners.training.distillation import Teacher
from prunestats.runners.training.recipe import Recipe, make_optimiser, make_schedule

# Evaluation stores no activations for gradients, so batches may be large; it bounds memory and changes only rounding.
_EVALUATION_BATCH = 1024


class DivergedError(Exception):
    """Training or evaluation gave a loss that is not finite."""


def train(
    network: nn.Module,
    train_split: ImageSplit | LoaderSplit,
    validation: ImageSplit,
    recipe: Recipe,
    *,
    rng: np.random.Generator,
    on_epoch: Callable[[EpochMetric], None] = lambda metric: None,
    teacher: Teacher | None = None,
    checkpoint: TrainingCheckpoint | None = None,
) -> float | None:
    """Train a network in place and return its mean training loss over the last epoch.

    Parameters
    ----------
    network : torch.nn.Module
        On the device of the splits.
    train_split : ImageSplit or LoaderSplit
        Images to train on.
    validation : ImageSplit
        Images on which every epoch is evaluated.
    recipe : Recipe
    rng : numpy.random.Generator
        Source of the order of batches and of augmentation.
    on_epoch : callable
        Receives the metrics before the first epoch and after every epoch.
    teacher : Teacher, optional
        The teacher of knowledge distillation.
    checkpoint : TrainingCheckpoint, optional
        Where the state is written after an epoch, and from which an interrupted training goes on after its last one.

    Returns
    -------
    float or None
        Cross-entropy with the labels in nats, whatever loss is minimised; None if `epochs` is 0.

    Raises
    ------
    DivergedError
        As soon as the loss of a batch is not finite.
    """
    checkpoint = checkpoint or TrainingCheckpoint()
    if checkpoint.found_stage is None:
        on_epoch(EpochMetric(0, None, *evaluate(network, validation)))
    if recipe.epochs == 0:
        return None
    n = len(train_split)
    optimiser = make_optimiser(network, recipe)
    schedule = make_schedule(optimiser, recipe, math.ceil(n / recipe.batch_size))
    device = train_split.device
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16" and device.type == "cuda")
    state = TrainingState(network, optimiser, schedule, scaler, rng)
    last, train_loss = checkpoint.restore(state)
    for epoch in range(last + 1, recipe.epochs + 1):
        network.train()
        total = 0.0
        for images, labels in training_batches(train_split, recipe.batch_size, recipe.augment, rng):
            with _autocast(device, recipe.precision):
                logits = network(images)
            cross_entropy, loss = _losses(logits.float(), labels, images, recipe, teacher)
            if not math.isfinite(value := loss.item()):
                raise DivergedError(f"training loss became {value} in epoch {epoch}")
            optimiser.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimiser)
            scaler.update()
            schedule.step()
            total += (value if cross_entropy is loss else cross_entropy.item()) * len(labels)
        train_loss = total / n
        on_epoch(EpochMetric(epoch, train_loss, *evaluate(network, validation)))
        checkpoint.after_epoch(state, epoch, train_loss)
    return train_loss


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Automatic mixed precision on a GPU; no effect on a CPU."""
    if device.type != "cuda" or precision == "float32":
        return nullcontext()
    return torch.autocast("cuda", torch.bfloat16 if precision == "bf16" else torch.float16)


def _losses(
    logits: Tensor, labels: Tensor, images: Tensor, recipe: Recipe, teacher: Teacher | None
) -> tuple[Tensor, Tensor]:
    """Cross-entropy with the labels, and the loss to minimise, with label smoothing and distillation."""
    cross_entropy = loss = functional.cross_entropy(logits, labels)
    if recipe.label_smoothing > 0:
        loss = functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
    if teacher is not None:
        loss = (1 - teacher.weight) * loss + teacher.weight * teacher.loss(logits, images)
    return cross_entropy, loss


@torch.no_grad()
def evaluate(network: nn.Module, split: ImageSplit) -> tuple[float, float]:
    """Top-1 error and cross-entropy of a network on a split.

    Parameters
    ----------
    network : torch.nn.Module
    split : ImageSplit

    Returns
    -------
    error : float
        1 - top-1 accuracy, a fraction in [0, 1].
    loss : float
        Mean cross-entropy in nats.

    Raises
    ------
    DivergedError
        If the loss is not finite.
    """
    network.eval()
    wrong, total = 0, 0.0
    for start in range(0, len(split), _EVALUATION_BATCH):
        images, labels = split.batch(slice(start, start + _EVALUATION_BATCH))
        logits: Tensor = network(images)
        wrong += int((logits.argmax(1) != labels).sum())
        total += float(functional.cross_entropy(logits.double(), labels, reduction="sum"))
    loss = total / len(split)
    if not math.isfinite(loss):
        raise DivergedError(f"evaluation loss became {loss}")
    return wrong / len(split), loss
