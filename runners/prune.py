"""Pruning: which filters stay, and the physically smaller network that holds them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.errors import InputError
from prunestats.runners.trace import Trace, TracedLayer

CRITERIA = ("l1", "l2", "bn_scale", "random", "first")
INITS = ("inherited", "scratch")


def prune(
    network: nn.Module,
    trace: Trace,
    widths: Sequence[int] | NDArray[np.int64],
    *,
    criterion: str = "l1",
    init: str = "inherited",
    rng: np.random.Generator | None = None,
) -> nn.Module:
    """A physically smaller copy of a network that keeps the most important filters of every group.

    Parameters
    ----------
    network : torch.nn.Module
        The original, left as it was.
    trace : Trace
        Its trace.
    widths : sequence of int, length groups
        Filters to keep in each group.
    criterion : {"l1", "l2", "bn_scale", "random", "first"}
        Importance of a filter, as in `importance`.
    init : {"inherited", "scratch"}
        Whether the kept filters keep their weights, or every layer is initialised anew by its own
        ``reset_parameters`` with torch's global generator.
    rng : numpy.random.Generator, optional
        Source of randomness; needed by the criterion "random" alone.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    InputError
        If the widths, the criterion or the initialisation are not valid.

    Examples
    --------
    >>> import torch
    >>> from prunestats.runners import build_network, trace
    >>> net = build_network("resnet_digits")
    >>> t = trace(net, torch.zeros(1, 1, 8, 8))
    >>> small = prune(net, t, [8, 4, 16, 16, 30, 32])
    >>> sum(p.numel() for p in small.parameters()) == t.cost.params([8, 4, 16, 16, 30, 32])[0]
    np.True_
    """
    scores = importance(network, trace, criterion=criterion, rng=rng)
    return keep_filters(network, trace, most_important(trace, scores, widths), init=init)


def importance(
    network: nn.Module, trace: Trace, *, criterion: str = "l1", rng: np.random.Generator | None = None
) -> list[NDArray[np.float64]]:
    """Importance of every filter, summed over all layers that write to its group.

    Parameters
    ----------
    network : torch.nn.Module
    trace : Trace
    criterion : {"l1", "l2", "bn_scale", "random", "first"}
        Norm of a filter's weights [1]_, absolute scale of its batch norms [2]_, chance, or its place.
    rng : numpy.random.Generator, optional
        Needed by "random" alone.

    Returns
    -------
    list of ndarray, shapes (group size,)

    References
    ----------
    .. [1] Li, Kadav, Durdanovic, Samet and Graf (2017). Pruning filters for efficient ConvNets. ICLR, section 3.1.
    .. [2] Liu, Li, Shen, Huang, Yan and Zhang (2017). Learning efficient convolutional networks through network
       slimming. ICCV.
    """
    if criterion not in CRITERIA:
        raise InputError(f"criterion must be one of {', '.join(CRITERIA)}; found {criterion!r}")
    if criterion == "first":
        return [-np.arange(group.size, dtype=np.float64) for group in trace.groups]
    if criterion == "random":
        if rng is None:
            raise InputError("criterion 'random' needs rng, a numpy.random.Generator")
        return [rng.random(group.size) for group in trace.groups]
    modules = dict(network.named_modules())
    totals = [np.zeros(group.size) for group in trace.groups]
    for layer in trace.layers:
        scores = _scores(modules[layer.name], criterion)
        if scores is None:
            continue
        for index in np.unique(layer.outputs.group[layer.outputs.group >= 0]):
            mine = layer.outputs.group == index
            np.add.at(totals[index], layer.outputs.filter[mine], scores[mine])
    return totals


def most_important(
    trace: Trace, scores: Sequence[NDArray[np.float64]], widths: Sequence[int] | NDArray[np.int64]
) -> list[NDArray[np.bool_]]:
    """Mark the `widths` highest scores of each group True; of equal scores the first in the group stays."""
    wanted = [int(width) for width in widths]
    trace.cost.flops(wanted)  # refuses what is no subnetwork of this original
    marks = []
    for score, width in zip(scores, wanted, strict=True):
        keep = np.zeros(len(score), dtype=np.bool_)
        keep[np.argsort(-score, kind="stable")[:width]] = True
        marks.append(keep)
    return marks


def keep_filters(
    network: nn.Module, trace: Trace, filters: list[NDArray[np.bool_]], *, init: str = "inherited"
) -> nn.Module:
    """A copy of `network` that holds only the filters marked True in each group."""
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


def _scores(module: nn.Module, criterion: str) -> NDArray[np.float64] | None:
    """Scores of a layer's outputs, or None if the criterion does not look at this kind of layer."""
    if isinstance(module, _BatchNorm):
        return _numpy(module.weight.abs()) if criterion == "bn_scale" and module.affine else None
    if criterion == "bn_scale" or not isinstance(module, nn.Conv2d | nn.Linear):
        return None
    flat = module.weight.detach().flatten(1).double()
    return _numpy(flat.abs().sum(1) if criterion == "l1" else flat.norm(dim=1))


def _numpy(values: torch.Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()


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
    if getattr(module, "groups", 1) > 1:
        module.groups = module.in_channels = module.out_channels = len(outputs)
        return
    inputs = torch.from_numpy(layer.inputs.kept(filters))
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
