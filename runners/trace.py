"""Tracing a network: its groups of coupled filters, who writes and reads each, and the exact cost model.

Torch-Pruning's dependency graph finds which channels must leave together. From it comes, for both sides of every
layer, the group and the filter that each channel belongs to; pruning and cost need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.cost import CostModel, Layer, Terms
from prunestats.errors import TraceError
from prunestats.runners.coupling import Channels, Group, couple


@dataclass(frozen=True)
class TracedLayer:
    """A layer that owns parameters, with the groups on both of its sides.

    Parameters
    ----------
    name, kind : str
        The module's name and class.
    inputs, outputs : Channels
        For batch norm and depthwise convolution both are the same.
    positions : int
        Height x width of the feature map that it writes; 1 for linear layers.
    """

    name: str
    kind: str
    inputs: Channels
    outputs: Channels
    positions: int


@dataclass(frozen=True)
class Trace:
    """What pruning and costing need to know of an original network.

    Parameters
    ----------
    groups : tuple of Group
    layers : tuple of TracedLayer
    cost : CostModel
    """

    groups: tuple[Group, ...]
    layers: tuple[TracedLayer, ...]
    cost: CostModel

    @property
    def flops(self) -> int:
        """Multiply-adds of the original for one input."""
        return int(self.cost.flops(self.cost.sizes)[0])

    @property
    def params(self) -> int:
        """Parameters of the original."""
        return int(self.cost.params(self.cost.sizes)[0])


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
        If a layer with parameters is of a kind that cannot be pruned or costed exactly; the message names it.

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
        graph = tp.DependencyGraph().build_dependency(network, example_inputs=example_input[:1])
        groups, channels = couple(graph, modules)
    finally:
        network.train(training)
    layers = tuple(
        TracedLayer(name, type(module).__name__, channels[name, "in"], channels[name, "out"], positions[name])
        for name, module in modules.items()
    )
    cost = CostModel(
        tuple(group.name for group in groups),
        tuple(group.size for group in groups),
        tuple(_cost_of(layer, modules[layer.name]) for layer in layers),
    )
    found = Trace(groups, layers, cost)
    _check_against(found, network)
    return found


def _owners_of_parameters(network: nn.Module) -> dict[str, nn.Module]:
    """Modules that hold parameters themselves, in the order of the network, after refusing what we cannot cost."""
    owners: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        if not any(True for _ in module.parameters(recurse=False)):
            continue
        depthwise = isinstance(module, nn.Conv2d) and module.groups == module.in_channels == module.out_channels
        if isinstance(module, nn.Conv2d) and module.groups > 1 and not depthwise:
            raise TraceError(
                f"layer {name!r} is a grouped convolution ({module.groups} groups), which cannot be pruned exactly "
                "yet: use plain or depthwise convolutions"
            )
        if not isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm):
            raise TraceError(
                f"layer {name or 'of the network itself'!r} of kind {type(module).__name__} owns parameters that "
                "cannot be pruned exactly yet: Conv2d, Linear and BatchNorm can"
            )
        owners[name] = module
    return owners


def _feature_map_sizes(network: nn.Module, modules: dict[str, nn.Module], example_input: Tensor) -> dict[str, int]:
    sizes: dict[str, int] = {}

    def remember(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if name in sizes:
                raise TraceError(
                    f"layer {name!r} is used more than once in a forward pass: give each use its own layer"
                )
            sizes[name] = int(np.prod(output.shape[2:], dtype=np.int64)) if output.dim() > 2 else 1

        return hook

    handles = [module.register_forward_hook(remember(name)) for name, module in modules.items()]
    try:
        with torch.no_grad():
            network(example_input[:1])
    finally:
        for handle in handles:
            handle.remove()
    for name in modules:
        if name not in sizes:
            raise TraceError(f"layer {name!r} takes no part in the forward pass: remove it from the network")
    return sizes


def _cost_of(layer: TracedLayer, module: nn.Module) -> Layer:
    flops_per_pair = flops_per_out = params_per_pair = params_per_out = 0
    if isinstance(module, _BatchNorm):
        params_per_out = sum(p.numel() for p in module.parameters()) // module.num_features
    elif isinstance(module, nn.Conv2d):
        kernel = module.kernel_size[0] * module.kernel_size[1]
        params_per_out = 0 if module.bias is None else 1
        if module.groups > 1:
            flops_per_out, params_per_out = kernel * layer.positions, params_per_out + kernel
        else:
            flops_per_pair, params_per_pair = kernel * layer.positions, kernel
    elif isinstance(module, nn.Linear):
        flops_per_pair = params_per_pair = 1
        params_per_out = 0 if module.bias is None else 1
    in_groups, in_fixed = _terms(layer.inputs, layer.name)
    out_groups, out_fixed = _terms(layer.outputs, layer.name)
    return Layer(
        layer.name, layer.kind, in_groups, in_fixed, out_groups, out_fixed,
        flops_per_pair, flops_per_out, params_per_pair, params_per_out,
    )  # fmt: skip


def _terms(channels: Channels, name: str) -> tuple[Terms, int]:
    """(group, multiplicity) pairs of one side, after checking that every filter of a group counts alike."""
    terms = []
    for group in np.unique(channels.group[channels.group >= 0]):
        counts = np.bincount(channels.filter[channels.group == group])
        if (counts != counts[0]).any():
            raise TraceError(f"layer {name!r} reads only part of a group's filters, which cannot be costed exactly")
        terms.append((int(group), int(counts[0])))
    return tuple(terms), int((channels.group < 0).sum())


def _check_against(found: Trace, network: nn.Module) -> None:
    """Refuse a trace whose parameter count is not the network's."""
    counted = sum(p.numel() for p in network.parameters())
    if found.params != counted:
        raise TraceError(
            f"the network has {counted} parameters and its trace accounts for {found.params}: shared parameters or "
            "parameters outside its layers cannot be pruned exactly"
        )
