"""Resampling in chunks: a limit on memory that no result depends on."""

from __future__ import annotations

from collections.abc import Iterator


def chunk_sizes(total: int, width: int, most: int | None = None) -> Iterator[int]:
    """Split `total` rows of `width` doubles so that a chunk stays under `most` bytes, 50 MB when left out.

    Examples
    --------
    >>> list(chunk_sizes(5, 3_000_000))
    [2, 2, 1]
    """
    size = max(1, (most or _CHUNK_BYTES) // (8 * width))
    for start in range(0, total, size):
        yield min(size, total - start)


_CHUNK_BYTES = 50_000_000
