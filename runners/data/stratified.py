"""Random samples of images that hold each label in proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError


def stratified(labels: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mask of a random sample stratified by label: a `fraction` of each label's members is True, shape (n,)."""
    marks = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        marks[rng.permutation(members)[: round(fraction * len(members))]] = True
    return marks


def stratified_part(labels: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of a random sample of `count` members stratified by label, in increasing order.

    Each label has its proportional number of members, rounded by the largest remainders, so that their sum is `count`.

    Raises
    ------
    InputError
        If there are fewer members, or fewer than one for each label are asked for.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified_part(labels, 3, np.random.default_rng(0))]
    array([0, 0, 1])
    """
    names, sizes = np.unique(labels, return_counts=True)
    if count > len(labels):
        raise InputError(
            f"data.train_images must be at most the {len(labels):,} images that are left for training; found {count:,}"
        )
    if count < len(names):
        raise InputError(
            f"data.train_images must be at least the number of classes in training, {len(names):,}; found {count:,}"
        )
    shares = count * sizes / len(labels)
    numbers = np.floor(shares).astype(np.int64)
    # a stable sort, so that labels of equal remainders take their turn in the order of their numbers
    largest = np.argsort(numbers - shares, kind="stable")[: count - int(numbers.sum())]
    numbers[largest] += 1
    chosen = [
        rng.permutation(np.flatnonzero(labels == name))[:number] for name, number in zip(names, numbers, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
