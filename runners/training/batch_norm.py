"""Recalibration: batch-norm statistics of a pruned network, estimated again."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Replace running means and variances by their unweighted averages over batches of training images, in place.

    Parameters
    ----------
    network : torch.nn.Module
        Only its batch norms are in training mode meanwhile; afterwards the network is in evaluation mode.
    batches : iterable of (Tensor, Tensor)
        Images and labels.

    References
    ----------
    .. [1] Li, Wu, Su and Wang (2020). EagleEye: fast sub-net evaluation for efficient neural network pruning. ECCV,
       section 3.3.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    momenta = [module.momentum for module in norms]
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # a cumulative average
        module.train()
    for images, _ in batches:
        network(images)
    for module, momentum in zip(norms, momenta, strict=True):
        module.momentum = momentum
    network.eval()
