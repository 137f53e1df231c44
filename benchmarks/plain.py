"""A plain training loop for the digits study, as a user would write it: Torch-Pruning, DataLoader, one process."""

from __future__ import annotations

import copy
import csv
from collections.abc import Sequence
from pathlib import Path

import torch
import torch_pruning as tp
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from prunestats.runners.data.datasets import Data, ImageSplit
from prunestats.runners.pruning.tracing import Trace


def run_plainly(
    original: nn.Module,
    trace: Trace,
    widths: Sequence[int],
    data: Data,
    recipe: tuple[int, float, int],
    table: Path,
) -> None:
    """Prune, count, train and evaluate one subnetwork, and append a row with what `prunestats run` stores of it."""
    example = data.example_input
    network = prune_plainly(original, trace, widths, example)
    flops, params = tp.utils.count_ops_and_params(network, example)
    metrics = fine_tune(network, data, *recipe)
    with table.open("a", newline="") as file:
        csv.writer(file).writerow([*widths, flops, params, *metrics])


def prune_plainly(original: nn.Module, trace: Trace, widths: Sequence[int], example: torch.Tensor) -> nn.Module:
    """Remove the filters with the smallest L1 norm, group by group, by Torch-Pruning's low-level interface."""
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


def fine_tune(network: nn.Module, data: Data, epochs: int, learning_rate: float, batch_size: int) -> list[float]:
    """Fine-tune; return validation error and loss, training loss and both for each epoch, test error and loss."""
    loader = DataLoader(TensorDataset(data.train.images, data.train.labels), batch_size, shuffle=True)
    optimiser = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * len(loader))
    found = [*evaluate(network, data.validation, batch_size)]
    for _ in range(epochs):
        network.train()
        total = 0.0
        for images, labels in loader:
            optimiser.zero_grad()
            loss = functional.cross_entropy(network(images), labels)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(labels)
        found += [total / len(data.train), *evaluate(network, data.validation, batch_size)]
    return [*found, *evaluate(network, data.test, batch_size)]


@torch.no_grad()
def evaluate(network: nn.Module, split: ImageSplit, batch_size: int) -> tuple[float, float]:
    network.eval()
    wrong, total = 0, 0.0
    for images, labels in DataLoader(TensorDataset(split.images, split.labels), batch_size):
        logits = network(images)
        wrong += int((logits.argmax(1) != labels).sum())
        total += functional.cross_entropy(logits, labels, reduction="sum").item()
    return wrong / len(split), total / len(split)
