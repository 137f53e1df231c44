"""Training loop and evaluation of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler
from torch.optim.sgd import sgd

from prunestats.outcome import EpochMetric
from prunestats.runners.data.datasets import ImageSplit
from prunestats.runners.training.augmentation import crop_and_flip
from prunestats.runners.training.distillation import Teacher

# Evaluation stores no activations for gradients, so batches may be large; it bounds memory and changes only rounding.
_EVALUATION_BATCH = 1024


class DivergedError(Exception):
    """Training or evaluation gave a loss that is not finite."""


@dataclass(frozen=True)
class Recipe:
    """A training recipe: optimiser, learning-rate schedule and regularisation.

    Parameters
    ----------
    epochs : int
        Passes over the training split. Metrics are those after the last epoch, as choosing the best would bias them.
    learning_rate : float
        The maximum of the schedule.
    batch_size : int
    momentum, weight_decay : float
        `momentum` is Nesterov momentum, for "sgd" only.
    optimiser : {"sgd", "adamw"}
        Stochastic gradient descent, or Adam with decoupled weight decay [1]_.
    schedule : {"cosine", "step"}
        Learning rate: cosine annealing to zero, or multiplied by `decay` at each of the `milestones`.
    milestones : tuple of float
        Fractions of the training, in (0, 1).
    decay : float
    warmup_epochs : int
        Epochs in which the learning rate rises linearly to its maximum.
    label_smoothing : float
        Probability that is spread uniformly over all classes.
    augment : {"none", "crop_flip"}
        Random crops with 4 pixels of padding, and horizontal flips.
    precision : {"float32", "bf16", "fp16"}
        Precision of the forward pass in training on a GPU. Training on a CPU and all evaluation use float32.

    References
    ----------
    .. [1] Loshchilov and Hutter (2019). Decoupled weight decay regularization. ICLR.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    momentum: float
    weight_decay: float
    optimiser: str = "sgd"
    schedule: str = "cosine"
    milestones: tuple[float, ...] = (0.5, 0.75)
    decay: float = 0.1
    warmup_epochs: int = 0
    label_smoothing: float = 0.0
    augment: str = "none"
    precision: str = "float32"


def train(
    network: nn.Module,
    train_split: ImageSplit,
    validation: ImageSplit,
    recipe: Recipe,
    *,
    rng: np.random.Generator,
    on_epoch: Callable[[EpochMetric], None] = lambda metric: None,
    teacher: Teacher | None = None,
) -> float | None:
    """Train a network in place and return its mean training loss over the last epoch.

    Parameters
    ----------
    network : torch.nn.Module
        On the device of the splits.
    train_split, validation : ImageSplit
        Images to train on, and images on which every epoch is evaluated.
    recipe : Recipe
    rng : numpy.random.Generator
        Source of the order of batches and of augmentation.
    on_epoch : callable
        Receives the metrics before the first epoch and after every epoch.
    teacher : Teacher, optional
        The teacher of knowledge distillation.

    Returns
    -------
    float or None
        Cross-entropy with the labels in nats, whatever loss is minimised; None if `epochs` is 0.

    Raises
    ------
    DivergedError
        As soon as the loss of a batch is not finite.
    """
    on_epoch(EpochMetric(0, None, *evaluate(network, validation)))
    if recipe.epochs == 0:
        return None
    n = len(train_split)
    optimiser = _optimiser(network, recipe)
    schedule = _schedule(optimiser, recipe, math.ceil(n / recipe.batch_size))
    device = train_split.labels.device
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16" and device.type == "cuda")
    train_loss = math.nan
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        total = 0.0
        for members in shuffled(n, recipe.batch_size, rng):
            images, labels = train_split.batch(members)
            if recipe.augment == "crop_flip":
                images = crop_and_flip(images, rng)
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
            total += (value if cross_entropy is loss else cross_entropy.item()) * len(members)
        train_loss = total / n
        on_epoch(EpochMetric(epoch, train_loss, *evaluate(network, validation)))
    return train_loss


def shuffled(n: int, batch_size: int, rng: np.random.Generator) -> list[Tensor]:
    """Batches of the indices 0 to n - 1 in random order."""
    return list(torch.from_numpy(rng.permutation(n)).split(batch_size))


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, fused=True)
    on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
    return (_LeanSGD if on_cpu else torch.optim.SGD)(
        network.parameters(),
        lr=rate,
        momentum=recipe.momentum,
        weight_decay=decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )


class _LeanSGD(torch.optim.SGD):
    """SGD with less overhead, bit for bit the same, for one group of parameters on a CPU.

    torch looks up the options and state of each parameter in every step, which takes longer than updating the weights
    of a small network. Which parameters have gradients must not change after the first step.
    """

    trainable: tuple[Tensor, ...] = ()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients to None."""
        for parameter in self.trainable or self.param_groups[0]["params"]:
            parameter.grad = None

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the weights."""
        options = self.param_groups[0]
        if not self.trainable:
            self.trainable = tuple(parameter for parameter in options["params"] if parameter.grad is not None)
            self.velocities: list[Tensor | None] = [None] * len(self.trainable)
        named = {
            name: options[name] for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        }
        gradients: list[Any] = [parameter.grad for parameter in self.trainable]
        sgd(list(self.trainable), gradients, self.velocities, fused=True, **named)


def _schedule(optimiser: torch.optim.Optimizer, recipe: Recipe, steps_an_epoch: int) -> LRScheduler:
    steps, warmup = recipe.epochs * steps_an_epoch, recipe.warmup_epochs * steps_an_epoch
    if recipe.schedule == "cosine" and warmup == 0:
        return CosineAnnealingLR(
            optimiser, steps
        )  # without warm-up, as `factor` rounds differently and stored runs must be reproduced

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if recipe.schedule == "step":
            return float(recipe.decay ** sum(step >= part * steps for part in recipe.milestones))
        return (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2

    return LambdaLR(optimiser, factor)


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
