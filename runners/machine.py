"""The machine that this process runs on: its name and versions, and where it computes."""

from __future__ import annotations

import platform
import socket
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

import torch

from prunestats.runners.data import Data, Split


@cache
def environment() -> dict[str, Any]:
    """The machine and the versions that decide a result."""
    names = ("prunestats", "torch", "numpy", "torch-pruning")
    versions = {name: version(name) for name in names}
    if torch.cuda.is_available():
        versions["device"] = torch.cuda.get_device_name()
    return {
        "host": socket.gethostname(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def device() -> torch.device:
    """Where this process computes: the first GPU that it sees, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_device(data: Data) -> Data:
    """The data where this process computes."""
    moved = {
        name: Split(split.images.to(device()), split.labels.to(device()))
        for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    return replace(data, **moved)
