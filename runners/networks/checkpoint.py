"""Weights that were trained elsewhere: read from a file without running code from it."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from prunestats.errors import InputError

# Under these keys training scripts keep the weights beside other things.
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_SHOWN = 3


def checkpoint_sha256(path: str) -> str:
    """Hash of a checkpoint's content, its identity wherever it lies.

    Raises
    ------
    InputError
        If the file is not there.
    """
    try:
        with Path(path).expanduser().open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"checkpoint {path!r} cannot be read ({error.strerror}): expected its file there") from error


def load_checkpoint(network: nn.Module, path: str, sha256: str | None = None) -> None:
    """Give a network the weights of a file, in place.

    Parameters
    ----------
    network : torch.nn.Module
    path : str
        A ``.safetensors`` file, or a file of ``torch.save`` that holds a state dict, by itself or under
        ``"state_dict"``, ``"model"`` or ``"model_state_dict"``. Names that all begin with ``"module."`` lose it.
    sha256 : str, optional
        What `checkpoint_sha256` must give.

    Raises
    ------
    InputError
        If the file is not the one expected, cannot be read as weights, or holds those of another network.

    Notes
    -----
    ``torch.load`` runs with ``weights_only=True``: a file that would run code is refused.
    """
    if sha256 is not None and checkpoint_sha256(path) != sha256:
        raise InputError(f"checkpoint {path!r} is not what it was when the study was planned")
    state = _state_dict(_read(Path(path).expanduser(), path), path)
    wanted = network.state_dict()
    # A counter of batches decides nothing, and old files lack it.
    required = {name for name in wanted if not name.endswith("num_batches_tracked")}
    _refuse(path, "lacks", sorted(required - set(state)))
    _refuse(path, "holds what the network does not:", sorted(set(state) - set(wanted)))
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            raise InputError(
                f"checkpoint {path!r}: {name} has shape {tuple(value.shape)}, the network's has "
                f"{tuple(wanted[name].shape)}: are the classes, the images and the network those it was trained with?"
            )
        if not torch.isfinite(value).all():
            raise InputError(f"checkpoint {path!r}: {name} holds values that are not finite")
    network.load_state_dict({**wanted, **state})


def _read(file: Path, path: str) -> Any:
    try:
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"checkpoint {path!r} holds more than weights, or is damaged, and is not loaded: save the state dict alone"
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"checkpoint {path!r} cannot be read as weights ({reason})") from error


def _state_dict(found: Any, path: str) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"checkpoint {path!r} must hold a state dict: names and their tensors")
    if found and all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): value for name, value in found.items()}
    return dict(found)


def _refuse(path: str, complaint: str, names: list[str]) -> None:
    if names:
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        raise InputError(f"checkpoint {path!r} is of another network: it {complaint} {shown}")
