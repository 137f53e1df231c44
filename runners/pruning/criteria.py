"""Pruning criteria: scores of a layer's filters, whose sum over layers is their importance in the group."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.errors import InputError
from prunestats.runners.pruning.traced import Trace

Batches = Sequence[tuple[Tensor, Tensor]]
Scores = dict[str, NDArray[np.float64]]

CRITERIA = ("l1", "l2", "bn_scale", "geometric_median", "taylor", "random", "first")


def layer_scores(network: nn.Module, trace: Trace, criterion: str, batches: Batches | None) -> Scores:
    """Scores of the output channels of each layer that the criterion uses, by the layer's name."""
    check_criterion(trace, criterion)
    if criterion == "taylor":
        return _taylor(network, trace, batches)
    modules = dict(network.named_modules())
    scores: Scores = {}
    for layer in trace.layers:
        module: Any = modules[layer.name]
        if (criterion == "bn_scale") == isinstance(module, _BatchNorm) and module.weight is not None:
            scores[layer.name] = _score(module.weight.detach(), criterion).cpu().numpy()
    return scores


def check_criterion(trace: Trace, criterion: str) -> None:
    """Refuse a criterion that is not defined for some group of a network.

    Raises
    ------
    InputError
        The message names the group.
    """
    if criterion != "bn_scale":
        return
    scaled = set()
    for layer, cost in zip(trace.layers, trace.cost.layers, strict=True):
        if layer.kind.startswith(("BatchNorm", "SyncBatchNorm")) and cost.params_per_out:
            scaled |= set(layer.outputs.group.tolist())
    for index, group in enumerate(trace.groups):
        if index not in scaled:
            raise InputError(f"criterion 'bn_scale' needs a batch norm after each group; {group.name!r} has none")


def _score(weight: Tensor, criterion: str) -> Tensor:
    flat = weight.double().flatten(1) if weight.dim() > 1 else weight.double()
    if criterion == "bn_scale":
        return flat.abs()
    if criterion == "l1":
        return flat.abs().sum(1)
    if criterion == "l2":
        norms: Tensor = torch.linalg.vector_norm(flat, dim=1)
        return norms
    return _distances(flat).sum(1)


def _distances(rows: Tensor) -> Tensor:
    """Euclidean distances between all pairs of rows, shape (n, n)."""
    squares: Tensor = (rows**2).sum(1)
    squared: Tensor = squares[:, None] + squares - 2 * rows @ rows.T
    return squared.clamp(min=0).fill_diagonal_(0).sqrt()


def _taylor(network: nn.Module, trace: Trace, batches: Batches | None) -> Scores:
    """Mean over batches of the squared first-order change of the loss when a filter's weights are set to zero.

    In evaluation mode: with batch statistics, batch norm cancels any scaling of a filter, and every change would be 0.
    """
    if not batches:
        raise InputError("criterion 'taylor' needs batches of training images and labels; found none: pass batches")
    probe = copy.deepcopy(network).eval().requires_grad_(True)
    modules: dict[str, Any] = dict(probe.named_modules())
    names = [layer.name for layer in trace.layers if not isinstance(modules[layer.name], _BatchNorm)]
    weights = [modules[name].weight for name in names]
    scores = {name: np.zeros(len(weight)) for name, weight in zip(names, weights, strict=True)}
    for images, labels in batches:
        gradients = torch.autograd.grad(functional.cross_entropy(probe(images), labels), weights)
        for name, weight, gradient in zip(names, weights, gradients, strict=True):
            change = (weight.detach() * gradient).flatten(1).double().sum(1)
            scores[name] += (change**2).cpu().numpy() / len(batches)
    return scores
