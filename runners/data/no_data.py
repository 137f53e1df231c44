"""Data of a study that loads none: the shape of an input, for trainings of the user's own that read their own data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from prunestats.runners.data.datasets import Data, ImageSplit, load_data


def load_any(table: Mapping[str, Any]) -> Data:
    """The data of a study's table ``[data]``, or of ``{"input": shape}`` alone."""
    return input_alone(table["input"]) if "input" in table else load_data(**table)


def input_alone(shape: Sequence[int]) -> Data:
    """One input of a shape, without labels; 0 classes, which stand for the network's own default.

    Examples
    --------
    >>> data = input_alone([3, 4, 4])
    >>> tuple(data.example_input.shape), data.num_classes
    ((1, 3, 4, 4), 0)
    """
    # any values: they show how shapes follow from one another
    image = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, *shape)).astype(np.float32))
    split = ImageSplit(image, torch.zeros(1, dtype=torch.int64))
    return Data(split, split, split, 0, hashlib.sha256(repr(("input", *shape)).encode()).hexdigest()[:16])
