"""Normalisation of images by a given mean and standard deviation, in place of those of the training split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from prunestats.errors import InputError
from prunestats.runners.data.loader_split import LoaderSplit
from prunestats.runners.data.splits import Data, ImageSplit

Split = ImageSplit | LoaderSplit

_BYTE = 255.0
"""Largest value of an 8-bit pixel: divided by it, bytes lie in [0, 1], the range that published means are of."""

# Beyond [0, 1] by more than interpolation overshoots, pixels have another range than a mean of [0, 1].
_OVERSHOOT = 0.1


def normalised_by(data: Data, mean: Sequence[float], std: Sequence[float], scale: float | None = None) -> Data:
    """The data with images normalised by (pixels / scale - mean) / std in each channel.

    Parameters
    ----------
    data : Data
        Normalised by its training split.
    mean, std : sequence of float, length channels
        In units of the scaled pixels.
    scale : float, optional
        What pixels are divided by first; by default 255 for bytes, and 1 for other numbers.

    Returns
    -------
    Data
        Its `mean` and `spread` are in units of the pixels; its digest depends on them.

    Raises
    ------
    InputError
        If the number of channels differs.
    """
    channels = len(data.mean)
    if not len(mean) == len(std) == channels:
        raise InputError(
            f"data.mean and data.std must have one number for each of the {channels} channels of the images; found "
            f"{len(mean)} and {len(std)}"
        )
    scale = scale or default_scale(data)
    shift, spread = tuple(scale * value for value in mean), tuple(scale * value for value in std)
    splits: dict[str, Any] = {
        name: _renormalised(split, data, _column(shift), _column(spread))
        for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    digest = hashlib.sha256(f"{data.digest} {shift!r} {spread!r}".encode()).hexdigest()[:16]
    return replace(data, **splits, digest=digest, mean=shift, spread=spread)


def default_scale(data: Data) -> float:
    """What pixels are divided by so that they lie in [0, 1]: 255 for bytes; other numbers are taken to lie there."""
    return 1.0 if data.train.mean is None else _BYTE


def pixel_range(data: Data, images: int = 256) -> tuple[float, float]:
    """Smallest and largest pixel of the first training images, before normalisation."""
    pixels = data.train.batch(slice(0, images))[0].double() * _column(data.spread) + _column(data.mean)
    return float(pixels.min()), float(pixels.max())


def check_range(data: Data, scale: float | None, whose: str) -> None:
    """Refuse pixels outside [0, 1] after scaling where a mean of that range is to normalise them.

    Parameters
    ----------
    data : Data
    scale : float or None
        As in `normalised_by`.
    whose : str
        Whose mean it is, for the message.
    """
    scale = scale or default_scale(data)
    # rounded, as pixels are computed back from normalised ones in float32; + 0.0, so that -0.0 is 0
    low, high = (round(value / scale, 4) + 0.0 for value in pixel_range(data))
    if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
        raise InputError(
            f"data.scale: expected pixels from 0 to 1 after division by {scale:g}, as the mean and std of {whose} are "
            f"of that range; found {low:.3g} to {high:.3g}: give scale in [data], such as 255; or mean and std, with "
            "mean 0 and std 1 for images that are normalised already"
        )


def _renormalised(split: Split, data: Data, shift: Tensor, spread: Tensor) -> Split:
    if split.mean is not None or isinstance(split, LoaderSplit):
        return replace(split, mean=shift.float(), spread=spread.float())
    pixels = split.pixels.double() * _column(data.spread) + _column(data.mean)
    return replace(split, pixels=((pixels - shift) / spread).float())


def _column(values: Sequence[float]) -> Tensor:
    """One number a channel, shape (1, channels, 1, 1)."""
    return torch.tensor(values, dtype=torch.float64)[None, :, None, None]
