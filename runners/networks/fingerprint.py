"""Fingerprint of a network: what it computes on a fixed probe, in numbers, however its file is written."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from prunestats.runners.networks.probe import OwnRandomness, fill_parameters, global_seeds, uniform
from prunestats.runners.networks.sources import definitions, layers
from prunestats.runners.outputs import floating

# Multiply-adds of one image, above which fewer images are probed: ImageNet's networks then take seconds, not a minute.
_COSTLY = 200_000_000
# Batch norm over a single position needs several images; eight repeat no pattern of the layers above.
_IMAGES, _FEWER_IMAGES = 8, 3

# Outputs are kept as this many weighted sums an image: any output that changes changes them, and 1,000 classes take no
# more space than ten.
_PROJECTIONS = 4

# Decimal places of the behaviour that a key is made of. Rounding errors of 1e-13 seldom cross a step of 1e-5, so that
# machines agree on a key.
KEY_PLACES = 5

# Where a network refuses float64, as with a cast in its forward pass.
_PRECISIONS = (torch.float64, torch.float32)


@dataclass(frozen=True)
class Fingerprint:
    """What a network computes, and how its weights are initialised.

    Parameters
    ----------
    behaviour : dict of str to list of float
        Outputs, gradients and buffers on the probe, by name; compared with a tolerance.
    initial : list of list of float
        Number of elements, mean and root mean square of each parameter and buffer as the builder leaves them (seed 0).
    names : list of str
        Names of these parameters and buffers, by which weights are stored; they do not decide.
    precision : {"float64", "float32"}
        In which the probe was computed.
    torch : str
        Version of torch, whose generator draws the initial weights.
    layers : list of str
        Layers with their hyperparameters, in order; they explain a difference, and do not decide.
    definitions : dict of str to str
        Hash of the syntax tree of each class and function of the user's own modules, by name; they explain, too.
    """

    behaviour: dict[str, list[float]]
    initial: list[list[float]]
    names: list[str]
    precision: str
    torch: str
    layers: list[str] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)

    def rounded(self, digits: int) -> dict[str, list[float]]:
        """Behaviour, rounded to decimal places of the largest number of each quantity."""
        rounded = {}
        for name, values in self.behaviour.items():
            scale = max(map(abs, values), default=0.0) or 1.0
            # + 0.0: of numbers that round to zero, -0.0 and 0.0 are one
            rounded[name] = [round(value / scale, digits) + 0.0 for value in values]
        return rounded


def fingerprint(name: str, network: nn.Module, image_shape: tuple[int, ...], flops: int) -> Fingerprint:
    """Fingerprint of a network as its builder returns it.

    Parameters
    ----------
    name : str
        By which it was built; it names the user's own module.
    network : torch.nn.Module
        Not changed.
    image_shape : tuple of int
        Channels, height and width.
    flops : int
        Multiply-adds of one image.

    Returns
    -------
    Fingerprint

    Raises
    ------
    Exception
        What the network raises where it cannot compute outputs and gradients of a batch of images.

    Notes
    -----
    The probe is a batch of images, and all parameters and the images are filled by a rule (SplitMix64 [1]_), so that
    neither the library's generator nor the initialisation matters. Buffers keep their initial values, which may be
    constants of the network. Random layers draw from the same rule. Quantities: outputs in evaluation mode; outputs in
    training mode, the gradient of a weighted sum of them by each parameter (norm and weighted sum; norm -1 for a
    parameter without a gradient), and the norms of the buffers after that pass; outputs in evaluation mode again, with
    these buffers; and the shapes of all tensors. Computed in float64 on the CPU: rounding then moves them by about
    1e-13 of their size, and a change of a hyperparameter by far more. Why so:
    docs/decisions/0013-networks-are-known-by-what-they-compute.md.

    References
    ----------
    .. [1] Steele, Lea and Flood (2014). Fast splittable pseudorandom number generators. OOPSLA, figure 13.
    """
    images = _IMAGES if flops <= _COSTLY else _FEWER_IMAGES
    tensors = network.state_dict()
    initial = [_moments(tensor) for tensor in tensors.values()]
    for precision in _PRECISIONS:
        try:
            behaviour = _behaviour(network, (images, *image_shape), precision)
        except Exception as error:
            failure = error
        else:
            made = str(precision).removeprefix("torch."), _torch_version()
            return Fingerprint(behaviour, initial, list(tensors), *made, layers(network), definitions(name, network))
    raise failure


def _behaviour(network: nn.Module, shape: tuple[int, ...], precision: torch.dtype) -> dict[str, list[float]]:
    with _copy(network, precision) as probed, global_seeds(), OwnRandomness():
        fill_parameters(probed)
        # of about unit variance, as normalised images are
        images = (1.7 * (2 * uniform(shape, "images") - 1)).to(precision)
        with torch.no_grad():
            evaluation = _projected(probed.eval()(images))
        outputs = _training_outputs(probed, images)
        _weighted(outputs).sum().backward()
        gradients = [number for parameter in probed.parameters() for number in _gradient(parameter)]
        buffers = [_finite(float(buffer.double().norm())) for buffer in probed.buffers()]
        with torch.no_grad():
            after = _projected(probed.eval()(images))
        return {
            "outputs in evaluation mode": evaluation,
            "outputs in training mode": _projected(outputs),
            "gradients": gradients,
            "buffers after a training pass": buffers,
            "outputs in evaluation mode after a training pass": after,
            "shapes": [float(size) for tensor in probed.state_dict().values() for size in (-1, *tensor.shape)],
        }


@contextmanager
def _copy(network: nn.Module, precision: torch.dtype) -> Iterator[nn.Module]:
    """A copy on the CPU in a precision, which is also the default of tensors that the forward pass creates.

    One thread computes, as the workers do: several would wait for one another on a busy machine.
    """
    default, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(precision)
    torch.set_num_threads(1)
    try:
        yield copy.deepcopy(network).cpu().to(precision)
    finally:
        torch.set_default_dtype(default)
        torch.set_num_threads(threads)


def _training_outputs(network: nn.Module, images: Tensor) -> Any:
    """Outputs in training mode; in evaluation mode where that also needs targets, as with detectors."""
    try:
        return network.train()(images)
    except (TypeError, ValueError, AssertionError, AttributeError):
        return network.eval()(images)


def _weighted(outputs: Any) -> Tensor:
    """Weighted sums of the outputs of each image, shape (images, projections); of all images, shape (1, projections).

    Several tensors are put beside each other, by image where each has one entry an image.
    """
    found = floating(outputs)
    images = {len(one) if one.dim() else 0 for one in found}
    if len(images) == 1 and 0 not in images:
        # a regression may return one number for each image, without a second dimension
        rows = [one.reshape(len(one), -1) for one in found]
        flat = torch.cat(rows, dim=1) if len(rows) > 1 else rows[0]
    else:
        flat = torch.cat([one.flatten() for one in found])[None]
    return flat @ (2 * uniform((flat.shape[1], _PROJECTIONS), "projections") - 1).to(flat.dtype)


def _projected(outputs: Any) -> list[float]:
    return list(map(_finite, _weighted(outputs).detach().flatten().tolist()))


def _finite(value: float) -> float:
    """A number that JSON can hold: what overflows or is undefined becomes the largest number."""
    largest = sys.float_info.max
    return largest if math.isnan(value) else max(-largest, min(largest, value))


def _gradient(parameter: Tensor) -> tuple[float, float]:
    if parameter.grad is None:
        return -1.0, 0.0
    found = parameter.grad.double().flatten()
    weights = 2 * uniform((found.numel(),), "gradient") - 1
    return _finite(float(found.norm())), _finite(float(found @ weights))


def _moments(tensor: Tensor) -> list[float]:
    """Number of elements, mean and root mean square."""
    values = tensor.detach().double()
    if values.numel() == 0:
        return [0.0, 0.0, 0.0]
    return [float(values.numel()), _finite(float(values.mean())), _finite(float(values.square().mean().sqrt()))]


def _torch_version() -> str:
    return torch.__version__.partition("+")[0]


def from_stored(content: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint of a row of the database."""
    return Fingerprint(**content)
