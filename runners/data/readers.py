"""Readers of data sets: the arrays of their files, before validation images are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.data.cifar import read_cifar

Moments = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Arrays:
    """Images and labels of a data set.

    Parameters
    ----------
    train_images, test_images : ndarray, shape (n, channels, height, width)
    train_labels, test_labels : ndarray, shape (n,)
    mapped : bool
        Whether the images are memory-mapped, and must not be copied into memory as a whole.
    moments : tuple of ndarray of int64, shapes (n, channels), optional
        Sums of the pixels and of their squares in each training image, where the reader has computed them.
    content : bytes, optional
        A hash of all arrays, where the reader has computed it.
    """

    train_images: NDArray[np.generic]
    train_labels: NDArray[np.generic]
    test_images: NDArray[np.generic]
    test_labels: NDArray[np.generic]
    mapped: bool = False
    moments: Moments | None = None
    content: bytes | None = None

    def contents(self) -> Iterator[bytes]:
        """Bytes that identify the data, to be hashed in this order."""
        if self.content is not None:
            yield self.content
            return
        for array in (self.test_images, self.test_labels, self.train_images, self.train_labels):
            yield np.ascontiguousarray(array).tobytes()


def stratified(labels: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mask of a random sample stratified by label: a `fraction` of each label's members is True, shape (n,)."""
    marks = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        marks[rng.permutation(members)[: round(fraction * len(members))]] = True
    return marks


def _digits(path: Path, image_size: int | None, resize: int | None) -> Arrays:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # scikit-learn gives pixels from 0 to 16
    images = (bunch.images[:, None] / 16).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    # a fixed seed: the test split is part of the data set, and no study may choose another
    test = stratified(labels, 0.25, np.random.default_rng(np.random.SeedSequence(0)))
    return Arrays(images[~test], labels[~test], images[test], labels[test])


def _cifar10(path: Path, image_size: int | None, resize: int | None) -> Arrays:
    return Arrays(*read_cifar(path, 10))


def _cifar100(path: Path, image_size: int | None, resize: int | None) -> Arrays:
    return Arrays(*read_cifar(path, 100))


def _images(path: Path, image_size: int | None, resize: int | None) -> Arrays:
    from prunestats.runners.data.image_folders import read_images

    if image_size is None:
        raise InputError(
            "data.image_size must give the side of the cropped images in pixels; found none: add it to [data]"
        )
    found = read_images(path, image_size, resize or image_size)
    return Arrays(*found.arrays, mapped=True, moments=found.moments, content=found.content)


def _npz(path: Path, image_size: int | None, resize: int | None) -> Arrays:
    wanted = ("train_images", "train_labels", "test_images", "test_labels")
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [key for key in wanted if key not in stored]
            if missing:
                raise InputError(f"{path.name} must hold {', '.join(wanted)}; found {', '.join(missing)} missing")
            arrays = {key: stored[key] for key in wanted}
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"data.folder: expected an .npz file; {path.name} cannot be read as one ({error})") from error
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if images.ndim != 4 or len(images) != len(labels):
            raise InputError(
                f"{part}_images must have shape (n, channels, height, width) with one label each; "
                f"found images {images.shape} and labels {labels.shape}"
            )
    if arrays["train_images"].shape[1:] != arrays["test_images"].shape[1:]:
        raise InputError(
            "train_images and test_images must hold images of the same shape; "
            f"found {arrays['train_images'].shape[1:]} and {arrays['test_images'].shape[1:]}"
        )
    return Arrays(**arrays)


READERS: dict[str, Callable[[Path, int | None, int | None], Arrays]] = {
    "digits": _digits,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
    "images": _images,
    "npz": _npz,
}
