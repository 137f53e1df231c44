"""Training and evaluating a network on data that lives in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from prunestats.outcome import EpochMetric
from prunestats.runners.data import Split

_EVALUATION_BATCH = 1024


class DivergedError(Exception):
    """Training met a loss that is not finite."""


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with Nesterov momentum and a cosine schedule to zero.

    Parameters
    ----------
    epochs : int
        Passes over the training split; the last one is the result, never the best one.
    learning_rate : float
        Of the first step.
    batch_size : int
    momentum, weight_decay : float
    """

    epochs: int
    learning_rate: float
    batch_size: int
    momentum: float
    weight_decay: float


def train(
    network: nn.Module,
    train_split: Split,
    validation: Split,
    recipe: Recipe,
    *,
    rng: np.random.Generator,
    on_epoch: Callable[[EpochMetric], None] = lambda metric: None,
) -> float | None:
    """Train a network in place, and return the mean training loss of the last epoch.

    Parameters
    ----------
    network : torch.nn.Module
    train_split, validation : Split
        What is learned, and what each epoch is measured on.
    recipe : Recipe
    rng : numpy.random.Generator
        Source of the order of the batches.
    on_epoch : callable
        Receives the metrics after every epoch, and before the first.

    Returns
    -------
    float or None
        Cross-entropy in nats; None after no epoch.

    Raises
    ------
    DivergedError
        As soon as a batch's loss is not finite.
    """
    on_epoch(EpochMetric(0, None, *evaluate(network, validation)))
    if recipe.epochs == 0:
        return None
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )
    n = len(train_split)
    steps = recipe.epochs * math.ceil(n / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    train_loss = math.nan
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        order = torch.from_numpy(rng.permutation(n))
        total = 0.0
        for batch in order.split(recipe.batch_size):
            loss = functional.cross_entropy(network(train_split.images[batch]), train_split.labels[batch])
            if not math.isfinite(value := loss.item()):
                raise DivergedError(f"training loss became {value} in epoch {epoch}")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += value * len(batch)
        train_loss = total / n
        on_epoch(EpochMetric(epoch, train_loss, *evaluate(network, validation)))
    return train_loss


@torch.no_grad()
def evaluate(network: nn.Module, split: Split) -> tuple[float, float]:
    """Error and loss of a network on a split.

    Parameters
    ----------
    network : torch.nn.Module
    split : Split

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
    for images, labels in zip(
        split.images.split(_EVALUATION_BATCH), split.labels.split(_EVALUATION_BATCH), strict=True
    ):
        logits: Tensor = network(images)
        wrong += int((logits.argmax(1) != labels).sum())
        total += float(functional.cross_entropy(logits.double(), labels, reduction="sum"))
    loss = total / len(split)
    if not math.isfinite(loss):
        raise DivergedError(f"evaluation loss became {loss}")
    return wrong / len(split), loss
