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

from prunestats.runners.data import Data, Split


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


def on_device(data: Data) -> Data:
    """The data where this process computes."""
    moved = {
        name: Split(split.images.to(device()), split.labels.to(device()))
        for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    return replace(data, **moved)
