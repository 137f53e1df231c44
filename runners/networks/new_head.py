"""The head of a network: its last layers, one output for each class, made new where weights are of other classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from prunestats.runners.networks.checkpoint import layer_of


@dataclass(frozen=True)
class Head:
    """Layers that weights do not fit because of their number of classes.

    Parameters
    ----------
    layers : tuple of str
        In the order of the network.
    classes : int or None
        Classes of the weights; None where the weights have no head.
    """

    layers: tuple[str, ...]
    classes: int | None


def new_head(
    network: nn.Module,
    state: Mapping[str, Tensor],
    example_input: Tensor,
    num_classes: int,
    random: Collection[str] = (),
) -> Head | None:
    """The head of a network that weights of another number of classes do not fit; None where there is no such head.

    Parameters
    ----------
    network : torch.nn.Module
        With `num_classes` outputs; not changed.
    state : mapping of str to Tensor
        The weights, with the network's names.
    example_input : Tensor, shape (batch, channels, height, width)
    num_classes : int
        Classes of the data.
    random : collection of str
        Names of tensors that are not in `state`, as the builder of the network draws them anew each time.

    Notes
    -----
    The head is every layer that owns a tensor of another shape than the network's. It is one only if these shapes
    differ in their first dimension alone, and there by the two numbers of classes; if no other tensor of these layers
    fits; and if no other layer that owns tensors runs after the first of them. Otherwise the weights are those of
    another network.
    """
    own = network.state_dict()
    differing = {name for name in own if name in random or (name in state and state[name].shape != own[name].shape)}
    layers = {layer_of(name) for name in differing}
    if not layers or not all(name in differing for name in own if layer_of(name) in layers):
        return None
    classes = {len(state[name]) for name in differing if name in state and state[name].dim()}
    if len(classes) > 1 or not all(_is_of_classes(own[name], state.get(name), num_classes) for name in differing):
        return None
    if not _run_last(network, layers, example_input):
        return None
    return Head(
        tuple(name for name, _ in network.named_modules() if name in layers), classes.pop() if classes else None
    )


def _is_of_classes(own: Tensor, found: Tensor | None, num_classes: int) -> bool:
    if own.dim() == 0 or len(own) != num_classes:
        return False
    return found is None or (found.dim() == own.dim() and found.shape[1:] == own.shape[1:])


def _run_last(network: nn.Module, layers: Collection[str], example_input: Tensor) -> bool:
    """Whether no other layer that owns tensors runs after the first of these layers."""
    order: list[str] = []
    training = network.training
    handles = [
        module.register_forward_hook(_remember(order, name))
        for name, module in network.named_modules()
        if any(True for _ in [*module.parameters(recurse=False), *module.buffers(recurse=False)])
    ]
    try:
        with torch.no_grad():
            network.eval()(example_input[:1])
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    first = min((order.index(name) for name in layers if name in order), default=0)
    return set(order[first:]) == set(layers)


def _remember(order: list[str], name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        order.append(name)

    return hook
