"""The splits of a data set, whose batches are tensors of normalised images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prunestats.runners.data.loader_split import Batch, LoaderSplit


@dataclass(frozen=True)
class ImageSplit:
    """Images and labels of one split.

    Parameters
    ----------
    pixels : Tensor of float32 or uint8, shape (m, channels, height, width)
        Floats are normalised already. Bytes are normalised batch by batch, so that they take a quarter of the memory.
    labels : Tensor of int64, shape (n,)
    mean, spread : Tensor of float32, shape (1, channels, 1, 1), optional
        Mean and standard deviation by which bytes are normalised.
    rows : Tensor of int64, shape (n,), optional
        Indices of the split's images in `pixels`, where these hold the images of other splits too.
    crop : int, optional
        Side of the central crop that a batch holds, where images are stored larger.
    """

    pixels: Tensor
    labels: Tensor
    mean: Tensor | None = None
    spread: Tensor | None = None
    rows: Tensor | None = None
    crop: int | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """Device of the batches."""
        return self.labels.device

    @property
    def images(self) -> Tensor:
        """All images, normalised, shape (n, channels, height, width)."""
        return self.batch(slice(None))[0]

    def batch(self, members: Tensor | slice, *, whole: bool = False) -> Batch:
        """Normalised images and labels of the members with these indices, on the device of the labels.

        With `whole`, images are as large as they are stored; otherwise their central crops.
        """
        labels = self.labels[members]
        members = members if self.rows is None else self.rows[members]
        pixels = self.pixels[members]
        if self.crop is not None and not whole:
            top, left = ((side - self.crop) // 2 for side in pixels.shape[-2:])
            pixels = pixels[..., top : top + self.crop, left : left + self.crop]
        pixels = pixels.to(labels.device, non_blocking=True)
        if self.mean is None or self.spread is None:
            return pixels, labels
        return (pixels.float() - self.mean) / self.spread, labels

    def batches(self, groups: Iterable[Tensor], rng: np.random.Generator, *, whole: bool = False) -> Iterator[Batch]:
        """The batch of each group of indices; `rng` is not used, as images are the same each time they are read."""
        return (self.batch(members, whole=whole) for members in groups)

    def first(self, images: int) -> ImageSplit:
        """The split with its first images alone."""
        if self.rows is not None:
            return replace(self, labels=self.labels[:images], rows=self.rows[:images])
        return replace(self, labels=self.labels[:images], pixels=self.pixels[:images])

    def to(self, device: torch.device, layout: torch.memory_format = torch.preserve_format) -> ImageSplit:
        """The split on a device, in a memory format.

        Images that are mapped from a file stay on disk as they are, and are moved batch by batch.
        """
        moved: dict[str, Any] = {"labels": self.labels.to(device)}
        if self.mean is not None and self.spread is not None:
            moved |= {"mean": self.mean.to(device), "spread": self.spread.to(device)}
        if self.rows is None:
            pixels = self.pixels.to(device)
            moved["pixels"] = pixels if layout == torch.preserve_format else pixels.contiguous(memory_format=layout)
        return replace(self, **moved)


@dataclass(frozen=True)
class Data:
    """A data set: training, validation (for selection) and test (for reporting).

    Parameters
    ----------
    train : ImageSplit or LoaderSplit
        LoaderSplit where training images differ each time they are read.
    validation, test : ImageSplit
    num_classes : int
    digest : str
        Hash of images, labels and splits, which does not depend on the folder.
    mean, spread : tuple of float, length channels
        Mean of each channel, which is subtracted, and standard deviation, by which it is then divided.
    """

    train: ImageSplit | LoaderSplit
    validation: ImageSplit
    test: ImageSplit
    num_classes: int
    digest: str
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    @property
    def example_input(self) -> Tensor:
        """One image, shape (1, channels, height, width)."""
        return self.train.batch(slice(0, 1))[0]

    def to(self, device: torch.device, layout: torch.memory_format = torch.preserve_format) -> Data:
        """The data set on a device, in a memory format."""
        return replace(
            self,
            train=self.train.to(device, layout),
            validation=self.validation.to(device, layout),
            test=self.test.to(device, layout),
        )
