"""The recipe of a training, with its optimiser and learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler
from torch.optim.sgd import sgd


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
    augment : {"none", "crop_flip", "resized_crop_flip"}
        Random crops with 4 pixels of padding, or random resized crops, and horizontal flips.
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


def make_optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe for the parameters of a network."""
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
    velocities: list[Tensor | None] = []  # noqa: RUF012 - replaced, never changed

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
            # those of a checkpoint, where the training was interrupted
            self.velocities = self.velocities or [None] * len(self.trainable)
        named = {
            name: options[name] for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        }
        gradients: list[Any] = [parameter.grad for parameter in self.trainable]
        sgd(list(self.trainable), gradients, self.velocities, fused=True, **named)

    def state_dict(self) -> dict[str, Any]:
        """Options, and the velocities of the trainable parameters."""
        return {**super().state_dict(), "velocities": self.velocities}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore options and velocities."""
        self.velocities = state_dict["velocities"]
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "velocities"})


def make_schedule(optimiser: torch.optim.Optimizer, recipe: Recipe, steps_an_epoch: int) -> LRScheduler:
    """The learning-rate schedule of a recipe, stepped after every batch."""
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
