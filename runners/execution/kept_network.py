"""A subnetwork built again with its kept weights, and verified by evaluation as its run was evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from prunestats.runners.data.datasets import Data
from prunestats.runners.execution.worker import PreparedOriginal
from prunestats.runners.networks.weights import load_named
from prunestats.runners.pruning.filter_choice import prune
from prunestats.runners.training.device import place_network
from prunestats.runners.training.loop import evaluate


def kept_network(prepared: PreparedOriginal, widths: Sequence[int], content: bytes) -> nn.Module:
    """The subnetwork of these widths with kept weights, in evaluation mode, placed as its run placed it."""
    small = prune(prepared.network, prepared.trace, list(widths), criterion="first")
    load_named(small, content)
    return place_network(small, prepared.layout).eval()


def kept_metrics(network: nn.Module, data: Data) -> dict[str, float]:
    """Error and cross-entropy on validation and test images, with one thread as in a worker."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        (val_error, val_loss), (test_error, test_loss) = (
            evaluate(network, data.validation),
            evaluate(network, data.test),
        )
    finally:
        torch.set_num_threads(threads)
    return {"val_error": val_error, "test_error": test_error, "val_loss": val_loss, "test_loss": test_loss}
