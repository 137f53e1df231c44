"""Tracing a network: its groups of coupled filters, the layers that write and read each, and the exact cost model.

Torch-Pruning's dependency graph says which channels must be pruned together. From it follow the group and the filter of
each input and output channel of every layer; pruning and cost need nothing else. Every trace is then verified.
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
from prunestats.runners.outputs import floating
from prunestats.runners.pruning.coupling import Channels, coupled_groups, independent_groups
from prunestats.runners.pruning.dependency_graph import dependency_graph
from prunestats.runners.pruning.traced import Trace, TracedLayer
from prunestats.runners.pruning.verification import verify_trace

__all__ = ["Trace", "TracedLayer", "trace"]


def trace(network: nn.Module, example_input: Tensor) -> Trace:
    """Trace a network: its groups of coupled filters and its cost model.

    Parameters
    ----------
    network : torch.nn.Module
        The original, which is not changed.
    example_input : Tensor, shape (batch, channels, height, width)
        An input of the shape that the network takes.

    Returns
    -------
    Trace

    Raises
    ------
    TraceError
        If a layer with parameters cannot be pruned or costed exactly, or if a pruned copy does not match the network
        with the same filters masked to zero; the message names the layer.

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
            warnings.simplefilter("ignore")  # Torch-Pruning warns of what verification below decides
            # it traces the autograd graph, which a caller may have disabled
            groups, channels = coupled_groups(*dependency_graph(network, example_input[:1].clone()), modules)
    finally:
        network.train(training)
    if not groups:
        raise TraceError("the network has no filters to prune: every layer writes to its output")
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
    """Layers that own parameters, in the order of the network; others than weight and bias of known kinds raise."""
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
    """Positions of each layer's output for one image, from a forward pass."""
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
    outputs = floating(result)
    if not outputs:
        raise TraceError(
            f"the network must return a tensor of floating-point numbers, or a nest of them; found a "
            f"{type(result).__name__} without any: return the outputs of its last layers"
        )
    if not all(torch.isfinite(output).all() for output in outputs):
        raise TraceError("the network must return finite numbers; found NaN or infinity for one image")
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
    """Pairs (group, channels a filter) and the number of channels never pruned; filters of a group must count alike."""
    terms = []
    for group in np.unique(channels.group[channels.group >= 0]):
        counts = np.bincount(channels.filter[channels.group == group], minlength=sizes[group])
        if (counts != counts[0]).any():
            raise TraceError(f"layer {name!r} uses only some filters of a group, which cannot be costed exactly")
        terms.append((int(group), int(counts[0])))
    return tuple(terms), int((channels.group < 0).sum())


def _check_count(found: Trace, network: nn.Module) -> None:
    """Refuse a trace whose number of parameters differs from the network's."""
    counted = sum(p.numel() for p in network.parameters())
    if found.params != counted:
        raise TraceError(
            f"the network has {counted} parameters and its trace accounts for {found.params}: shared parameters or "
            "parameters outside its layers cannot be pruned exactly"
        )
