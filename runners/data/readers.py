"""Readers of data sets: the arrays of their files, before validation images are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.data.cifar import read_cifar
from prunestats.runners.data.decoded_images import DecodedImages
from prunestats.runners.data.idx_files import read_idx
from prunestats.runners.data.image_folders import read_images
from prunestats.runners.data.parquet_files import read_parquet
from prunestats.runners.data.stratified import stratified

Moments = tuple[NDArray[np.int64], NDArray[np.int64]]


class Sizes(NamedTuple):
    """Sides in pixels: of the images of a batch, of the stored images, and of the shorter side before it is cropped."""

    image_size: int | None = None
    stored_size: int | None = None
    resize: int | None = None

    @property
    def stored(self) -> int | None:
        """Side of the stored images."""
        return self.stored_size or self.image_size

    @property
    def resized(self) -> int | None:
        """Length of the shorter side before the central square is stored."""
        return self.resize or self.stored

    def check(self) -> None:
        """Refuse sides that do not decrease from each crop to the next.

        Raises
        ------
        InputError
        """
        if self.image_size and self.stored and self.stored < self.image_size:
            raise InputError(
                f"data.stored_size must be at least data.image_size; found {self.stored} and {self.image_size}"
            )
        if self.stored and self.resized and self.resized < self.stored:
            larger = "stored_size" if self.stored_size else "image_size"
            raise InputError(f"data.resize must be at least data.{larger}; found {self.resized} and {self.stored}")


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
    validation_images, validation_labels : ndarray, optional
        Where the data set has a validation split of its own.
    """

    train_images: NDArray[np.generic]
    train_labels: NDArray[np.generic]
    test_images: NDArray[np.generic]
    test_labels: NDArray[np.generic]
    mapped: bool = False
    moments: Moments | None = None
    content: bytes | None = None
    validation_images: NDArray[np.generic] | None = None
    validation_labels: NDArray[np.generic] | None = None

    def contents(self) -> Iterator[bytes]:
        """Bytes that identify the data, to be hashed in this order."""
        if self.content is not None:
            yield self.content
            return
        arrays = [self.test_images, self.test_labels, self.train_images, self.train_labels]
        for array in (*arrays, self.validation_images, self.validation_labels):
            if array is not None:
                yield np.ascontiguousarray(array).tobytes()


def _digits(path: Path, sizes: Sizes) -> Arrays:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # scikit-learn gives pixels from 0 to 16
    images = (bunch.images[:, None] / 16).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    # a fixed seed: the test split is part of the data set, and no study may choose another
    test = stratified(labels, 0.25, np.random.default_rng(np.random.SeedSequence(0)))
    return Arrays(images[~test], labels[~test], images[test], labels[test])


def _cifar10(path: Path, sizes: Sizes) -> Arrays:
    return Arrays(*read_cifar(path, 10))


def _cifar100(path: Path, sizes: Sizes) -> Arrays:
    return Arrays(*read_cifar(path, 100))


def _images(path: Path, sizes: Sizes) -> Arrays:
    if sizes.stored is None or sizes.resized is None:
        raise InputError(
            "data.image_size must give the side of the cropped images in pixels; found none: add it to [data]"
        )
    return _decoded(read_images(path, sizes.stored, sizes.resized), "val", mapped=True)


def _parquet(path: Path, sizes: Sizes) -> Arrays:
    found = read_parquet(path, sizes.stored, sizes.resized)
    return _decoded(found, "test", mapped=isinstance(found.images["train"], np.memmap))


def _decoded(found: DecodedImages, test: str, *, mapped: bool) -> Arrays:
    images, labels = found.images, found.labels
    return Arrays(
        *(images["train"], labels["train"], images[test], labels[test]),
        mapped=mapped,
        moments=found.moments,
        content=found.content,
        validation_images=images.get("validation"),
        validation_labels=labels.get("validation"),
    )


def _idx(path: Path, sizes: Sizes) -> Arrays:
    return Arrays(*read_idx(path))


def _npz(path: Path, sizes: Sizes) -> Arrays:
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


READERS: dict[str, Callable[[Path, Sizes], Arrays]] = {
    "digits": _digits,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
    "images": _images,
    "npz": _npz,
    "idx": _idx,
    "parquet": _parquet,
}
