"""Weights of trained networks: one safetensors file each, verified by its SHA-256."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

# Key of the metadata of a file that holds the names of its tensors in the order of the state dict, as JSON.
_ORDER = "order"


def weights_file(folder: Path, key: str) -> Path:
    """Path of the weights of an original."""
    return folder / f"{key}.safetensors"


def weights_folder(driver: str, database: str | None) -> Path:
    """Default folder of the weights of originals: beside the SQLite file, else in the working folder."""
    if driver.startswith("sqlite") and database:
        path = Path(database.removeprefix("file:").partition("?")[0])
        return path.with_name(path.stem + ".originals")
    return Path("prunestats.originals")


def weights_match(path: Path, sha256: str) -> bool:
    """Whether the file exists with the stored hash."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def with_names(weights: bytes, stored: Sequence[str], now: Sequence[str]) -> bytes:
    """Stored weights under the names of a network whose layers were renamed since, which keep their order."""
    if list(stored) == list(now):
        return weights
    values = safetensors.torch.load(weights)
    return bytes(safetensors.torch.save({name: values[old] for name, old in zip(now, stored, strict=True)}))


def named_bytes(values: Mapping[str, Tensor]) -> bytes:
    """A state dict in the safetensors format, with the order of its names, which the format does not keep."""
    # cloned, as the format refuses tensors that share memory, which tied layers do
    plain = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in values.items()}
    return bytes(safetensors.torch.save(plain, metadata={_ORDER: json.dumps(list(plain))}))


def load_named(network: nn.Module, content: bytes) -> None:
    """Load a state dict that `named_bytes` wrote; layers may have been renamed since, where they keep their order."""
    (length,) = struct.unpack("<Q", content[:8])
    stored = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_ORDER])
    now = list(network.state_dict())
    network.load_state_dict(
        safetensors.torch.load(content if set(stored) == set(now) else with_names(content, stored, now))
    )


def safetensors_bytes(network: nn.Module) -> bytes:
    """Parameters and buffers of a network in the safetensors format."""
    values = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    return bytes(safetensors.torch.save(values))
