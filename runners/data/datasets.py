"""Data sets, split into training, validation and test, normalised by the training split or by given numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunestats.errors import InputError
from prunestats.runners.data.normalisation import normalised_by
from prunestats.runners.data.pixel_moments import moments
from prunestats.runners.data.readers import READERS, Arrays, stratified


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
    """

    pixels: Tensor
    labels: Tensor
    mean: Tensor | None = None
    spread: Tensor | None = None
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> Tensor:
        """All images, normalised, shape (n, channels, height, width)."""
        return self.batch(slice(None))[0]

    def batch(self, members: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Normalised images and labels of the members with these indices, on the device of the labels."""
        labels = self.labels[members]
        members = members if self.rows is None else self.rows[members]
        pixels = self.pixels[members].to(labels.device, non_blocking=True)
        if self.mean is None or self.spread is None:
            return pixels, labels
        return (pixels.float() - self.mean) / self.spread, labels

    def to(self, device: torch.device) -> ImageSplit:
        """The split on a device; images that are mapped from a file stay on disk and are moved batch by batch."""
        moved = {"labels": self.labels.to(device)}
        if self.mean is not None and self.spread is not None:
            moved |= {"mean": self.mean.to(device), "spread": self.spread.to(device)}
        if self.rows is None:
            moved["pixels"] = self.pixels.to(device)
        return replace(self, **moved)


@dataclass(frozen=True)
class Data:
    """A data set: training, validation (for selection) and test (for reporting).

    Parameters
    ----------
    train, validation, test : ImageSplit
    num_classes : int
    digest : str
        Hash of images, labels and splits, and of a normalisation that is given; it does not depend on the folder.
    mean, spread : tuple of float, length channels
        Mean of each channel, which is subtracted, and standard deviation, by which it is then divided.
    """

    train: ImageSplit
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

    def to(self, device: torch.device) -> Data:
        """The data set on a device."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )


def load_data(
    name: str,
    folder: str | None = None,
    validation_fraction: float = 0.25,
    split_seed: int = 0,
    image_size: int | None = None,
    resize: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
) -> Data:
    """Load a data set.

    Parameters
    ----------
    name : {"digits", "cifar10", "cifar100", "images", "npz"}
        scikit-learn's bundled digits (1,797 images of 8 x 8); CIFAR in its binary or its python version; a folder of
        images in ImageNet's layout, ``train/CLASS/*.jpg`` and ``val/CLASS/*.jpg``, of which ``val`` is the test split;
        or a file of arrays ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``.
    folder : str, optional
        The folder of CIFAR's files or of the images, or the ``.npz`` file.
    validation_fraction : float
        Fraction of the training images that is held out for validation, stratified by label. For digits, which has no
        test split of its own, a quarter of all images is set aside as the test split first.
    split_seed : int
        Seed of the choice of validation images.
    image_size, resize : int, optional
        For a folder of images: side of the central crop in pixels, and length to which the shorter side is resized
        before, by default the same.
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
    if name not in READERS:
        raise InputError(f"data.name must be one of {', '.join(READERS)}; found {name!r}")
    if not 0 < validation_fraction < 1:
        raise InputError(f"data.validation_fraction must be between 0 and 1; found {validation_fraction:g}")
    path = _path(name, folder)
    written = path.stat().st_mtime_ns if path.is_file() else 0
    data = _load(name, path, (validation_fraction, split_seed), (image_size, resize), written)
    if mean is not None and std is not None:
        data = normalised_by(data, mean, std, scale)
    return data


# A study has one data set; four serve a process that runs several studies in turn without reading them again.
@lru_cache(maxsize=4)
def _load(name: str, path: Path, split: tuple[float, int], size: tuple[int | None, int | None], written: int) -> Data:
    """The data set; `written`, the time of its file's last change, tells two contents of one file apart."""
    validation_fraction, split_seed = split
    arrays = READERS[name](path, *size)
    digest = hashlib.sha256(repr(split).encode())
    for content in arrays.contents():
        digest.update(content)
    labels = _labels(arrays.train_labels, "train")
    test_labels = _labels(arrays.test_labels, "test")
    num_classes = int(labels.max()) + 1
    if test_labels.max() >= num_classes:
        raise InputError(f"test labels must occur in training too, 0 to {num_classes - 1}; found {test_labels.max()}")
    held_out = stratified(labels, validation_fraction, np.random.default_rng(np.random.SeedSequence(split_seed)))
    if not held_out.any() or held_out.all():
        raise InputError(
            f"data.validation_fraction {validation_fraction:g} of {len(labels)} training images leaves a split empty: "
            "choose another"
        )
    cut = _bytes if arrays.train_images.dtype == np.uint8 else _floats
    splits, mean, spread = cut(arrays, held_out, labels, test_labels)
    return Data(*splits, num_classes, digest.hexdigest()[:16], tuple(mean.tolist()), tuple(spread.tolist()))


_Cut = tuple[tuple[ImageSplit, ImageSplit, ImageSplit], NDArray[np.floating], NDArray[np.floating]]


def _floats(
    arrays: Arrays, held_out: NDArray[np.bool_], labels: NDArray[np.int64], test_labels: NDArray[np.int64]
) -> _Cut:
    images, test_images = arrays.train_images.astype(np.float32), arrays.test_images.astype(np.float32)
    if not (np.isfinite(images).all() and np.isfinite(test_images).all()):
        raise InputError("images must be finite numbers; found NaN or infinity: replace them")
    mean = images[~held_out].mean((0, 2, 3), keepdims=True)
    spread = images[~held_out].std((0, 2, 3), keepdims=True) + 1e-8
    images, test_images = (images - mean) / spread, (test_images - mean) / spread
    splits = (
        ImageSplit(_tensor(images[~held_out]), torch.from_numpy(labels[~held_out])),
        ImageSplit(_tensor(images[held_out]), torch.from_numpy(labels[held_out])),
        ImageSplit(_tensor(test_images), torch.from_numpy(test_labels)),
    )
    return splits, mean.ravel(), spread.ravel()


def _bytes(
    arrays: Arrays, held_out: NDArray[np.bool_], labels: NDArray[np.int64], test_labels: NDArray[np.int64]
) -> _Cut:
    sums, squares = arrays.moments or moments(np.asarray(arrays.train_images, dtype=np.uint8))
    pixels = int(np.prod(arrays.train_images.shape[2:])) * int((~held_out).sum())
    mean = sums[~held_out].sum(0) / pixels
    spread = np.sqrt(squares[~held_out].sum(0) / pixels - mean**2) + 1e-8
    norm = {
        "mean": torch.tensor(mean, dtype=torch.float32)[None, :, None, None],
        "spread": torch.tensor(spread, dtype=torch.float32)[None, :, None, None],
    }

    def part(marks: NDArray[np.bool_]) -> ImageSplit:
        here = torch.from_numpy(labels[marks])
        if arrays.mapped:
            return ImageSplit(_tensor(arrays.train_images), here, rows=torch.from_numpy(np.flatnonzero(marks)), **norm)
        return ImageSplit(_tensor(arrays.train_images[marks]), here, **norm)

    rows = torch.arange(len(test_labels)) if arrays.mapped else None
    test = ImageSplit(_tensor(arrays.test_images), torch.from_numpy(test_labels), rows=rows, **norm)
    return (part(~held_out), part(held_out), test), mean, spread


def _labels(found: NDArray[np.generic], split: str) -> NDArray[np.int64]:
    labels = found.astype(np.int64)
    if len(labels) == 0:
        raise InputError(f"the {split} split must hold images; found none")
    if labels.min() < 0 or not np.array_equal(labels, found):
        raise InputError(f"{split} labels must be whole numbers from 0; found {found.min()} to {found.max()}")
    return labels


def _tensor(images: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images))


def _path(name: str, folder: str | None) -> Path:
    if name == "digits":
        return Path()
    if folder is None:
        raise InputError(f"data.folder must name the folder or file of {name}; found none: add it to [data]")
    path = Path(folder).expanduser()
    if not path.exists():
        raise InputError(f"data.folder: expected an existing folder or file for {name}; found nothing at {folder!r}")
    return path
