"""Tracing a network: its groups of coupled filters, who writes and reads each, and the exact cost model.

Torch-Pruning's dependency graph finds which channels must leave together. From it comes, for both sides of every
layer, the group and the filter that each channel belongs to; pruning and cost need nothing else. A trace is checked
against the network itself before it is believed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.cost.model import CostModel, Layer, Terms
from prunestats.errors import TraceError
from prunestats.runners.pruning.coupling import Channels, coupled_groups, independent_groups
from prunestats.runners.pruning.dependency_graph import dependency_graph
from prunestats.runners.pruning.traced import Trace, TracedLayer
from prunestats.runners.pruning.verification import verify_trace

__all__ = ["Trace", "TracedLayer", "trace"]


def trace(network: nn.Module, example_input: Tensor) -> Trace:
    """Find a network's groups of coupled filters and its cost model.

    Parameters
    ----------
    network : torch.nn.Module
        The original, left as it was.
    example_input : Tensor, shape (batch, channels, height, width)
        An input of the right shape.

    Returns
    -------
    Trace

    Raises
    ------
    TraceError
        If a layer with parameters is of a kind that cannot be pruned or costed exactly, or if a pruned copy does not
        compute what the network computes with the same filters silenced; the message names the layer.

    References
    ----------
    .. [1] Fang, Ma, Song, Mi and Wang (2023). DepGraph: towards any structural pruning. CVPR.

    Examples
    --------
    >>> import torch
    >>> from prunestats.runners import build_network
    >>> t = trace(build_network("resnet_digits"), torch.zeros(1, 1, 8, 8))
    >>> [(g.name, g.size) for g in t.groups][:2]
    [('stem', 16), ('stages.0.conv1', 16)]
    >>> t.flops, t.params
    (763520, 77754)
    """
    training = network.training
    network.eval()
    try:
        modules = _owners_of_parameters(network)
        positions = _feature_map_sizes(network, modules, example_input)
        with warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad():
            warnings.simplefilter("ignore")  # what Torch-Pruning is unsure of is checked below
            # it follows gradients, also for a caller who wants none
            groups, channels = coupled_groups(*dependency_graph(network, example_input[:1].clone()), modules)
    finally:
        network.train(training)
    if not groups:
        raise TraceError("the network has no filters that could be pruned: every layer writes to its output")
    layers = tuple(
        TracedLayer(name, type(module).__name__, channels[name, "in"], channels[name, "out"], positions[name])
        for name, module in modules.items()
    )
    cost = CostModel(
        tuple(group.name for group in groups),
        tuple(group.size for group in groups),
        tuple(_cost_of(layer, modules[layer.name], tuple(group.size for group in groups)) for layer in layers),
    )
    found = Trace(groups, layers, cost)
    _check_count(found, network)
    verify_trace(network, found, example_input[:1])
    return found


def _owners_of_parameters(network: nn.Module) -> dict[str, nn.Module]:
    """Modules that hold parameters themselves, in the order of the network, after refusing what we cannot cost."""
    owners: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        own = {parameter for parameter, _ in module.named_parameters(recurse=False)}
        followed = isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm)
        if own - ({"weight", "bias"} if followed else set()):
            who = f"layer {name!r} of kind" if name else "the network itself, a"
            raise TraceError(
                f"{who} {type(module).__name__} owns parameters ({', '.join(sorted(own))}) that cannot be pruned "
                "exactly yet: weight and bias of Conv2d, Linear and BatchNorm can"
            )
        if followed:
            owners[name] = module
    return owners


def _feature_map_sizes(network: nn.Module, modules: dict[str, nn.Module], example_input: Tensor) -> dict[str, int]:
    sizes: dict[str, int] = {}

    def remember(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: Any, inputs: Any, output: Tensor) -> None:
            if name in sizes:
                raise TraceError(
                    f"layer {name!r} is used more than once in a forward pass: give each use its own layer"
                )
            channels = output.shape[-1] if isinstance(module, nn.Linear) else output.shape[1]
            sizes[name] = output.numel() // channels

        return hook

    handles = [module.register_forward_hook(remember(name)) for name, module in modules.items()]
    try:
        with torch.no_grad():
            result = network(example_input[:1])
    except (RuntimeError, TypeError, AttributeError) as error:
        shape = tuple(example_input.shape[1:])
        raise TraceError(
            f"the network cannot take an image of shape {shape}: {' '.join(str(error).split())}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(result, Tensor):
        raise TraceError(f"the network must return one tensor of logits; it returns a {type(result).__name__}")
    for name in modules:
        if name not in sizes:
            raise TraceError(f"layer {name!r} takes no part in the forward pass: remove it from the network")
    return sizes


def _cost_of(layer: TracedLayer, module: nn.Module, sizes: tuple[int, ...]) -> Layer:
    flops_per_pair = flops_per_out = params_per_pair = params_per_out = 0
    if isinstance(module, _BatchNorm):
        params_per_out = sum(p.numel() for p in module.parameters()) // module.num_features
    elif isinstance(module, nn.Conv2d | nn.Linear):
        kernel = int(np.prod(module.weight.shape[2:], dtype=np.int64))
        params_per_out = 0 if module.bias is None else 1
        if independent_groups(module) > 1:
            read = kernel * module.weight.shape[1]
            flops_per_out, params_per_out = read * layer.positions, params_per_out + read
        else:
            flops_per_pair, params_per_pair = kernel * layer.positions, kernel
    in_groups, in_fixed = _terms(layer.inputs, layer.name, sizes)
    out_groups, out_fixed = _terms(layer.outputs, layer.name, sizes)
    return Layer(
        layer.name, layer.kind, in_groups, in_fixed, out_groups, out_fixed,
        flops_per_pair, flops_per_out, params_per_pair, params_per_out,
    )  # fmt: skip


def _terms(channels: Channels, name: str, sizes: tuple[int, ...]) -> tuple[Terms, int]:
    """(group, multiplicity) pairs of one side, after checking that every filter of a group counts alike."""
    terms = []
    for group in np.unique(channels.group[channels.group >= 0]):
        counts = np.bincount(channels.filter[channels.group == group], minlength=sizes[group])
        if (counts != counts[0]).any():
            raise TraceError(f"layer {name!r} reads only part of a group's filters, which cannot be costed exactly")
        terms.append((int(group), int(counts[0])))
    return tuple(terms), int((channels.group < 0).sum())


def _check_count(found: Trace, network: nn.Module) -> None:
    """Refuse a trace whose parameter count is not the network's."""
    counted = sum(p.numel() for p in network.parameters())
    if found.params != counted:
        raise TraceError(
            f"the network has {counted} parameters and its trace accounts for {found.params}: shared parameters or "
            "parameters outside its layers cannot be pruned exactly"
        )
