"""Removing filters: the physically smaller network, and the original with the same filters masked to zero."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.errors import InputError
from prunestats.runners.pruning.coupling import Channels, independent_groups
from prunestats.runners.pruning.traced import Trace, TracedLayer

INITS = ("inherited", "scratch")


def keep_filters(
    network: nn.Module, trace: Trace, filters: list[NDArray[np.bool_]], *, init: str = "inherited"
) -> nn.Module:
    """A smaller copy of a network that holds only the filters marked True in each group."""
    if init not in INITS:
        raise InputError(f"init must be one of {', '.join(INITS)}; found {init!r}")
    small = copy.deepcopy(network)
    modules = dict(small.named_modules())
    for layer in trace.layers:
        _shrink(modules[layer.name], layer, filters)
    if init == "scratch":
        for layer in trace.layers:
            module: Any = modules[layer.name]
            module.reset_parameters()
    return small


def mask_filters(network: nn.Module, trace: Trace, filters: list[NDArray[np.bool_]]) -> nn.Module:
    """A copy of a network of the same size, in which the filters that are not marked True are masked to zero.

    In evaluation mode its outputs equal those of `keep_filters`, by which a trace is verified.
    """
    masked = copy.deepcopy(network)
    modules: dict[str, Any] = dict(masked.named_modules())
    with torch.no_grad():
        for layer in trace.layers:
            module = modules[layer.name]
            gone = _removed(layer.outputs, filters)
            for parameter in module.parameters(recurse=False):
                parameter[gone] = 0
            if isinstance(module, _BatchNorm):
                if module.running_mean is not None:
                    module.running_mean[gone] = 0
            elif independent_groups(module) == 1:
                module.weight[:, _removed(layer.inputs, filters)] = 0
    return masked


def _removed(channels: Channels, filters: list[NDArray[np.bool_]]) -> torch.Tensor:
    leaves = np.ones(len(channels.group), dtype=np.bool_)
    leaves[channels.kept(filters)] = False
    return torch.from_numpy(leaves)


def _shrink(module: Any, layer: TracedLayer, filters: list[NDArray[np.bool_]]) -> None:
    outputs = torch.from_numpy(layer.outputs.kept(filters))
    if isinstance(module, _BatchNorm):
        for name in ("weight", "bias"):
            _keep(module, name, outputs, 0)
        for name in ("running_mean", "running_var"):
            if getattr(module, name) is not None:
                setattr(module, name, getattr(module, name)[outputs].clone())
        module.num_features = len(outputs)
        return
    _keep(module, "weight", outputs, 0)
    _keep(module, "bias", outputs, 0)
    inputs = torch.from_numpy(layer.inputs.kept(filters))
    if independent_groups(module) > 1:
        module.groups = len(inputs) // module.weight.shape[1]
    else:
        _keep(module, "weight", inputs, 1)
    if isinstance(module, nn.Linear):
        module.in_features, module.out_features = len(inputs), len(outputs)
    else:
        module.in_channels, module.out_channels = len(inputs), len(outputs)


def _keep(module: nn.Module, name: str, positions: torch.Tensor, axis: int) -> None:
    parameter = getattr(module, name)
    if parameter is None:
        return
    kept = parameter.detach().index_select(axis, positions.to(parameter.device)).clone()
    setattr(module, name, nn.Parameter(kept, requires_grad=parameter.requires_grad))
