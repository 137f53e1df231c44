"""The machine and versions of this process, and the device on which it computes."""

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
    """Host, platform and versions, on which the last digits of a result depend."""
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
    """Device of this process: the CPU, or a GPU assigned to workers in turn."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", worker_number() % torch.cuda.device_count())


def worker_number() -> int:
    """Index of this worker in a local cluster; 0 elsewhere, where ``CUDA_VISIBLE_DEVICES`` gives each its own GPU."""
    try:
        name = get_worker().name
    except ValueError:
        return 0
    return name if isinstance(name, int) else 0


def place_network(network: nn.Module) -> nn.Module:
    """The network on the device of this process, in the memory format that is fastest there."""
    return move_network(network, device(), _layout())


def move_network(network: nn.Module, where: torch.device, layout: torch.memory_format) -> nn.Module:
    """The network on a device, in a memory format."""
    move: Any = network.to  # the type stubs lack memory_format
    moved: nn.Module = move(where, memory_format=layout)
    return moved


def place_data(data: Data) -> Data:
    """The data on the device of this process, in the memory format of `place_network`."""
    return replace(
        data, train=_place_split(data.train), validation=_place_split(data.validation), test=_place_split(data.test)
    )


def _place_split(split: ImageSplit) -> ImageSplit:
    moved = split.to(device())
    if moved.rows is not None:
        return moved
    return replace(moved, pixels=moved.pixels.contiguous(memory_format=_layout()))


def _layout() -> torch.memory_format:
    # with channels last, one CPU thread was measured to train the digits network and ResNet-20 faster, VGG no slower
    return torch.contiguous_format if torch.cuda.is_available() else torch.channels_last
