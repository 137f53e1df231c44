"""Learning the answers of another network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Teacher:
    """A network whose answers another one learns beside the labels.

    Parameters
    ----------
    network : torch.nn.Module
    weight : float
        Part of the loss, in (0, 1], that is its divergence from the teacher; the rest is cross-entropy.
    temperature : float
        Divides the logits of both.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean (2015). Distilling the knowledge in a neural network. arXiv 1503.02531, section 2.
    """

    network: nn.Module
    weight: float
    temperature: float

    def loss(self, logits: Tensor, images: Tensor) -> Tensor:
        """Kullback-Leibler divergence from the teacher's answers, in nats, times the squared temperature."""
        with torch.no_grad():
            answers = functional.log_softmax(self.network.eval()(images).float() / self.temperature, dim=1)
        own = functional.log_softmax(logits / self.temperature, dim=1)
        return functional.kl_div(own, answers, reduction="batchmean", log_target=True) * self.temperature**2
