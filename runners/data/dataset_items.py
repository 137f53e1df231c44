"""Items of a `torch.utils.data.Dataset` as arrays, and whether they depend on random numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.networks.user_errors import described, locating

Image = NDArray[np.generic]
Item = tuple[Image, int]

# Indices that are read again, spread over the data set: items that differ with a probability of one half, as under a
# random flip, all agree with a probability of 2^-16; and reading that moves a random generator is noticed at once.
_PROBES = 16

# Channels at most of an array whose last axis is taken for channels: grey, two, RGB, RGBA.
_MOST_CHANNELS = 4


def read_item(dataset: Any, index: int, what: str) -> Item:
    """Image (channels, height, width), of uint8 or float32, and label of an item of a data set.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Its items are (image, label): a tensor (channels, height, width), an array (height, width), (height, width,
        channels) or (channels, height, width), or an image of Pillow; and a whole number.
    index : int
    what : str
        Names the data set in messages.

    Raises
    ------
    InputError
        If the item is no such pair, or reading it fails; the message has the line of the user's own file.
    """
    try:
        with locating(f"{what}[{index}]"):
            item = dataset[index]
    except Exception as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what}[{index}] cannot be read ({described(error)})") from error
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise InputError(
            f"{what}[{index}] must be (image, label); found {_described(item)}: return these two from __getitem__"
        )
    return _image(item[0], f"{what}[{index}]"), _label(item[1], f"{what}[{index}]")


def _image(found: Any, what: str) -> Image:
    tensor = isinstance(found, torch.Tensor)
    array = np.asarray(found.detach().cpu() if isinstance(found, torch.Tensor) else found)
    if array.dtype == object or array.ndim not in (2, 3) or array.size == 0:
        raise InputError(
            f"{what} must have an image of shape (channels, height, width), or one of Pillow; found {_described(found)}"
        )
    if array.ndim == 2:
        array = array[None]
    elif not tensor and array.shape[2] <= _MOST_CHANNELS < array.shape[0]:
        array = array.transpose(2, 0, 1)
    if array.dtype == np.bool_:
        array = array.astype(np.float32)
    return np.ascontiguousarray(array if array.dtype == np.uint8 else array.astype(np.float32))


def _label(found: Any, what: str) -> int:
    array = np.asarray(found.detach().cpu() if isinstance(found, torch.Tensor) else found)
    if array.size != 1 or array.dtype.kind not in "iub" or array.item() < 0:
        raise InputError(f"{what} must have a whole number from 0 as its label; found {_described(found)}")
    return int(array.item())


def _described(found: Any) -> str:
    shape = getattr(found, "shape", None)
    if shape is not None and len(shape):
        return f"a {type(found).__name__} of shape {tuple(shape)}"
    if isinstance(found, tuple | list):
        return f"a {type(found).__name__} of {len(found)}"
    return f"{found!r}" if isinstance(found, int | float | str) else f"a {type(found).__name__}"


@contextmanager
def seeds_of(index: int, seed: int) -> Iterator[None]:
    """Seed the generators of torch, NumPy and Python, and leave them afterwards as they were."""
    states = _states()
    try:
        seed_generators(index, seed)
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])


def seed_generators(index: int, seed: int) -> None:
    """Seed the generators of torch, NumPy and Python for an item, whatever was read before it."""
    # torch's and NumPy's old generators take 32 bits
    words = np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(3)
    # of the CPU alone: torch.manual_seed would seed GPUs, too
    torch.default_generator.manual_seed(int(words[0]))
    np.random.seed(int(words[1]))  # noqa: NPY002
    random.seed(int(words[2]))


def _states() -> tuple[torch.Tensor, Any, Any]:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def is_random(dataset: Any, what: str) -> bool:
    """Whether items of a data set depend on random numbers: each of 16 is read twice, with different seeds.

    Reading that moves one of the generators of torch, NumPy and Python counts, too, as a transform that is applied
    with a small probability may leave all of these items as they are.

    Raises
    ------
    InputError
        If items differ although all three generators are seeded alike: results could not be repeated.
    """
    found = False
    for index in _probes(len(dataset)):
        (first, moved), (second, moved_again) = (_read_seeded(dataset, index, what, seed) for seed in (0, 1))
        # a state that is the same after different seeds was set by the data set itself, to the same seed each time
        draws = any(one and one != other for one, other in zip(moved, moved_again, strict=True))
        if _same(first, second) and not draws:
            continue
        if not _same(first, _read_seeded(dataset, index, what, 0)[0]):
            raise InputError(
                f"{what}[{index}] must be the same after the same seeds of torch, numpy.random and random; found that "
                "it differs: draw its random numbers from these, not from a generator of its own"
            )
        found = True
    return found


def differs(dataset: Any, what: str) -> int | None:
    """The first of 16 indices whose item differs between two readings with different seeds, or None."""
    for index in _probes(len(dataset)):
        first, second = (_read_seeded(dataset, index, what, seed)[0] for seed in (0, 1))
        if not _same(first, second):
            return index
    return None


def _probes(count: int) -> list[int]:
    return sorted({int(index) for index in np.linspace(0, count - 1, min(count, _PROBES)).round()})


def _read_seeded(dataset: Any, index: int, what: str, seed: int) -> tuple[Item, list[str]]:
    """An item, and the state of each generator after it was read, or an empty text where it was not moved."""
    with seeds_of(index, seed):
        before = _shown(_states())
        item = read_item(dataset, index, what)
        after = _shown(_states())
    return item, ["" if now == then else now for then, now in zip(before, after, strict=True)]


def _shown(states: tuple[torch.Tensor, Any, Any]) -> list[str]:
    of_torch, of_numpy, of_python = states
    return [repr(of_torch.numpy().tobytes()), repr((of_numpy[1].tobytes(), of_numpy[2:])), repr(of_python)]


def _same(first: Item, second: Item) -> bool:
    return first[1] == second[1] and np.array_equal(first[0], second[0], equal_nan=first[0].dtype.kind == "f")
