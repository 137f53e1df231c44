"""Chunked resampling, to limit memory; results do not depend on the size of a chunk."""

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
"""A round number: small beside the memory of any machine, large beside the overhead of a numpy call."""
