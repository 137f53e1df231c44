"""Torch-Pruning's dependency graph of a network, helped where it loses count of channels.

It does not see the image, and it loses its place where a concatenation is flattened. Batch norms that it does see, and
that are nobody's, mark both places while the graph is built.
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

_CONCATENATIONS = (torch.cat, torch.concat, torch.concatenate)
_RESHAPES = (Tensor.view, Tensor.reshape, Tensor.unflatten, torch.reshape, torch.unflatten)


def dependency_graph(network: nn.Module, example_input: Tensor) -> tuple[Any, nn.Module]:
    """The graph, and the module in it that stands for the image.

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
        If Torch-Pruning fails, or would: where channels are shuffled.
    """
    marked = _WithMarkers(network, example_input).to(example_input.device).eval()
    with _named(network), torch.no_grad():
        marked(example_input)
    with _failures_told():
        return tp.DependencyGraph().build_dependency(marked, example_inputs=example_input), marked.image


def coupled_layers(graph: Any, ignored_layers: list[nn.Module]) -> Iterator[Any]:
    """What Torch-Pruning would prune together, one layer after another that it begins with.

    Raises
    ------
    TraceError
        If Torch-Pruning fails.
    """
    with _failures_told():
        yield from graph.get_all_groups(ignored_layers=ignored_layers, root_module_types=[nn.Conv2d, nn.Linear])


@contextmanager
def _named(network: nn.Module) -> Iterator[None]:
    """Put the module in whose forward pass something was refused in front of the message."""
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
def _failures_told() -> Iterator[None]:
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise TraceError(f"Torch-Pruning cannot follow the forward pass of the network ({reason})") from error


class _WithMarkers(nn.Module):
    """A network between marks: one for the image, and one after each concatenation, made in the first forward pass."""

    def __init__(self, network: nn.Module, example_input: Tensor) -> None:
        super().__init__()
        self.network = network
        self.image = _marker(example_input)
        self.marks = nn.ModuleList()

    def forward(self, x: Tensor) -> Any:
        with _InsertMarkers(self.marks):
            return self.network(self.image(x))


class _InsertMarkers(TorchFunctionMode):
    """Passes what a concatenation of channels gives through the next mark."""

    def __init__(self, marks: nn.ModuleList) -> None:
        super().__init__()
        self.marks = marks
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
        if self.used == len(self.marks):
            self.marks.append(_marker(result).to(result.device).eval())
        self.used += 1
        return self.marks[self.used - 1](result)


def _refuse_shuffled(before: torch.Size, after: torch.Size) -> None:
    """Refuse at once what Torch-Pruning would work on for minutes before it fails."""
    if len(before) == 4 and len(after) > 4 and after[1] != before[1]:
        raise TraceError(
            f"takes the {before[1]} channels of a feature map apart, by a view of {tuple(before)} as {tuple(after)}: "
            "channels that are shuffled or split between filters cannot be followed"
        )


def _marker(features: Tensor) -> nn.Module:
    return nn.BatchNorm2d(features.shape[1]) if features.dim() == 4 else nn.BatchNorm1d(features.shape[1])
