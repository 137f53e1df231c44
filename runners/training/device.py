"""The machine and versions of this process, and the device on which it computes."""

from __future__ import annotations

import copy
import platform
import socket
from functools import cache
from importlib.metadata import version
from typing import Any

import torch
from distributed import get_worker
from torch import Tensor, nn

from prunestats.runners.data.datasets import Data


@cache
def environment() -> dict[str, Any]:
    """Host, platform and versions, on which the last digits of a result depend."""
    names = ("prunestats", "torch", "numpy", "torch-pruning")
    versions = {name: version(name) for name in names}
    # instruction sets, which round differently
    versions["processor"] = torch.backends.cpu.get_cpu_capability()
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


def memory_layout(network: nn.Module, example_input: Tensor) -> torch.memory_format:
    """Memory format in which a network, its subnetworks and their images are placed.

    Parameters
    ----------
    network : torch.nn.Module
        The original, which is not changed.
    example_input : Tensor, shape (1, channels, height, width)

    Returns
    -------
    torch.memory_format
        The format that is fastest on this kind of device; ``contiguous_format`` where the network's forward pass fails
        on the strides of another, as ``x.view(x.size(0), -1)`` does with channels last.

    Notes
    -----
    Strides depend on layers and image shape, not on weights, so every process with this kind of device decides alike.
    Pruning leaves the number of dimensions and the positions of feature maps as they are, so subnetworks follow their
    original.
    """
    layout = _fastest_layout()
    if layout == torch.contiguous_format:
        return layout
    trial = move_network(copy.deepcopy(network), torch.device("cpu"), layout)
    # of two images, as batch norm in training mode refuses a single value per channel
    images = example_input[:1].cpu().expand(2, *example_input.shape[1:]).contiguous(memory_format=layout)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        # both modes, as some networks have other branches in training
        fails = any(_fails_on_strides(trial.train(training), images) for training in (False, True))
    return torch.contiguous_format if fails else layout


def place_network(network: nn.Module, layout: torch.memory_format | None = None) -> nn.Module:
    """The network on the device of this process, in a memory format, by default the one that is fastest there."""
    return move_network(network, device(), layout or _fastest_layout())


def move_network(network: nn.Module, where: torch.device, layout: torch.memory_format) -> nn.Module:
    """The network on a device, in a memory format."""
    move: Any = network.to  # the type stubs lack memory_format
    moved: nn.Module = move(where, memory_format=layout)
    return moved


def place_data(data: Data, layout: torch.memory_format | None = None) -> Data:
    """The data on the device of this process, in a memory format, by default the one that is fastest there."""
    return data.to(device(), layout or _fastest_layout())


def _fastest_layout() -> torch.memory_format:
    # with channels last, one CPU thread was measured to train the digits network and ResNet-20 faster, VGG no slower
    return torch.contiguous_format if torch.cuda.is_available() else torch.channels_last


def _fails_on_strides(network: nn.Module, images: Tensor) -> bool:
    """Whether a forward pass is refused for the strides of a tensor; training itself reports any other error."""
    try:
        network(images)
    except RuntimeError as error:
        # "view size is not compatible with input tensor's size and stride"; other operations ask for "contiguous"
        return any(word in str(error) for word in ("stride", "contiguous"))
    except Exception:
        return False
    return False
