"""The machine that this process runs on: its name and versions, and where it computes."""

from __future__ import annotations

import platform
import socket
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

import torch
from distributed import get_worker
from torch import nn

from prunestats.runners.data.datasets import Data, ImageSplit


@cache
def environment() -> dict[str, Any]:
    """The machine and the versions that decide a result."""
    names = ("prunestats", "torch", "numpy", "torch-pruning")
    versions = {name: version(name) for name in names}
    if torch.cuda.is_available():
        versions["device"] = torch.cuda.get_device_name(device())
    return {
        "host": socket.gethostname(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def device() -> torch.device:
    """Where this process computes: the processor, or the GPU that is this worker's turn."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", worker_number() % torch.cuda.device_count())


def worker_number() -> int:
    """Number of this worker among those of a local cluster; 0 elsewhere, where each is shown its own GPU."""
    try:
        name = get_worker().name
    except ValueError:
        return 0
    return name if isinstance(name, int) else 0


def place_network(network: nn.Module) -> nn.Module:
    """The network where this process computes, in the layout that is fastest there."""
    # with channels last, one thread was measured to train the digits net and ResNet-20 faster, and VGG no slower
    return move_network(network, device(), _layout())


def move_network(network: nn.Module, where: torch.device, layout: torch.memory_format) -> nn.Module:
    """The network on a device, in a memory format."""
    move: Any = network.to  # its types leave the memory format out
    moved: nn.Module = move(where, memory_format=layout)
    return moved


def place_data(data: Data) -> Data:
    """The data where this process computes, laid out as `place` does."""
    return replace(
        data, train=_place_split(data.train), validation=_place_split(data.validation), test=_place_split(data.test)
    )


def _place_split(split: ImageSplit) -> ImageSplit:
    moved = split.to(device())
    if moved.rows is not None:
        return moved
    return replace(moved, pixels=moved.pixels.contiguous(memory_format=_layout()))


def _layout() -> torch.memory_format:
    return torch.contiguous_format if torch.cuda.is_available() else torch.channels_last
