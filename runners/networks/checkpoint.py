"""Checkpoints: weights trained elsewhere, read from a file without running code from it."""

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

# Keys under which training scripts save the state dict beside optimiser state and epoch.
_WRAPPERS = ("state_dict", "model", "model_state_dict")

# Names listed in an error, so that it stays one line; a wrong network has hundreds.
_SHOWN = 3


def checkpoint_sha256(path: str) -> str:
    """SHA-256 of a checkpoint's content, which identifies it whatever its path.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with Path(path).expanduser().open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"checkpoint {path!r} cannot be read ({error.strerror}): expected its file there") from error


def load_checkpoint(network: nn.Module, path: str, sha256: str | None = None) -> None:
    """Load the weights of a file into a network, in place.

    Parameters
    ----------
    network : torch.nn.Module
    path : str
        A ``.safetensors`` file, or a file of ``torch.save`` that holds a state dict, by itself or under
        ``"state_dict"``, ``"model"`` or ``"model_state_dict"``. A prefix ``"module."`` of all names is removed.
    sha256 : str, optional
        Expected SHA-256 of the file.

    Raises
    ------
    InputError
        If the hash differs, or the file cannot be read as weights or holds those of another network.

    Notes
    -----
    ``torch.load`` is called with ``weights_only=True``: a file that would run code is refused.
    """
    if sha256 is not None and checkpoint_sha256(path) != sha256:
        raise InputError(
            f"checkpoint {path!r} has changed since the study was planned: restore it or run the study again"
        )
    state = _state_dict(_read(Path(path).expanduser(), path), path)
    wanted = network.state_dict()
    # the counter of batches has no effect in evaluation, and files of old versions of torch lack it
    required = {name for name in wanted if not name.endswith("num_batches_tracked")}
    _refuse(path, "lacks", sorted(required - set(state)))
    _refuse(path, "has entries that the network does not have:", sorted(set(state) - set(wanted)))
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            raise InputError(
                f"checkpoint {path!r}: {name} has shape {tuple(value.shape)}, the network's has "
                f"{tuple(wanted[name].shape)}: was it trained with this network, number of classes and image shape?"
            )
        if not torch.isfinite(value).all():
            raise InputError(f"checkpoint {path!r}: expected finite weights; found NaN or infinity in {name}")
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
        # one line of a terminal; torch's messages may list hundreds of names
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"checkpoint {path!r} cannot be read as weights ({reason})") from error


def _state_dict(found: Any, path: str) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(
            f"checkpoint {path!r} must hold a state dict, tensors by name; found something else: save it alone"
        )
    if found and all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): value for name, value in found.items()}
    return dict(found)


def _refuse(path: str, complaint: str, names: list[str]) -> None:
    if names:
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        raise InputError(f"checkpoint {path!r} belongs to another network: it {complaint} {shown}")
