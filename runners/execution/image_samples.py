"""Some images of a data set, as trials and timings need no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from prunestats.runners.data.datasets import Data, ImageSplit


def first_images(data: Data, *, train: int, evaluation: int) -> Data:
    """The data with the first images of the training split, and of validation and test."""
    return replace(
        data,
        train=data.train.first(train),
        validation=data.validation.first(evaluation),
        test=data.test.first(evaluation),
    )


def random_images(split: ImageSplit, most: int, seed: int) -> ImageSplit:
    """A random sample of a split's images, which may be in the order of their classes."""
    if len(split) <= most:
        return split
    members = torch.from_numpy(np.sort(np.random.default_rng(seed).choice(len(split), most, replace=False)))
    if split.rows is not None:
        return replace(split, labels=split.labels[members], rows=split.rows[members])
    return replace(split, labels=split.labels[members], pixels=split.pixels[members])
