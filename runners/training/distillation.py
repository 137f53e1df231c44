"""Knowledge distillation: a loss that pulls a network's outputs towards those of a teacher."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Teacher:
    """The teacher of knowledge distillation.

    Parameters
    ----------
    network : torch.nn.Module
    weight : float
        Weight of the divergence from the teacher in the loss, in (0, 1]; the rest is cross-entropy with the labels.
    temperature : float
        Divides the logits of both networks.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean (2015). Distilling the knowledge in a neural network. arXiv 1503.02531, section 2.
    """

    network: nn.Module
    weight: float
    temperature: float

    def loss(self, logits: Tensor, images: Tensor) -> Tensor:
        """Kullback-Leibler divergence from the teacher's softened outputs, in nats, times the squared temperature."""
        with torch.no_grad():
            targets = functional.log_softmax(self.network.eval()(images).float() / self.temperature, dim=1)
        outputs = functional.log_softmax(logits / self.temperature, dim=1)
        return functional.kl_div(outputs, targets, reduction="batchmean", log_target=True) * self.temperature**2
