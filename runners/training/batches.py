"""Batches of training images in random order, augmented."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from prunestats.runners.data.loader_split import LoaderSplit
from prunestats.runners.data.splits import ImageSplit
from prunestats.runners.training.augmentation import crop_and_flip, resized_crop_and_flip


def shuffled(n: int, batch_size: int, rng: np.random.Generator) -> list[Tensor]:
    """Batches of the indices 0 to n - 1 in random order."""
    return list(torch.from_numpy(rng.permutation(n)).split(batch_size))


def training_batches(
    split: ImageSplit | LoaderSplit, batch_size: int, augment: str, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels of one epoch, in random order and augmented.

    Parameters
    ----------
    split : ImageSplit or LoaderSplit
    batch_size : int
    augment : {"none", "crop_flip", "resized_crop_flip"}
    rng : numpy.random.Generator
        Source of the order and of the augmentation.
    """
    whole = augment == "resized_crop_flip"
    for images, labels in split.batches(shuffled(len(split), batch_size, rng), rng, whole=whole):
        if augment == "crop_flip":
            yield crop_and_flip(images, rng), labels
        elif whole:
            height, width = images.shape[-2:]
            size = (height, width) if split.crop is None else (split.crop, split.crop)
            yield resized_crop_and_flip(images, size, rng), labels
        else:
            yield images, labels


def random_batches(
    split: ImageSplit | LoaderSplit, batch_size: int, count: int, rng: np.random.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Random batches of a split without replacement: `count`, or all if there are fewer."""
    return list(split.batches(shuffled(len(split), batch_size, rng)[:count], rng))
