"""Data sets of the user's own whose training images differ each time they are read."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from prunestats.errors import InputError
from prunestats.runners.data.dataset_items import read_item, seeds_of
from prunestats.runners.data.loader_split import LoaderSplit
from prunestats.runners.data.splits import Data, ImageSplit
from prunestats.runners.data.user_datasets import Images, user_datasets
from prunestats.runners.networks.function_source import function_source
from prunestats.runners.networks.sources import is_own

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
    if (first.shape, first.dtype) != (validation[0].shape[1:], validation[0].dtype):
        raise InputError(
            f"{name}: train must have images as validation has, {validation[0].shape[1:]} of {validation[0].dtype}; "
            f"found {first.shape} of {first.dtype}: let the transforms of both end alike"
        )
    num_classes = 1 + max(int(labels.max()) for _, labels in (validation, test))
    digest = hashlib.sha256(repr((*_identity(name, version), len(dataset))).encode())
    for array in (*test, *validation):
        digest.update(np.ascontiguousarray(array).tobytes())
    channels, mean, spread = len(first), None, None
    if first.dtype == np.uint8:
        mean, spread = torch.zeros(1, channels, 1, 1), torch.full((1, channels, 1, 1), _WHITE)
    train = LoaderSplit(name, len(dataset), num_classes, workers, mean=mean, spread=spread)
    evaluated = [
        ImageSplit(torch.from_numpy(images), torch.from_numpy(labels), mean, spread)
        for images, labels in (validation, test)
    ]
    white = 1.0 if spread is None else _WHITE
    return Data(
        *(train, evaluated[0], evaluated[1], num_classes, digest.hexdigest()[:16]),
        mean=(0.0,) * channels,
        spread=(white,) * channels,
    )


def _identity(name: str, version: str | int | None) -> tuple[str, str | int]:
    """What identifies training images that are not read for it: their version, or the source of the function."""
    if version is not None:
        return "version", version
    if not is_own(sys.modules[name.partition(":")[0]]):
        raise InputError(
            f"{name} must be in a file of Python of your own, by whose source its random images are known; found none: "
            "give data.version"
        )
    return "source", function_source(name)
