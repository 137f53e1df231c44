"""Checking a trace against its network: pruning must compute what silencing the same filters computes."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.errors import TraceError
from prunestats.runners.pruning.shrinking import keep_filters, mask_filters
from prunestats.runners.pruning.traced import Trace

# Rounding differs by about 1e-6 of the largest value; a channel in the wrong place by about the value itself.
_TOLERANCE = 1e-3


def verify_trace(network: nn.Module, trace: Trace, example_input: Tensor) -> None:
    """Refuse a trace by which pruning would not be the same as silencing.

    Parameters
    ----------
    network : torch.nn.Module
        The network, left as it was.
    trace : Trace
    example_input : Tensor, shape (1, channels, height, width)

    Raises
    ------
    TraceError
        The message names the first layer whose outputs differ.

    Notes
    -----
    A copy with random weights, so that no weight is zero by chance or by design, loses a random half of every group.
    Every layer of the smaller network must write what the same layer writes in the silenced one. Where branches are
    multiplied, rounding can grow to the size of a mistake, so what differs is looked at again in double precision.
    """
    complaint = _mismatch(network, trace, example_input)
    if complaint and _mismatch(network, trace, example_input.double()):
        raise TraceError(complaint)


def _mismatch(network: nn.Module, trace: Trace, example_input: Tensor) -> str | None:
    """What is wrong with a trace, in the precision of the input."""
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(np.random.SeedSequence(0))
    dense = copy.deepcopy(network).eval()
    _randomise(dense, generator)
    dense.to(example_input.dtype)
    marks = [rng.permutation(group.size) < (group.size + 1) // 2 for group in trace.groups]
    small = keep_filters(dense, trace, marks)
    image = torch.randn(example_input.shape, generator=generator).to(example_input)
    expected, _ = _outputs(mask_filters(dense, trace, marks), trace, image)
    found, failure = _outputs(small, trace, image)
    for name, output in found.items():
        if not _same(_only_kept(expected[name], name, trace, marks), output):
            return (
                f"{_named(name)} cannot be followed: what it computes changes when filters before it are left out "
                "(are channels mixed, reordered or counted between layers?)"
            )
    if failure is None:
        return None
    last = _named(list(found)[-1]) if found else "its input"
    return (
        f"the network stops working after {last} when filters are left out ({failure}): does its forward hold numbers "
        "of channels?"
    )


def _outputs(network: nn.Module, trace: Trace, image: Tensor) -> tuple[dict[str, Tensor], str | None]:
    """What each layer writes, and under the empty name the network itself; and what stopped it."""
    outputs: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    handles = [
        modules[layer.name].register_forward_hook(lambda _, __, output, name=layer.name: outputs.update({name: output}))
        for layer in trace.layers
    ]
    failure = None
    try:
        with torch.no_grad():
            outputs[""] = network(image)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        failure = " ".join(str(error).split())[:200]
    finally:
        for handle in handles:
            handle.remove()
    return outputs, failure


def _only_kept(output: Tensor, name: str, trace: Trace, filters: list[NDArray[np.bool_]]) -> Tensor:
    layer = next((layer for layer in trace.layers if layer.name == name), None)
    if layer is None:
        return output
    axis = output.dim() - 1 if layer.kind.endswith("Linear") else 1
    return output.index_select(axis, torch.from_numpy(layer.outputs.kept(filters)).to(output.device))


def _same(expected: Tensor, found: Tensor) -> bool:
    if expected.shape != found.shape:
        return False
    largest = float(expected.abs().max())
    return float((expected - found).abs().max()) <= _TOLERANCE * largest  # false where anything is not finite


def _randomise(network: nn.Module, generator: torch.Generator) -> None:
    """Random weights, in place, that let what a layer adds outweigh what came before.

    With weights that keep the size of what flows through, rounding grows to the size of a mistake over hundreds of
    layers.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                _fill(module.weight, torch.rand, 0.5, generator)
                _fill(module.running_var, torch.rand, 0.5, generator)
                _fill(module.bias, torch.randn, 0.0, generator)
                _fill(module.running_mean, torch.randn, 0.0, generator)
            elif isinstance(module, nn.Conv2d | nn.Linear):
                _fill(module.weight, torch.randn, 0.0, generator)
                module.weight.mul_(module.weight[0].numel() ** -0.5)
                _fill(module.bias, torch.randn, 0.0, generator)


def _fill(values: Tensor | None, draw: Callable[..., Tensor], shift: float, generator: torch.Generator) -> None:
    if values is not None:
        values.copy_(draw(values.shape, generator=generator) + shift)


def _named(name: str) -> str:
    return f"layer {name!r}" if name else "the output of the network"
