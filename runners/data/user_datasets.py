"""Data sets of the user's own: a function that returns `torch.utils.data.Dataset` of each split."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.data.dataset_items import Image, differs, is_random, read_item, seeds_of
from prunestats.runners.networks.user_errors import described, locating
from prunestats.runners.networks.user_networks import import_named

_SPLITS = ("train", "validation", "test")

# Part of the machine's memory that the images of a split may take: normalising them makes a copy.
_SHARE = 0.5

Images = tuple[NDArray[np.generic], NDArray[np.int64]]


@dataclass(frozen=True)
class UserDatasets:
    """Data sets that a function has returned; `validation` is None where it returned none."""

    train: Any
    validation: Any
    test: Any


# As many as data sets are kept in a process.
@lru_cache(maxsize=4)
def user_datasets(name: str) -> UserDatasets:
    """The data sets that a function returns, called once in each process.

    Parameters
    ----------
    name : str
        ``"module:function"``, of a function without required arguments that returns (train, test), (train, validation,
        test), or a dict of these.

    Raises
    ------
    InputError
        If it cannot be imported or called, or returns something else; the message has the line of the user's own file.
    """
    function = import_named(name, "data.name")
    if not callable(function):
        raise InputError(f"data.name {name!r} must name a function; found a {type(function).__name__}")
    if required := _required(function):
        raise InputError(
            f"data.name {name!r} must take no argument; found that it requires {', '.join(required)}: give defaults"
        )
    try:
        # what it draws, such as a random part of a data set, is then the same in every process
        with seeds_of(0, 0), locating(f"{name}()"):
            found = function()
    except Exception as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}() fails ({described(error)})") from error
    datasets = UserDatasets(**_named(name, found))
    for split in _SPLITS:
        if (one := getattr(datasets, split)) is not None:
            _check(one, f"{name}: {split}")
    return datasets


def read_datasets(name: str) -> tuple[Images | None, Images | None, Images]:
    """Images and labels of train, validation and test, read once into memory.

    Parameters
    ----------
    name : str
        ``"module:function"``.

    Returns
    -------
    train : tuple of ndarray, or None
        Images (n, channels, height, width), of uint8 or float32, and labels (n,); None where the items differ each time
        they are read, or reading them draws random numbers.
    validation : tuple of ndarray, or None
        None where the function returns none.
    test : tuple of ndarray

    Raises
    ------
    InputError
        If items are not as described, or those of validation or test differ each time they are read.
    """
    found = user_datasets(name)
    validation, test = (_evaluated(name, split) for split in ("validation", "test"))
    assert test is not None  # of a function that returns no test split
    random = is_random(found.train, f"{name}: train")
    train = None if random else _read(found.train, f"{name}: train")
    _check_agree(name, {"train": train, "validation": validation, "test": test})
    return train, validation, test


def _check_agree(name: str, found: Mapping[str, Images | None]) -> None:
    """Refuse splits whose images differ in shape or type."""
    kinds = {split: (part[0].shape[1:], part[0].dtype) for split, part in found.items() if part is not None}
    shape, dtype = kinds["test"]
    for split, kind in kinds.items():
        if kind != (shape, dtype):
            raise InputError(
                f"{name}: {split} must have images as test has, {shape} of {dtype}; found {kind[0]} of {kind[1]}: give "
                "both the same transforms"
            )


def _evaluated(name: str, split: str) -> Images | None:
    dataset, what = getattr(user_datasets(name), split), f"{name}: {split}"
    if dataset is None:
        return None
    if (index := differs(dataset, what)) is not None:
        raise InputError(
            f"{what} must be the same each time it is read, as errors on it are compared; found that item {index} "
            "differs: give it transforms without random numbers"
        )
    return _read(dataset, what)


def _read(dataset: Any, what: str) -> Images:
    """All images and labels of a data set, under fixed seeds."""
    count = len(dataset)
    with seeds_of(0, 0):
        first, label = read_item(dataset, 0, what)
        _refuse_too_large(count, first, what)
        images = np.empty((count, *first.shape), first.dtype)
        labels = np.empty(count, np.int64)
        images[0], labels[0] = first, label
        for index in range(1, count):
            image, labels[index] = read_item(dataset, index, what)
            if image.shape != first.shape or image.dtype != first.dtype:
                raise InputError(
                    f"{what} must have images of one shape and type; found {first.shape} of {first.dtype} at 0 and "
                    f"{image.shape} of {image.dtype} at {index}: crop or resize them in the data set"
                )
            images[index] = image
    return images, labels


def _refuse_too_large(count: int, image: Image, what: str) -> None:
    needed, memory = count * image.nbytes, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > _SHARE * memory:
        shape = " x ".join(map(str, image.shape))
        raise InputError(
            f"{what} must fit into memory, as it is the same each time it is read; found {count:,} images of {shape} "
            f"{image.dtype}, {needed / 1e9:.1f} GB of {memory / 1e9:.1f}: return bytes, or fewer or smaller images, or "
            "write them to a folder, with name = 'images'"
        )


def _required(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # compiled functions may have no signature
        return []
    return [
        one.name
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]


def _named(name: str, found: Any) -> dict[str, Any]:
    if isinstance(found, tuple | list) and len(found) in (2, 3):
        return {"validation": None, **dict(zip(_SPLITS if len(found) == 3 else ("train", "test"), found, strict=True))}
    if isinstance(found, Mapping) and {"train", "test"} <= set(found) <= set(_SPLITS):
        return {"validation": None, **found}
    what = f"the keys {', '.join(map(str, found))}" if isinstance(found, Mapping) else f"a {type(found).__name__}"
    if isinstance(found, tuple | list):
        what = f"{len(found)} values"
    raise InputError(
        f"{name}() must return (train, test), (train, validation, test) or a dict with these keys; found {what}"
    )


def _check(dataset: Any, what: str) -> None:
    if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
        raise InputError(
            f"{what} must be a data set with __len__ and __getitem__, as torch.utils.data.Dataset; found a "
            f"{type(dataset).__name__}"
        )
    if len(dataset) == 0:
        raise InputError(f"{what} must hold images; found none")
