"""Data sets, split into training, validation and test, normalised by the training split or by given numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.data.array_splits import Part, normalised
from prunestats.runners.data.normalisation import normalised_by
from prunestats.runners.data.random_training import load_random
from prunestats.runners.data.readers import READERS, Arrays, Sizes
from prunestats.runners.data.splits import Data, ImageSplit
from prunestats.runners.data.stratified import stratified, stratified_part
from prunestats.runners.data.user_datasets import read_datasets

__all__ = ["Data", "ImageSplit", "load_data"]

_VALIDATION = 0.25
"""The default fraction of the training images that is held out: that of the digits, whose splits are small."""


@dataclass(frozen=True)
class _Wanted:
    """What determines a data set, beside the content of its files."""

    name: str
    path: Path
    fraction: float
    seed: int
    sizes: Sizes
    train_images: int | None
    workers: int
    version: str | int | None


def load_data(
    name: str,
    folder: str | None = None,
    validation_fraction: float = _VALIDATION,
    split_seed: int = 0,
    image_size: int | None = None,
    resize: int | None = None,
    stored_size: int | None = None,
    train_images: int | None = None,
    workers: int = 0,
    version: str | int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
) -> Data:
    """Load a data set.

    Parameters
    ----------
    name : {"digits", "cifar10", "cifar100", "images", "npz", "idx", "parquet"} or "module:function"
        scikit-learn's bundled digits (1,797 images of 8 x 8); CIFAR in its binary or its python version; a folder of
        images in ImageNet's layout, ``train/CLASS/*.jpg`` and ``val/CLASS/*.jpg``, of which ``val`` is the test split;
        a file of arrays ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``; the IDX files of MNIST
        and its successors; parquet files of encoded images in Hugging Face's layout; or a function of the user's own
        that returns data sets of ``torch.utils.data``.
    folder : str, optional
        The folder of the files, or the ``.npz`` file.
    validation_fraction : float
        Fraction of the training images that is held out for validation, stratified by label, where the data set has no
        validation split of its own. For digits, which has no test split either, a quarter of all images is set aside
        as the test split first.
    split_seed : int
        Seed of the choice of validation images, and of `train_images`.
    image_size : int, optional
        Side of the images of a batch in pixels: a central crop where they are stored larger.
    resize : int, optional
        For a folder of images and parquet: length to which the shorter side is resized before the central square is
        cropped, by default the side of the stored images.
    stored_size : int, optional
        For a folder of images and parquet: side of the stored images, from which random crops are taken; by default
        `image_size`.
    train_images : int, optional
        Number of training images, a sample stratified by label of those that remain; by default all.
    workers : int
        For training images of a function with random transforms: processes that read them ahead.
    version : str or int, optional
        Identifies these in place of their source.
    mean, std, scale : optional
        Normalisation as in `normalised_by`, by default that of the training split.

    Returns
    -------
    Data

    Raises
    ------
    InputError
        If the name is unknown, or the files are missing or not as described.

    Notes
    -----
    Without `mean` and `std`, each channel is normalised by its mean and standard deviation over the training split
    alone. 1e-8 is added to the standard deviation, so that a channel that never changes becomes 0 instead of NaN.

    Examples
    --------
    >>> data = load_data("digits")
    >>> len(data.train), len(data.validation), len(data.test)
    (1010, 337, 450)
    """
    if name not in READERS and ":" not in name:
        raise InputError(f"data.name must be one of {', '.join(READERS)}, or module:function; found {name!r}")
    if not 0 < validation_fraction < 1:
        raise InputError(f"data.validation_fraction must be between 0 and 1; found {validation_fraction:g}")
    sizes = Sizes(image_size, stored_size, resize)
    sizes.check()
    path = _path(name, folder)
    wanted = _Wanted(name, path, validation_fraction, split_seed, sizes, train_images, workers, version)
    data = _load(wanted, tuple(_written(name, path)))
    if mean is not None and std is not None:
        data = normalised_by(data, mean, std, scale)
    return data


# A study has one data set; four serve a process that runs several studies in turn without reading them again.
@lru_cache(maxsize=4)
def _load(wanted: _Wanted, written: tuple[tuple[str, int], ...]) -> Data:
    """The data set; `written`, the times of the last changes of its files, tells two contents of them apart."""
    if ":" not in wanted.name:
        return _split(wanted, READERS[wanted.name](wanted.path, wanted.sizes))
    train, validation, test = read_datasets(wanted.name)
    if train is None:
        given = {"train_images": wanted.train_images, "image_size": wanted.sizes.image_size}
        return load_random(wanted.name, validation, test, wanted.workers, wanted.version, given)
    for key, value in (("workers", wanted.workers or None), ("version", wanted.version)):
        if value is not None:
            raise InputError(
                f"data.{key} = {value!r} makes no sense for {wanted.name}, whose items are the same each time they are "
                "read: they are kept in memory, and known by their content; leave it out"
            )
    images, labels = validation or (None, None)
    return _split(wanted, Arrays(*train, *test, validation_images=images, validation_labels=labels))


def _split(wanted: _Wanted, arrays: Arrays) -> Data:
    """The data set with its validation images held out and its images normalised."""
    digest = hashlib.sha256(repr(_identity(wanted, arrays)).encode())
    for content in arrays.contents():
        digest.update(content)
    labels = _labels(arrays.train_labels, "train")
    num_classes = int(labels.max()) + 1
    others = {
        split: _labels(found, split)
        for split, found in (("test", arrays.test_labels), ("validation", arrays.validation_labels))
        if found is not None
    }
    for split, found in others.items():
        if found.max() >= num_classes:
            raise InputError(f"{split} labels must occur in training too, 0 to {num_classes - 1}; found {found.max()}")
    held_out = _held_out(wanted, labels, "validation" in others)
    train = _part(wanted, labels, ~held_out)
    validation = Part(arrays.train_images, labels, held_out)
    if arrays.validation_images is not None:
        validation = Part(arrays.validation_images, others["validation"])
    parts = (Part(arrays.train_images, labels, train), validation, Part(arrays.test_images, others["test"]))
    splits, mean, spread = normalised(arrays, parts, _crop(wanted, arrays))
    return Data(*splits, num_classes, digest.hexdigest()[:16], tuple(mean.tolist()), tuple(spread.tolist()))


def _identity(wanted: _Wanted, arrays: Arrays) -> tuple[object, ...]:
    """What identifies the splits beside the content; keys that were added later only where they are used."""
    found: list[object] = [wanted.fraction, wanted.seed]
    if arrays.validation_images is not None:
        found = ["validation", wanted.seed if wanted.train_images else 0]
    if wanted.train_images is not None:
        found.append(("train_images", wanted.train_images))
    if (crop := _crop(wanted, arrays)) is not None:
        found.append(("crop", crop))
    return tuple(found)


def _crop(wanted: _Wanted, arrays: Arrays) -> int | None:
    """Side of the central crop, where images are stored larger."""
    size, stored = wanted.sizes.image_size, arrays.train_images.shape[-2:]
    if size is None or stored == (size, size):
        return None
    if size > min(stored):
        raise InputError(f"data.image_size must be at most the side of the images, {min(stored)} pixels; found {size}")
    return size


def _held_out(wanted: _Wanted, labels: NDArray[np.int64], given: bool) -> NDArray[np.bool_]:
    """Mask of the training images that are held out for validation: none where validation images are given."""
    if given:
        if wanted.fraction != _VALIDATION:
            raise InputError(
                f"data.validation_fraction = {wanted.fraction:g} makes no sense beside validation images of the data "
                "set's own: leave it out"
            )
        return np.zeros(len(labels), dtype=np.bool_)
    held_out = stratified(labels, wanted.fraction, np.random.default_rng(np.random.SeedSequence(wanted.seed)))
    if not held_out.any() or held_out.all():
        raise InputError(
            f"data.validation_fraction {wanted.fraction:g} of {len(labels)} training images leaves a split empty: "
            "choose another"
        )
    return held_out


def _part(wanted: _Wanted, labels: NDArray[np.int64], remaining: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask of the images to train on: all that remain, or a stratified part of them."""
    if wanted.train_images is None:
        return remaining
    # a stream of its own, so that the validation images do not depend on the part
    rng = np.random.default_rng(np.random.SeedSequence(wanted.seed, spawn_key=(1,)))
    rows = np.flatnonzero(remaining)
    marks = np.zeros(len(labels), dtype=np.bool_)
    marks[rows[stratified_part(labels[rows], wanted.train_images, rng)]] = True
    return marks


def _labels(found: NDArray[np.generic], split: str) -> NDArray[np.int64]:
    labels = found.astype(np.int64)
    if len(labels) == 0:
        raise InputError(f"the {split} split must hold images; found none")
    if labels.min() < 0 or not np.array_equal(labels, found):
        raise InputError(f"{split} labels must be whole numbers from 0; found {found.min()} to {found.max()}")
    return labels


def _written(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """Names and times of the last changes of the files that are read as a whole."""
    if path.is_file():
        yield path.name, path.stat().st_mtime_ns
    elif name in ("idx", "parquet"):
        for file in sorted(path.rglob("*.parquet" if name == "parquet" else "*ubyte*")):
            yield str(file.relative_to(path)), file.stat().st_mtime_ns


def _path(name: str, folder: str | None) -> Path:
    if name == "digits" or ":" in name:
        return Path()
    if folder is None:
        raise InputError(f"data.folder must name the folder or file of {name}; found none: add it to [data]")
    path = Path(folder).expanduser()
    if not path.exists():
        raise InputError(f"data.folder: expected an existing folder or file for {name}; found nothing at {folder!r}")
    return path
