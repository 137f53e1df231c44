"""Data sets in memory, split into train, validation and test, normalised by the training split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunestats.errors import InputError

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Split:
    """Images and labels of one split.

    Parameters
    ----------
    images : Tensor of float32, shape (n, channels, height, width)
    labels : Tensor of int64, shape (n,)
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """A data set: what trains, what chooses and what is reported.

    Parameters
    ----------
    train, validation, test : Split
    num_classes : int
    digest : str
        Hash of images, labels and splits: the identity of the data wherever the folder stands.
    mean, spread : tuple of float, length channels
        What was subtracted from each channel, and what it was then divided by.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int
    digest: str
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    @property
    def example_input(self) -> Tensor:
        """One image, shape (1, channels, height, width)."""
        return self.train.images[:1]


@lru_cache(maxsize=4)
def load_data(name: str, folder: str | None = None, validation_fraction: float = 0.25, split_seed: int = 0) -> Data:
    """Load a data set into memory.

    Parameters
    ----------
    name : {"digits", "cifar10", "npz"}
        scikit-learn's bundled digits (1,797 images of 8 x 8); CIFAR-10 in its binary version; or a file of arrays
        ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``.
    folder : str, optional
        The folder of CIFAR-10's ``.bin`` files, or the ``.npz`` file.
    validation_fraction : float
        Part of the training images that is held out for validation, stratified by label. Of digits, which has no test
        split of its own, another quarter of all images is the test split.
    split_seed : int
        Seed of the held-out part.

    Returns
    -------
    Data

    Raises
    ------
    InputError
        If the name is unknown or the files are not there or not as described.

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
    arrays = READERS[name](_path(name, folder))
    digest = hashlib.sha256(repr((validation_fraction, split_seed)).encode())
    for key in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    rng = np.random.default_rng(np.random.SeedSequence(split_seed))
    labels = arrays["train_labels"].astype(np.int64)
    held_out = stratified(labels, validation_fraction, rng)
    images = arrays["train_images"].astype(np.float32)
    test_images = arrays["test_images"].astype(np.float32)
    mean = images[~held_out].mean((0, 2, 3), keepdims=True)
    spread = images[~held_out].std((0, 2, 3), keepdims=True) + 1e-8
    images, test_images = (images - mean) / spread, (test_images - mean) / spread
    return Data(
        _split(images[~held_out], labels[~held_out]),
        _split(images[held_out], labels[held_out]),
        _split(test_images, arrays["test_labels"].astype(np.int64)),
        int(labels.max()) + 1,
        digest.hexdigest()[:16],
        tuple(mean.ravel().tolist()),
        tuple(spread.ravel().tolist()),
    )


def stratified(labels: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark a random `fraction` of every label's members True, shape (n,)."""
    marks = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        marks[rng.permutation(members)[: round(fraction * len(members))]] = True
    return marks


def _split(images: NDArray[np.float32], labels: NDArray[np.int64]) -> Split:
    return Split(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels))


def _path(name: str, folder: str | None) -> Path:
    if name == "digits":
        return Path()
    if folder is None:
        raise InputError(f"data.folder must say where {name} lies; found none")
    path = Path(folder).expanduser()
    if not path.exists():
        raise InputError(f"data.folder: expected an existing folder or file for {name}; found nothing at {folder!r}")
    return path


def _read_digits(path: Path) -> Arrays:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images[:, None] / 16).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    test = stratified(labels, 0.25, np.random.default_rng(np.random.SeedSequence(0)))
    return {
        "train_images": images[~test],
        "train_labels": labels[~test],
        "test_images": images[test],
        "test_labels": labels[test],
    }


def _read_cifar10(folder: Path) -> Arrays:
    train = np.concatenate([_read_cifar_file(folder / f"data_batch_{part}.bin") for part in range(1, 6)])
    test = _read_cifar_file(folder / "test_batch.bin")
    return {
        "train_images": train[:, 1:].reshape(-1, 3, 32, 32),
        "train_labels": train[:, 0],
        "test_images": test[:, 1:].reshape(-1, 3, 32, 32),
        "test_labels": test[:, 0],
    }


def _read_cifar_file(path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        raise InputError(
            f"data.folder: expected CIFAR-10's binary version with {path.name}; not found in {path.parent}"
        )
    content = np.fromfile(path, dtype=np.uint8)
    if content.size == 0 or content.size % 3073:
        raise InputError(f"{path.name} must hold records of 3,073 bytes; found {content.size} bytes: is it complete?")
    return content.reshape(-1, 3073)


def _read_npz(path: Path) -> Arrays:
    wanted = ("train_images", "train_labels", "test_images", "test_labels")
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [key for key in wanted if key not in stored]
            if missing:
                raise InputError(f"{path.name} must hold {', '.join(wanted)}; {', '.join(missing)} missing")
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
    return arrays


READERS: dict[str, Callable[[Path], Arrays]] = {"digits": _read_digits, "cifar10": _read_cifar10, "npz": _read_npz}
