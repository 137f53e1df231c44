"""Torch-Pruning's dependency graph of a network, with marker layers where it would lose track of channels.

Torch-Pruning does not know the channels of the image, nor the order of channels after a concatenation is flattened.
Batch norms inserted while the graph is built, as markers that are not part of the network, give it both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from prunestats.errors import TraceError
from prunestats.runners.outputs import floating

# All names under which torch offers a concatenation, and a view of a tensor in another shape.
_CONCATENATIONS = (torch.cat, torch.concat, torch.concatenate)
_RESHAPES = (Tensor.view, Tensor.reshape, Tensor.unflatten, torch.reshape, torch.unflatten)


def dependency_graph(network: nn.Module, example_input: Tensor) -> tuple[Any, nn.Module]:
    """Dependency graph of a network, and the marker layer of its image.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    example_input : Tensor, shape (1, channels, ...)

    Returns
    -------
    graph : torch_pruning.DependencyGraph
    image : torch.nn.Module

    Raises
    ------
    TraceError
        If Torch-Pruning fails, or if channels are shuffled, where it would fail after minutes.
    """
    marked = _WithMarkers(network, example_input).to(example_input.device).eval()
    with _layer_named_in_errors(network), torch.no_grad():
        marked(example_input)
    with _failures_as_trace_errors():
        return tp.DependencyGraph().build_dependency(marked, example_inputs=example_input), marked.image


def coupled_layers(graph: Any, ignored_layers: list[nn.Module]) -> Iterator[Any]:
    """Torch-Pruning's groups of coupled channels, one for each layer taken as the root.

    Raises
    ------
    TraceError
        If Torch-Pruning fails.
    """
    with _failures_as_trace_errors():
        yield from graph.get_all_groups(ignored_layers=ignored_layers, root_module_types=[nn.Conv2d, nn.Linear])


@contextmanager
def _layer_named_in_errors(network: nn.Module) -> Iterator[None]:
    """Name the module in whose forward pass an error was raised."""
    inside: list[str] = []

    def enter(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda module, _: inside.append(
            f"layer {name!r} of kind {type(module).__name__}" if name else "the network itself"
        )

    def leave(*_: Any) -> None:
        inside.pop()

    handles = []
    for name, module in network.named_modules():
        handles += [module.register_forward_pre_hook(enter(name)), module.register_forward_hook(leave)]
    try:
        yield
    except TraceError as error:
        raise TraceError(f"{inside[-1]} {error}") from error
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _failures_as_trace_errors() -> Iterator[None]:
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise TraceError(f"Torch-Pruning cannot trace the forward pass of the network ({reason})") from error


class _WithMarkers(nn.Module):
    """A network with marker layers: for the image, and after each concatenation (made in the first forward pass)."""

    def __init__(self, network: nn.Module, example_input: Tensor) -> None:
        super().__init__()
        self.network = network
        self.image = _marker(example_input)
        self.markers = nn.ModuleList()

    def forward(self, x: Tensor) -> Any:
        with _InsertMarkers(self.markers):
            outputs = floating(self.network(self.image(x)))
        # constants, such as a grid of positions, are no part of the graph
        return [output for output in outputs if output.grad_fn is not None] or outputs


class _InsertMarkers(TorchFunctionMode):
    """Applies the next marker layer to the result of each concatenation of channels."""

    def __init__(self, markers: nn.ModuleList) -> None:
        super().__init__()
        self.markers = markers
        self.used = 0

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function in _RESHAPES:
            _refuse_shuffled(args[0].shape, result.shape)
        if function not in _CONCATENATIONS or result.dim() not in (2, 4):
            return result
        axis = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
        if axis % result.dim() != 1:
            return result
        if self.used == len(self.markers):
            self.markers.append(_marker(result).to(result.device).eval())
        self.used += 1
        return self.markers[self.used - 1](result)


def _refuse_shuffled(before: torch.Size, after: torch.Size) -> None:
    """Refuse a channel shuffle at once, where Torch-Pruning would run for minutes before it fails."""
    if len(before) == 4 and len(after) > 4 and after[1] != before[1]:
        raise TraceError(
            f"takes the {before[1]} channels of a feature map apart, by a view of {tuple(before)} as {tuple(after)}: "
            "channels that are shuffled or split across filters cannot be traced"
        )


def _marker(features: Tensor) -> nn.Module:
    return nn.BatchNorm2d(features.shape[1]) if features.dim() == 4 else nn.BatchNorm1d(features.shape[1])
