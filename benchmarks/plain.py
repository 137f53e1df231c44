"""The loop that a user would write for the digits study: Torch-Pruning, DataLoader, one process."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch_pruning as tp
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from prunestats.runners.data import Data, Split
from prunestats.runners.trace import Trace


def prune_plainly(original: nn.Module, trace: Trace, widths: Sequence[int], example: torch.Tensor) -> nn.Module:
    """Remove the filters of least L1 norm, group by group, by Torch-Pruning's low-level interface."""
    network = copy.deepcopy(original)
    graph = tp.DependencyGraph().build_dependency(network, example_inputs=example)
    modules = dict(network.named_modules())
    importance = tp.importance.GroupMagnitudeImportance(p=1)
    for group, width in zip(trace.groups, widths, strict=True):
        root = modules[group.name]
        whole = graph.get_pruning_group(root, tp.prune_conv_out_channels, list(range(group.size)))
        least = torch.argsort(importance(whole))[: group.size - width].tolist()
        if least:
            graph.get_pruning_group(root, tp.prune_conv_out_channels, least).prune()
    return network


def fine_tune(network: nn.Module, data: Data, epochs: int, learning_rate: float, batch_size: int) -> float:
    """Train, validate after every epoch, and return the error on the test split."""
    loader = DataLoader(TensorDataset(data.train.images, data.train.labels), batch_size, shuffle=True)
    optimiser = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * len(loader))
    evaluate(network, data.validation, batch_size)
    for _ in range(epochs):
        network.train()
        for images, labels in loader:
            optimiser.zero_grad()
            functional.cross_entropy(network(images), labels).backward()
            optimiser.step()
            schedule.step()
        evaluate(network, data.validation, batch_size)
    return evaluate(network, data.test, batch_size)


@torch.no_grad()
def evaluate(network: nn.Module, split: Split, batch_size: int) -> float:
    network.eval()
    wrong = 0
    for images, labels in DataLoader(TensorDataset(split.images, split.labels), batch_size):
        wrong += int((network(images).argmax(1) != labels).sum())
    return wrong / len(split)
