"""Exact sums of pixels and of their squares for each image, from which any split can be normalised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Pixels converted to int64 at once: 32 MB, and as much again for their squares. The sums do not depend on it.
_CHUNK_CELLS = 4_000_000


def moments(images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum and sum of squares of the pixels of each image and channel.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, channels, height, width)

    Returns
    -------
    sums, squares : ndarray of int64, shape (n, channels)

    Examples
    --------
    >>> import numpy as np
    >>> moments(np.full((1, 1, 2, 2), 255, np.uint8))
    (array([[1020]]), array([[260100]]))
    """
    step = max(1, _CHUNK_CELLS // int(np.prod(images.shape[1:])))
    sums, squares = [], []
    for start in range(0, len(images), step):
        chunk = images[start : start + step].astype(np.int64)
        sums.append(chunk.sum((2, 3)))
        squares.append((chunk**2).sum((2, 3)))
    return np.concatenate(sums), np.concatenate(squares)
