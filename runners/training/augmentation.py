"""Augmentation of a batch of images, as tensors on their device."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# Pixels of zero padding on each side, as He et al. (2016) crop CIFAR.
_PADDING = 4

# Area of a random resized crop as a fraction of the image's, and its aspect ratio (Szegedy et al. 2015, section 6).
_AREAS, _RATIOS = (0.08, 1.0), (3 / 4, 4 / 3)

# Proposals before a crop is taken from the centre, as in torchvision. In a square image 86 % of proposals fit, so that
# a crop is taken from the centre about twice in a billion times.
_PROPOSALS = 10


def crop_and_flip(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Random crop with 4 pixels of padding, and a horizontal flip with probability 1/2, for each image.

    Parameters
    ----------
    images : Tensor, shape (n, channels, height, width)
        Normalised images, so that the padding of 0 is the mean colour.
    rng : numpy.random.Generator

    Returns
    -------
    Tensor, of the shape of `images`

    References
    ----------
    .. [1] He, Zhang, Ren and Sun (2016). Deep residual learning for image recognition. CVPR, section 4.2.

    Examples
    --------
    >>> crop_and_flip(torch.ones(2, 3, 8, 8), np.random.default_rng(0)).shape
    torch.Size([2, 3, 8, 8])
    """
    n, channels, height, width = images.shape
    shifts = torch.from_numpy(rng.integers(0, 2 * _PADDING, (2, n), endpoint=True))
    mirrored = torch.from_numpy(rng.random(n) < 0.5)
    rows = shifts[0, :, None] + torch.arange(height)
    columns = torch.arange(width).expand(n, -1)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns) + shifts[1, :, None]
    padded = functional.pad(images, (_PADDING,) * 4)
    indices = (
        torch.arange(n)[:, None, None, None],
        torch.arange(channels)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    )
    return padded[tuple(index.to(images.device, non_blocking=True) for index in indices)]


def resized_crop_and_flip(images: Tensor, size: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """Random resized crop, and a horizontal flip with probability 1/2, for each image.

    Parameters
    ----------
    images : Tensor, shape (n, channels, height, width)
        Images as they are stored, which are usually larger than `size`.
    size : tuple of int
        Height and width of the result.
    rng : numpy.random.Generator

    Returns
    -------
    Tensor, shape (n, channels, *size)

    Notes
    -----
    The crop is that of `resized_crops`. It is resized bilinearly, with no low-pass filter (antialiasing) where it is
    larger than `size`: images that are stored at most twice as large as `size` lose little by it.

    References
    ----------
    .. [1] Szegedy et al. (2015). Going deeper with convolutions. CVPR, section 6.

    Examples
    --------
    >>> resized_crop_and_flip(torch.ones(2, 3, 20, 20), (16, 16), np.random.default_rng(0)).shape
    torch.Size([2, 3, 16, 16])
    """
    n, _, height, width = images.shape
    tops, lefts, heights, widths = resized_crops(n, (height, width), rng)
    rows = _samples(tops, heights, size[0], height)
    columns = _samples(lefts, widths, size[1], width)
    mirrored = torch.from_numpy(rng.random(n) < 0.5)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    grid = torch.stack(torch.broadcast_tensors(columns[:, None, :], rows[:, :, None]), dim=-1)
    grid = grid.to(images.device, images.dtype, non_blocking=True)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def resized_crops(n: int, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Random crops of images, as the usual recipe for ImageNet takes them.

    Parameters
    ----------
    n : int
        Number of images.
    size : tuple of int
        Their height and width in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int64, shape (4, n)
        Tops, lefts, heights and widths.

    Notes
    -----
    A crop's area is uniform between 0.08 and 1 of the image's, and the logarithm of its aspect ratio (width over
    height) uniform between those of 3/4 and 4/3 [1]_. Height and width are rounded to whole pixels. A crop that does
    not fit into the image is proposed anew, up to ten times, and then the largest central crop with an aspect ratio
    between the two is taken, as torchvision does. The place of a crop is uniform.

    References
    ----------
    .. [1] Szegedy et al. (2015). Going deeper with convolutions. CVPR, section 6.
    """
    height, width = size
    areas = height * width * rng.uniform(*_AREAS, (_PROPOSALS, n))
    ratios = np.exp(rng.uniform(math.log(_RATIOS[0]), math.log(_RATIOS[1]), (_PROPOSALS, n)))
    places = rng.random((2, n))
    widths, heights = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first, any_fits, which = fits.argmax(0), fits.any(0), np.arange(n)
    ratio = min(max(width / height, _RATIOS[0]), _RATIOS[1])
    largest = min(height, round(width / ratio)), min(width, round(height * ratio))
    heights = np.where(any_fits, heights[first, which], largest[0])
    widths = np.where(any_fits, widths[first, which], largest[1])
    tops = np.where(any_fits, np.floor(places[0] * (height - heights + 1)), (height - heights) // 2)
    lefts = np.where(any_fits, np.floor(places[1] * (width - widths + 1)), (width - widths) // 2)
    return np.stack([tops, lefts, heights, widths]).astype(np.int64)


def _samples(starts: NDArray[np.int64], lengths: NDArray[np.int64], size: int, side: int) -> Tensor:
    """Where bilinear resizing of crops reads an axis, in the units of `grid_sample`, shape (n, size)."""
    steps = (np.arange(size) + 0.5) / size
    # clipped to the centres of the crop's outer pixels: what lies outside of a crop does not enter it
    centres = np.clip(steps * lengths[:, None] - 0.5, 0, lengths[:, None] - 1) + starts[:, None]
    return torch.from_numpy((2 * centres + 1) / side - 1)
