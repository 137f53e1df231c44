"""Numbers of our own rule for a network's probe: its weights, its images, and what its random layers draw."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

# Elements of a tensor that are filled at once: 8 MB of 64-bit numbers.
_CHUNK = 1 << 20


def uniform(shape: tuple[int, ...], *keys: str) -> Tensor:
    """Numbers in [0, 1) in float64, which depend on keys and shape alone: SplitMix64 of a counter."""
    start = int.from_bytes(hashlib.sha256("/".join(keys).encode()).digest()[:8], "little")
    count = int(np.prod(shape, dtype=np.int64))
    values = np.empty(count)
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        # the upper 53 bits, as many as a float64 holds
        values[first:last] = (splitmix(start, first + 1, last + 1) >> np.uint64(11)) * 2.0**-53
    return torch.from_numpy(values).reshape(shape)


def splitmix(seed: int, first: int, last: int) -> NDArray[np.uint64]:
    """Numbers of SplitMix64 with these indices, from 1, as its reference implementation gives them in turn."""
    state = np.arange(first, last, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@torch.no_grad()
def fill_parameters(network: nn.Module) -> None:
    """Fill all parameters in their order, whatever their names, at scales that keep deep activations finite.

    Matrices and kernels are uniform with the variance of He et al. (2015), 2 / fan-in. Vectors (biases, weights of
    normalisation) have both signs and stay away from zero, so that each of them acts.
    """
    for number, parameter in enumerate(network.parameters()):
        signed = 2 * uniform(tuple(parameter.shape), "parameter", str(number)) - 1
        if parameter.dim() < 2:
            signed = torch.where(signed < 0, -1.0, 1.0) * (0.3 + 0.7 * signed.abs())
        else:
            signed *= (6 * parameter.shape[0] / max(parameter.numel(), 1)) ** 0.5
        parameter.copy_(signed)


class OwnRandomness(TorchDispatchMode):
    """Random operations draw from `uniform`, so that they agree on every processor and in every version of torch.

    torch's own generator gives other numbers on processors without MKL. Operations that are not listed use it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation."""
        name = func._schema.name.removeprefix("aten::")
        kwargs = dict(kwargs or {})
        if name not in _DRAWS:
            return func(*args, **kwargs)
        self.calls += 1
        # rand and randn create a tensor of the shape, type and place that are asked for; the others are given one
        like = func(*args, **kwargs) if name in ("rand", "randn") else args[0]
        drawn = _DRAWS[name](uniform(tuple(like.shape), "draw", str(self.calls)), args, kwargs)
        return like.copy_(drawn) if name.endswith("_") else torch.empty_like(like).copy_(drawn)


def _bernoulli(numbers: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    # bernoulli(p) has the probabilities as its tensor, and bernoulli_(tensor, p) beside it
    probability = args[1] if len(args) > 1 else kwargs.get("p", args[0])
    return torch.lt(numbers, probability).double()


def _uniform(numbers: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    low, high = _two(args, kwargs, "from", "to")
    return low + (high - low) * numbers


def _normal(numbers: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    mean, spread = _two(args, kwargs, "mean", "std")
    return mean + spread * _standard(numbers)


def _two(args: tuple[Any, ...], kwargs: dict[str, Any], first: str, second: str) -> tuple[float, float]:
    """The two parameters of a distribution, given by position after the tensor or by name; 0 and 1 by default."""
    given = {**dict(zip((first, second), args[1:3], strict=False)), **kwargs}
    return given.get(first, 0.0), given.get(second, 1.0)


def _standard(numbers: Tensor) -> Tensor:
    # half a step inside (0, 1), where the quantile function is finite
    found: Tensor = torch.special.ndtri(numbers + 2.0**-54)
    return found


_DRAWS: dict[str, Callable[[Tensor, tuple[Any, ...], dict[str, Any]], Tensor]] = {
    "bernoulli": _bernoulli,
    "bernoulli_": _bernoulli,
    "uniform_": _uniform,
    "normal_": _normal,
    "rand": lambda numbers, args, kwargs: numbers,
    "rand_like": lambda numbers, args, kwargs: numbers,
    "randn": lambda numbers, args, kwargs: _standard(numbers),
    "randn_like": lambda numbers, args, kwargs: _standard(numbers),
}


@contextmanager
def global_seeds() -> Iterator[None]:
    """Seed the generators of torch, numpy and Python, and leave them afterwards as they were."""
    states = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(0)
        try:
            yield
        finally:
            np.random.set_state(states[0])  # noqa: NPY002
            random.setstate(states[1])
