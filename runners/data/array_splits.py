"""Splits whose images are normalised by the mean and standard deviation of the training images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunestats.errors import InputError
from prunestats.runners.data.pixel_moments import moments
from prunestats.runners.data.readers import Arrays
from prunestats.runners.data.splits import ImageSplit

Floats = NDArray[np.floating]
Normalised = tuple[tuple[ImageSplit, ImageSplit, ImageSplit], Floats, Floats]


@dataclass(frozen=True)
class Part:
    """Images and labels of a split: the marked ones of these, or all.

    Parameters
    ----------
    images : ndarray, shape (m, channels, height, width)
    labels : ndarray of int64, shape (m,)
    marks : ndarray of bool, shape (m,), optional
    """

    images: NDArray[np.generic]
    labels: NDArray[np.int64]
    marks: NDArray[np.bool_] | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Indices of the images."""
        return np.arange(len(self.labels)) if self.marks is None else np.flatnonzero(self.marks)


Parts = tuple[Part, Part, Part]


def normalised(arrays: Arrays, parts: Parts, crop: int | None) -> Normalised:
    """Normalised splits, with the mean and standard deviation of each channel.

    Parameters
    ----------
    arrays : Arrays
        Of which the parts are.
    parts : tuple of Part
        Training, by whose images all are normalised, validation and test.
    crop : int or None
        Side of the central crop of a batch.

    Raises
    ------
    InputError
        If an image has a value that is not finite.
    """
    return (_bytes if arrays.train_images.dtype == np.uint8 else _floats)(arrays, parts, crop)


def _floats(arrays: Arrays, parts: Parts, crop: int | None) -> Normalised:
    # once for each array, as training and validation images may be of one
    images = {id(part.images): part.images.astype(np.float32) for part in parts}
    if not all(np.isfinite(found).all() for found in images.values()):
        raise InputError("images must be finite numbers; found NaN or infinity: replace them")
    trained = images[id(parts[0].images)][parts[0].rows]
    mean = trained.mean((0, 2, 3), keepdims=True)
    spread = trained.std((0, 2, 3), keepdims=True) + 1e-8
    images = {key: (found - mean) / spread for key, found in images.items()}

    def split(part: Part) -> ImageSplit:
        pixels, labels = images[id(part.images)][part.rows], part.labels[part.rows]
        return ImageSplit(_tensor(pixels), torch.from_numpy(labels), crop=crop)

    train, validation, test = parts
    return (split(train), split(validation), split(test)), mean.ravel(), spread.ravel()


def _bytes(arrays: Arrays, parts: Parts, crop: int | None) -> Normalised:
    sums, squares = arrays.moments or moments(np.asarray(arrays.train_images, dtype=np.uint8))
    rows = parts[0].rows
    pixels = int(np.prod(arrays.train_images.shape[2:])) * len(rows)
    mean = sums[rows].sum(0) / pixels
    spread = np.sqrt(squares[rows].sum(0) / pixels - mean**2) + 1e-8
    norm = {
        "mean": torch.tensor(mean, dtype=torch.float32)[None, :, None, None],
        "spread": torch.tensor(spread, dtype=torch.float32)[None, :, None, None],
    }
    train, validation, test = (_of_bytes(part, arrays.mapped, norm, crop) for part in parts)
    return (train, validation, test), mean, spread


def _of_bytes(part: Part, mapped: bool, norm: dict[str, Tensor], crop: int | None) -> ImageSplit:
    labels, rows = torch.from_numpy(part.labels[part.rows]), None
    images = part.images
    if mapped:
        rows = torch.from_numpy(part.rows)
    elif part.marks is not None:
        images = images[part.rows]
    return ImageSplit(_tensor(images), labels, norm["mean"], norm["spread"], rows, crop)


def _tensor(images: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images))
