"""Verification of a trace: the pruned network must match the original with the same filters masked to zero."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.errors import TraceError
from prunestats.runners.outputs import floating
from prunestats.runners.pruning.shrinking import keep_filters, mask_filters
from prunestats.runners.pruning.traced import Trace

# Relative to the largest value: rounding differs by about 1e-6, a misplaced channel by about the value itself.
_TOLERANCE = 1e-3


def verify_trace(network: nn.Module, trace: Trace, example_input: Tensor) -> None:
    """Refuse a trace by which pruning filters differs from masking them to zero.

    Parameters
    ----------
    network : torch.nn.Module
        The original, which is not changed.
    trace : Trace
    example_input : Tensor, shape (1, channels, height, width)

    Raises
    ------
    TraceError
        The message names the first layer whose outputs differ.

    Notes
    -----
    A copy with random weights, so that no weight is zero by design, is pruned of a random half of every group. The
    outputs of every layer must match those of the same layer in the masked copy. Multiplicative branches amplify
    rounding error, so a mismatch is rechecked in float64.
    """
    complaint = _mismatch(network, trace, example_input)
    if complaint and _mismatch(network, trace, example_input.double()):
        raise complaint


def _mismatch(network: nn.Module, trace: Trace, example_input: Tensor) -> TraceError | None:
    """An error that names the first mismatch between pruned and masked network, computed in the input's precision."""
    # fixed seeds, so that a network is accepted or refused always alike
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
        if name not in expected or not _same(_only_kept(expected[name], name, trace, marks), output):
            return TraceError(
                f"{_named(name)} cannot be traced: its output differs when filters before it are pruned instead of "
                "masked (are channels mixed, reordered or counted between layers?)"
            )
    if failure is None:
        return None
    last = _named(list(found)[-1]) if found else "its input"
    # torch appends stack traces to some messages
    reason = " ".join(str(failure).split())[:200]
    complaint = TraceError(
        f"the network fails after {last} when filters are pruned ({reason}): does its forward pass contain fixed "
        "numbers of channels?"
    )
    complaint.__cause__ = failure
    return complaint


def _outputs(network: nn.Module, trace: Trace, image: Tensor) -> tuple[dict[str, Tensor], Exception | None]:
    """Outputs of the layers by name, and of the network by "#0", "#1" ...; and the error that stopped it, if any."""
    outputs: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    handles = [
        modules[layer.name].register_forward_hook(lambda _, __, output, name=layer.name: outputs.update({name: output}))
        for layer in trace.layers
    ]
    failure = None
    try:
        with torch.no_grad():
            outputs |= {f"#{number}": output for number, output in enumerate(floating(network(image)))}
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        failure = error
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
    """Draw random weights, in place, with which the shift of each layer outweighs the activations that it receives.

    Rounding error then dies out. With weights that preserve the scale of activations it grows, over hundreds of layers,
    to the size of a real mismatch. Scales and variances are drawn from [0.5, 1.5], away from zero.
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
    return "the output of the network" if name.startswith("#") else f"layer {name!r}"
