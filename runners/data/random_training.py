"""Data sets of the user's own whose training images differ each time they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from prunestats.errors import InputError
from prunestats.runners.data.dataset_items import read_item, seeds_of
from prunestats.runners.data.loader_split import LoaderSplit
from prunestats.runners.data.splits import Data, ImageSplit
from prunestats.runners.data.user_datasets import Images, user_datasets
from prunestats.runners.user_code.function_source import source_key

# The largest byte, which becomes 1, as in torchvision's ToTensor.
_WHITE = 255.0


def load_random(
    name: str,
    validation: Images | None,
    test: Images,
    workers: int,
    version: str | int | None,
    without: Mapping[str, Any],
) -> Data:
    """A data set whose training images are read anew in every epoch.

    Parameters
    ----------
    name : str
        ``"module:function"``.
    validation, test : tuple of ndarray
        Images and labels, read once.
    workers : int
        Processes that read training images ahead.
    version : str or int or None
        Identifies the training images; by default the hash of the function's source does.
    without : mapping
        Values of keys that have no effect here, by name.

    Returns
    -------
    Data
        Images are used as the data set's transforms return them, bytes from 0 to 255 as numbers from 0 to 1.

    Raises
    ------
    InputError
        If validation images are missing, their shape is another, or a key without effect has a value.
    """
    for key, value in without.items():
        if value is not None:
            raise InputError(
                f"data.{key} = {value!r} makes no sense for {name}, whose training images differ each time they are "
                "read: do it in the data set, and leave the key out"
            )
    if validation is None:
        raise InputError(
            f"{name}() must return (train, validation, test), as its training images differ each time they are read, "
            "and images held out of them would, too; found no validation: split them in the function, without random "
            "transforms for validation"
        )
    dataset = user_datasets(name).train
    with seeds_of(0, 0):
        first, _ = read_item(dataset, 0, f"{name}: train")
    if first.shape != validation[0].shape[1:]:
        raise InputError(
            f"{name}: train must have images of the shape of validation, {validation[0].shape[1:]}; found {first.shape}"
        )
    num_classes = 1 + max(int(labels.max()) for _, labels in (validation, test))
    identity = ("random", "version", version) if version is not None else ("random", "source", source_key(name))
    digest = hashlib.sha256(repr((*identity, len(dataset))).encode())
    for array in (*test, *validation):
        digest.update(np.ascontiguousarray(array).tobytes())
    white = _WHITE if test[0].dtype == np.uint8 else 1.0
    channels = first.shape[0]
    return Data(
        LoaderSplit(name, len(dataset), num_classes, workers),
        _split(validation, white),
        _split(test, white),
        num_classes,
        digest.hexdigest()[:16],
        (0.0,) * channels,
        (white,) * channels,
    )


def _split(images: Images, white: float) -> ImageSplit:
    pixels, labels = (torch.from_numpy(array) for array in images)
    if white == 1.0:
        return ImageSplit(pixels, labels)
    shape = (1, pixels.shape[1], 1, 1)
    return ImageSplit(pixels, labels, torch.zeros(shape), torch.full(shape, white))
