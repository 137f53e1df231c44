"""A training split whose images differ each time they are read, loaded by torch's DataLoader."""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from prunestats.errors import InputError
from prunestats.runners.data.dataset_items import read_item, seed_generators, seeds_of
from prunestats.runners.data.user_datasets import user_datasets

Batch = tuple[Tensor, Tensor]

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class LoaderSplit:
    """Training images of a user's data set with random transforms.

    Parameters
    ----------
    name : str
        ``"module:function"``, which returns the data set beside others.
    count : int
        Number of its images, or of the first of them that are used.
    num_classes : int
        Labels are below it.
    workers : int
        Processes that read images ahead; 0 reads them in this process. Results do not depend on it.
    device : torch.device
        Device of the batches.
    mean, spread : Tensor of float32, shape (1, channels, 1, 1), optional
        Mean and standard deviation by which images are normalised; None uses them as the data set returns them.
    """

    name: str
    count: int
    num_classes: int
    workers: int = 0
    device: torch.device = _CPU
    mean: Tensor | None = None
    spread: Tensor | None = None

    def __len__(self) -> int:
        return self.count

    @property
    def crop(self) -> None:
        """None, as images are as large as the data set's own transforms make them."""

    def batch(self, members: Tensor | slice, *, whole: bool = False) -> Batch:
        """Images and labels of the members with these indices, read with fixed seeds in this process."""
        indices = range(self.count)[members] if isinstance(members, slice) else members.tolist()
        return self._moved(_SeededItems(self.name, self.num_classes).__getitems__([(index, 0) for index in indices]))

    def batches(self, groups: Iterable[Tensor], rng: np.random.Generator, *, whole: bool = False) -> Iterator[Batch]:
        """The batch of each group of indices.

        Each item is read with seeds of its own, derived from `rng` and its index, so that it depends neither on the
        number of processes nor on which of them reads it.
        """
        seed = int(rng.integers(2**63))
        with _may_start_processes():
            loader: DataLoader[Any] = DataLoader(
                _SeededItems(self.name, self.num_classes),
                batch_sampler=[[(index, seed) for index in group.tolist()] for group in groups],
                num_workers=self.workers,
                collate_fn=_as_is,
                pin_memory=self.device.type == "cuda" and self.workers > 0,
                # torch draws a seed for its workers from a generator, which must not be that of the training
                generator=torch.Generator(),
                multiprocessing_context=_context() if self.workers else None,
            )
            found = iter(loader)
        return map(self._moved, found)

    def first(self, images: int) -> LoaderSplit:
        """The split with its first images alone."""
        return replace(self, count=min(images, self.count))

    def to(self, device: torch.device, layout: torch.memory_format = torch.preserve_format) -> LoaderSplit:
        """The split on a device; batches are contiguous, in whatever memory format."""
        if self.mean is None or self.spread is None:
            return replace(self, device=device)
        return replace(self, device=device, mean=self.mean.to(device), spread=self.spread.to(device))

    def _moved(self, found: Batch | str) -> Batch:
        if isinstance(found, str):
            raise RuntimeError(found)  # of a run, which is stored as failed with this reason
        images, labels = (part.to(self.device, non_blocking=True) for part in found)
        if self.mean is None or self.spread is None:
            return images, labels
        return (images.float() - self.mean) / self.spread, labels


@dataclass(frozen=True)
class _SeededItems(Dataset[Any]):
    """Batches of the training set; processes that are not forked build it anew from its name."""

    name: str
    num_classes: int

    def __len__(self) -> int:
        return len(user_datasets(self.name).train)

    def __getitems__(self, members: Sequence[tuple[int, int]]) -> Batch | str:
        """Images and labels of indices, each with its seed; or the message of an error, which stays one line."""
        dataset, what = user_datasets(self.name).train, f"{self.name}: train"
        images, labels = [], []
        try:
            with seeds_of(0, 0):
                for index, seed in members:
                    seed_generators(index, seed)
                    image, label = read_item(dataset, index, what)
                    images.append(image)
                    labels.append(label)
            self._check(images, labels, [index for index, _ in members], what)
        except InputError as error:
            return str(error)
        return torch.from_numpy(np.stack(images)), torch.tensor(labels)

    def _check(self, images: Sequence[Any], labels: Sequence[int], indices: Sequence[int], what: str) -> None:
        for index, image, label in zip(indices, images, labels, strict=True):
            if label >= self.num_classes:
                raise InputError(
                    f"{what}[{index}] must have a label that occurs in validation or test, 0 to "
                    f"{self.num_classes - 1}; found {label}"
                )
            if image.shape != images[0].shape or image.dtype != images[0].dtype:
                raise InputError(
                    f"{what} must have images of one shape and type; found {images[0].shape} of {images[0].dtype} at "
                    f"{indices[0]} and {image.shape} of {image.dtype} at {index}: crop or resize them in the data set"
                )


def _as_is(batch: Any) -> Any:
    return batch


def _context() -> Any:
    # a forked process has the data set already, and a script needs no `if __name__ == "__main__"`
    return multiprocessing.get_context("fork" if sys.platform == "linux" else None)


@contextmanager
def _may_start_processes() -> Iterator[None]:
    """Let a worker of Dask start processes.

    Dask's workers are daemons, which multiprocessing forbids to have children, as these would be left behind. Those of
    a DataLoader end by themselves as soon as their parent is gone.
    """
    config: Any = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    daemon = config.get("daemon")
    config["daemon"] = False
    try:
        with warnings.catch_warnings():
            # how many processes read is for the study to say
            warnings.filterwarnings("ignore", message="This DataLoader will create", category=UserWarning)
            # threads of a worker of Dask wait while a run computes, and hold no lock that a reader of images needs
            warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork", category=DeprecationWarning)
            yield
    finally:
        config["daemon"] = daemon
