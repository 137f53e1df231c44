"""Weights of trained originals: one safetensors file each, verified by its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
from torch import nn


def weights_file(folder: Path, key: str) -> Path:
    """Path of the weights of an original."""
    return folder / f"{key}.safetensors"


def weights_folder(driver: str, database: str | None) -> Path:
    """Default folder of the weights of originals: beside the SQLite file, else in the working folder."""
    if driver.startswith("sqlite") and database:
        path = Path(database.removeprefix("file:").partition("?")[0])
        return path.with_name(path.stem + ".originals")
    return Path("prunestats.originals")


def run_folder(driver: str, database: str | None, key: str) -> Path:
    """Folder of the files of one run while it is trained: beside the SQLite file, else in the working folder."""
    beside = weights_folder(driver, database)
    return beside.with_name(f"{beside.stem}.runs") / key


def weights_match(path: Path, sha256: str) -> bool:
    """Whether the file exists with the stored hash."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def with_names(weights: bytes, stored: Sequence[str], now: Sequence[str]) -> bytes:
    """Stored weights under the names of a network whose layers were renamed since, which keep their order."""
    if list(stored) == list(now):
        return weights
    values = safetensors.torch.load(weights)
    return bytes(safetensors.torch.save({name: values[old] for name, old in zip(now, stored, strict=True)}))


def safetensors_bytes(network: nn.Module) -> bytes:
    """Parameters and buffers of a network in the safetensors format."""
    values = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    return bytes(safetensors.torch.save(values))
