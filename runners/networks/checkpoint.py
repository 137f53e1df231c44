"""Checkpoints: weights trained elsewhere, read from a file without running code from it."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from prunestats.errors import InputError

# Keys under which training scripts save the state dict beside optimiser state and epoch, in the order of preference.
# The exponential moving average is last: where both are there, the trained weights are read.
_WRAPPERS = ("state_dict", "model", "net", "model_state_dict", "ema")

# What DataParallel (and AveragedModel) and torch.compile put before the names of a network's weights.
_PREFIXES = ("module.", "_orig_mod.")

# Number of averaged models, which torch's AveragedModel saves beside the weights.
_COUNTER = "n_averaged"

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


def checkpoint_state(path: str, wanted: set[str]) -> tuple[dict[str, Tensor], str]:
    """State dict of a file.

    Parameters
    ----------
    path : str
        A ``.safetensors`` file, or a file of ``torch.save`` of any other suffix that holds a state dict, by itself or
        under ``"state_dict"``, ``"model"``, ``"net"``, ``"model_state_dict"`` or ``"ema"``, the first that is there.
        Prefixes ``"module."`` and ``"_orig_mod."`` of all names are removed.
    wanted : set of str
        Names of the network's own state dict, which decide what is a wrapper's prefix.

    Returns
    -------
    state : dict of str to Tensor
    changes : str
        Such as "read under 'state_dict', without the prefix 'module.'"; empty for a file that is the network's state
        dict.

    Raises
    ------
    InputError
        If the file cannot be read as weights.

    Notes
    -----
    ``torch.load`` is called with ``weights_only=True``: a file that would run code is refused.
    """
    return _state_dict(read_weights(path), path, wanted)


def load_state(
    network: nn.Module, state: Mapping[str, Tensor], origin: str, changes: str = "", head: Sequence[str] = ()
) -> None:
    """Load a state dict into a network, in place; nothing is loaded where a name or a shape differs.

    Parameters
    ----------
    network : torch.nn.Module
    state : mapping of str to Tensor
    origin : str
        Begins the messages: where the weights come from.
    changes : str
        What was unwrapped and removed to read them, for the messages.
    head : sequence of str
        Layers that keep the network's own weights, as the new head of other classes does.

    Raises
    ------
    InputError
        If a name or a shape is another than the network's, or a weight is not finite.
    """
    own = network.state_dict()
    wanted = {name: value for name, value in own.items() if layer_of(name) not in head}
    state = {name: value for name, value in state.items() if layer_of(name) not in head}
    _check_names(origin, changes, list(wanted), list(state))
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            raise InputError(
                f"{origin}: {name} has shape {tuple(value.shape)}, the network's has "
                f"{tuple(wanted[name].shape)}: was it trained with this network, number of classes and image shape?"
            )
        if not torch.isfinite(value).all():
            raise InputError(f"{origin}: expected finite weights; found NaN or infinity in {name}")
    network.load_state_dict({**own, **state})


def layer_of(name: str) -> str:
    """Name of the layer that owns a tensor of a state dict."""
    return name.rpartition(".")[0]


def read_weights(path: str) -> Any:
    """Content of a file of weights, read without running code from it."""
    file = Path(path).expanduser()
    try:
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"checkpoint {path!r} holds more than weights{_unsafe(error)}, or is damaged, and is not loaded: save the "
            "state dict alone"
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError) as error:
        # one line of a terminal; torch's messages may list hundreds of names
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"checkpoint {path!r} cannot be read as weights ({reason})") from error


def _unsafe(error: pickle.UnpicklingError) -> str:
    """The class in the file for which torch refuses it, in parentheses, where its message says so."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" ({found[1]})" if found else ""


def _state_dict(found: Any, path: str, wanted: set[str]) -> tuple[dict[str, Tensor], str]:
    """The state dict in a file with the network's names, and a clause that says what was unwrapped and removed."""
    found, keys = _unwrapped(found)
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(
            f"checkpoint {path!r} must hold a state dict, tensors by name; found {_kind(found)}: save it alone"
        )
    state = {str(name): value for name, value in found.items() if name != _COUNTER or name in wanted}
    state, prefix = _without_prefixes(state, wanted)
    read = f"read under {'.'.join(keys)!r}" if keys else ""
    removed = f"without the prefix {prefix!r}" if prefix else ""
    return state, ", ".join(filter(None, (read, removed)))


def _unwrapped(found: Any) -> tuple[Any, list[str]]:
    keys: list[str] = []
    for _ in _WRAPPERS:  # bounded, as a file may hold a mapping that contains itself
        key = next((one for one in _WRAPPERS if isinstance(found, Mapping) and isinstance(found.get(one), Mapping)), "")
        if key:
            keys.append(key)
            found = found[key]
    return found, keys


def _without_prefixes(state: dict[str, Tensor], wanted: set[str]) -> tuple[dict[str, Tensor], str]:
    removed = ""
    # once a name is the network's, a prefix belongs to the network
    while state and wanted.isdisjoint(state):
        prefix = next((one for one in _PREFIXES if all(name.startswith(one) for name in state)), "")
        if not prefix:
            break
        removed += prefix
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state, removed


def _kind(found: Any) -> str:
    if not isinstance(found, Mapping):
        return f"a {type(found).__name__}"
    return f"other values under {_first([str(name) for name, value in found.items() if not isinstance(value, Tensor)])}"


def _check_names(origin: str, changes: str, wanted: list[str], found: list[str]) -> None:
    # the counter of batches has no effect in evaluation, and files of old versions of torch lack it
    lacking = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    unknown = [name for name in found if name not in wanted]
    if lacking or unknown:
        raise InputError(
            f"{origin}{f' ({changes})' if changes else ''} belongs to another network: expected "
            f"{_first(lacking) or 'no other names than the network has'}; found {_first(unknown) or 'no such names'}: "
            "name the network that it was trained with, as your own function if need be"
        )


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
