"""Pretrained weights that timm, torchvision or a user's own function has on this machine; nothing is downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from prunestats.errors import InputError
from prunestats.runners.networks.builtin import NETWORKS, collection_module, is_own
from prunestats.runners.networks.checkpoint import read_weights
from prunestats.runners.networks.user_errors import described
from prunestats.runners.networks.user_networks import user_pretrained
from prunestats.runners.networks.weight_caches import existing, hub_files, torch_file, without_downloads

# Auxiliary classifiers of torchvision's Inception and GoogLeNet.
_AUXILIARY = ("AuxLogits", "aux1", "aux2")

# torchvision's Inception and GoogLeNet turn images normalised for ImageNet into ones of mean and deviation 0.5 in their
# forward pass; built with other classes they do not, and take the latter.
_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class FoundWeights:
    """Weights of a file, of a package or of a user's own function.

    Parameters
    ----------
    state : dict of str to Tensor
    origin : str
        Where they come from, for messages.
    sha256 : str
        Hash of their file, or of the names, types, shapes and values of the weights of a package.
    read : str
        What was unwrapped and removed to read them.
    mean, std : tuple of float or None
        Normalisation of pixels in [0, 1] of the weights' own configuration, for each channel.
    configuration : str
        Which configuration that is; empty where there is none.
    random : frozenset of str
        Names of tensors that are not in `state`, as the function draws them anew each time.
    """

    state: dict[str, Tensor]
    origin: str
    sha256: str
    read: str = ""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    configuration: str = ""
    random: frozenset[str] = frozenset()


def pretrained_weights(name: str, which: bool | str, num_classes: int) -> FoundWeights:
    """Pretrained weights of a network, read from this machine.

    Parameters
    ----------
    name : str
        ``"timm:NAME"`` or ``"timm:NAME.TAG"``, ``"torchvision:NAME"``, or ``"module:function"`` of a function or class
        that takes the keyword `pretrained` or `weights`.
    which : bool or str
        True for the default weights, or the name of some of torchvision's (``"IMAGENET1K_V1"``) or of the function's.
    num_classes : int
        Classes of the data, for a function that requires them.

    Returns
    -------
    FoundWeights

    Raises
    ------
    InputError
        If the package has no such weights, or they are not on this machine; the message names the files that were
        looked for.
    """
    if name in NETWORKS:
        raise InputError(
            f'network {name!r} is built in, without pretrained weights: name a file, checkpoint = "weights.pth", or '
            'a network of timm or torchvision, such as network = "torchvision:resnet18"'
        )
    collection, _, network = name.partition(":")
    with without_downloads(name):
        if is_own(name):
            return _own(name, which, num_classes)
        return {"timm": _timm, "torchvision": _torchvision}[collection](network, which)


def _timm(name: str, which: bool | str) -> FoundWeights:
    if which is not True:
        raise InputError(
            f"pretrained must be true for timm, whose weights are named by a tag; found {which!r}: write network = "
            f'"timm:{name.partition(".")[0]}.{which}" and pretrained = true'
        )
    timm = collection_module("timm", name)
    found = timm.create_model(name, pretrained=False).pretrained_cfg
    if found.get("source") == "local-dir":  # timm's own name of a folder with weights and configuration
        network = _built(timm.create_model, name, pretrained=True)
    else:
        source = _timm_source(name, found)
        network = _built(timm.create_model, name, pretrained=True, pretrained_cfg_overlay=source)
    mean, std = _normalisation(found)
    return _of_package(network, f"pretrained weights of timm:{name}", mean, std, "timm's pretrained_cfg")


def _timm_source(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a configuration by which timm reads weights from a file of this machine."""
    if found.get("file"):
        return {"file": found["file"], "custom_load": found.get("custom_load", False)}
    hub = hub_files(found["hf_hub_id"], found.get("hf_hub_filename")) if found.get("hf_hub_id") else []
    url = [torch_file(found["url"])] if found.get("url") else []
    if not hub + url:
        raise InputError(f'timm has no pretrained weights for {name!r}: name a file, checkpoint = "weights.pth"')
    file = existing(hub + url, f"timm:{name}", f"import timm; timm.create_model('{name}', pretrained=True)")
    custom = found.get("custom_load", False)
    # of the hub's files timm reads a state dict itself, unless the configuration says "hf"
    return {"file": str(file), "custom_load": custom == "hf" if file in hub else custom}


def _torchvision(name: str, which: bool | str) -> FoundWeights:
    models = collection_module("torchvision", name)
    known = models.get_model_weights(name)
    chosen = "DEFAULT" if which is True else str(which)
    weights = getattr(known, chosen, None)
    if weights is None:
        names = ", ".join(known.__members__) or "none"
        raise InputError(f"torchvision has no weights {chosen!r} for {name!r}: expected true or one of {names}")
    full = f"weights='{weights.name}'"
    code = f"from torchvision.models import get_model; get_model('{name}', {full})"
    read_weights(str(existing([torch_file(weights.url)], f"torchvision:{name}, {weights.name}", code)))
    network = _built(models.get_model, name, weights=weights)
    for auxiliary in _AUXILIARY:  # networks are built without them, as they act in training only
        if hasattr(network, auxiliary):
            setattr(network, auxiliary, None)
    preset = weights.transforms()
    mean, std = _normalisation({"mean": getattr(preset, "mean", None), "std": getattr(preset, "std", None)})
    if getattr(network, "transform_input", False):
        mean = std = _HALF
    origin = f"pretrained weights of torchvision:{name}, {weights.name}"
    return _of_package(network, origin, mean, std, "torchvision's weights")


def _built(create: Callable[..., nn.Module], name: str, **arguments: Any) -> nn.Module:
    try:
        return create(name, **arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"pretrained weights of {name} cannot be read ({described(error)}): is their file here damaged?"
        ) from error


def _own(name: str, which: bool | str, num_classes: int) -> FoundWeights:
    build = user_pretrained(name)
    # what differs between two seeds is no weight, but drawn by the function, as the head of other classes is
    networks = [_seeded(build, seed, which, num_classes) for seed in (0, 1)]
    state, again = (network.state_dict() for network in networks)
    random = frozenset(key for key, value in state.items() if not _same(value, again.get(key)))
    if all(key in random for key, value in state.items() if value.dim() > 1):
        raise InputError(
            f"network {name!r} must return the same weights each time with pretrained; found that all are drawn anew: "
            "does it load them?"
        )
    found = getattr(networks[0], "pretrained_cfg", None)
    mean, std = _normalisation(found if isinstance(found, Mapping) else {})
    return _of_package(networks[0], f"pretrained weights of {name}", mean, std, "its pretrained_cfg", random)


def _of_package(
    network: nn.Module,
    origin: str,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    configuration: str,
    random: frozenset[str] = frozenset(),
) -> FoundWeights:
    state = {name: value for name, value in network.state_dict().items() if name not in random}
    source = "" if mean is None else configuration
    return FoundWeights(state, origin, _state_sha256(state), "", mean, std, source, random)


def _state_sha256(state: Mapping[str, Tensor]) -> str:
    """Hash of names, types, shapes and values of weights, the same on every machine."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _seeded(build: Any, seed: int, which: bool | str, num_classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = build(which, num_classes)
        return network


def _same(value: Tensor, other: Tensor | None) -> bool:
    return other is not None and value.shape == other.shape and torch.equal(value.nan_to_num(), other.nan_to_num())


def _normalisation(found: Mapping[str, Any]) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    mean, std = found.get("mean"), found.get("std")
    if mean is None or std is None:
        return None, None
    return tuple(map(float, np.atleast_1d(mean))), tuple(map(float, np.atleast_1d(std)))
