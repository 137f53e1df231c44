"""Augmentation of a batch of images, as tensors on their device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Pixels of zero padding on each side, as He et al. (2016) crop CIFAR.
_PADDING = 4


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
