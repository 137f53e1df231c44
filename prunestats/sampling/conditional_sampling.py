"""Conditional sampling: one group's widths given its neighbours', vectorised over samples.

Each sampler draws exactly from a discrete distribution: by inverting a truncated geometric distribution, by inverting
a table of cumulative weights, or by rejection from the envelope of a product of two rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prunestats.numeric.arrays import Floats

# Indices into the widths that each group may take, shape (groups, n).
Indices = NDArray[np.intp]
_BundledRows = tuple[Floats, Floats, Indices]

_CHUNK_CELLS = 100_000
"""Doubles in one chunk of products, 0.8 MB: small enough for a processor's cache; no sample depends on it."""

_BUNDLES = 32
"""Bundles of rows that share an envelope: more make it tighter, and its table of bundles squared rows larger."""

_TRIES = 8
"""Proposals from the envelope before the rest is drawn from its own products, which is exact too but slower."""

_FLAT = 1e-14
"""Least absolute slope, as zero cannot be divided by: a slope below it changes a probability by less than rounding."""


class ConditionalSampler(Protocol):
    """Draws one group's widths given those of its neighbours, which are drawn before it."""

    def __call__(self, indices: Indices, rng: np.random.Generator) -> Indices:
        """Draw the group's indices, shape (n,), given all groups' `indices`, shape (groups, n)."""
        ...


@dataclass(frozen=True)
class TruncatedGeometric:
    """A group whose log weight is linear in its index: a truncated geometric distribution, inverted in closed form.

    Parameters
    ----------
    last : int
        Its last index; the first is 0.
    slope : float
        Increase of the log weight per index, without the neighbours' terms.
    slopes : tuple of ndarray
        Increase of the log weight per index that each neighbour adds, by the neighbour's index.
    neighbours : tuple of int
        Groups that it is conditioned on.
    """

    last: int
    slope: float
    slopes: tuple[Floats, ...]
    neighbours: tuple[int, ...]

    def __call__(self, indices: Indices, rng: np.random.Generator) -> Indices:
        """Draw the group's indices, shape (n,)."""
        slope = np.full(indices.shape[1], self.slope)
        for added, neighbour in zip(self.slopes, self.neighbours, strict=True):
            slope += added[indices[neighbour]]
        # counted from the likelier end, as the exponential of a positive slope could overflow
        decay = -np.maximum(np.abs(slope), _FLAT)
        steps = np.log1p(rng.random(slope.size) * np.expm1(decay * (self.last + 1))) / decay
        from_mode = np.minimum(steps.astype(np.intp), self.last)
        found: Indices = np.where(slope > 0, self.last - from_mode, from_mode)
        return found


@dataclass(frozen=True)
class TabulatedConditional:
    """A group with one neighbour or none, by inversion of a table of cumulative weights.

    Parameters
    ----------
    weights : ndarray, shape (neighbour's widths, widths)
        Unnormalised conditional probabilities; one row where there is no neighbour.
    neighbours : tuple of int
        The neighbour, if any.
    """

    weights: Floats
    neighbours: tuple[int, ...]

    def __call__(self, indices: Indices, rng: np.random.Generator) -> Indices:
        """Draw the group's indices, shape (n,)."""
        n = indices.shape[1]
        rows = indices[self.neighbours[0]] if self.neighbours else np.zeros(n, dtype=np.intp)
        return _invert(self._cumulative, rows, rng.random((n,)))

    @cached_property
    def _cumulative(self) -> Floats:
        return np.cumsum(np.ascontiguousarray(self.weights), axis=1)


@dataclass(frozen=True)
class ProductConditional:
    """A group with two neighbours, whose weights are the product of one row for each neighbour.

    Parameters
    ----------
    first, second : ndarray, shape (neighbour's widths, widths)
        Factors of its unnormalised conditional probabilities.
    neighbours : tuple of int
        The two neighbours.

    Notes
    -----
    Rejection from an envelope: rows are scaled to a maximum of 1 and bundled, and the envelope of a pair of bundles is
    the product of their entrywise maxima. Samples that are rejected `_TRIES` times are drawn by inversion of their own
    product of rows, which has the same distribution.
    """

    first: Floats
    second: Floats
    neighbours: tuple[int, int]

    def __call__(self, indices: Indices, rng: np.random.Generator) -> Indices:
        """Draw the group's indices, shape (n,)."""
        a, b = (indices[neighbour] for neighbour in self.neighbours)
        (first, first_maxima, first_bundle), (second, second_maxima, second_bundle) = self._bundled
        pairs = first_bundle[a] * len(second_maxima) + second_bundle[b]
        found = np.empty(a.size, dtype=np.intp)
        pending = np.arange(a.size)
        for _ in range(_TRIES):
            tried = _invert(self._envelopes, pairs[pending], rng.random((pending.size,)))
            found[pending] = tried
            envelope = first_maxima[first_bundle[a[pending]], tried] * second_maxima[second_bundle[b[pending]], tried]
            weight = first[a[pending], tried] * second[b[pending], tried]
            pending = pending[rng.random(pending.size) * envelope >= weight]
            if pending.size == 0:
                return found
        for part in np.array_split(pending, 1 + pending.size * first.shape[1] // _CHUNK_CELLS):
            cumulative = np.cumsum(first[a[part]] * second[b[part]], axis=1)
            level = rng.random((part.size, 1)) * cumulative[:, -1:]
            found[part] = np.count_nonzero(cumulative[:, :-1] <= level, axis=1)
        return found

    @cached_property
    def _bundled(self) -> tuple[_BundledRows, _BundledRows]:
        return _bundle(self.first), _bundle(self.second)

    @cached_property
    def _envelopes(self) -> Floats:
        """Cumulative weights of the envelope of every pair of bundles, a row each."""
        (_, first_maxima, _), (_, second_maxima, _) = self._bundled
        return np.cumsum((first_maxima[:, None] * second_maxima).reshape(-1, first_maxima.shape[1]), axis=1)


def _bundle(rows: Floats) -> _BundledRows:
    """Rows scaled to a maximum of 1, the entrywise maxima of each bundle of rows, and each row's bundle."""
    maxima = rows.max(axis=1, keepdims=True)
    scaled = np.ascontiguousarray(rows / np.where(maxima > 0, maxima, 1.0))
    bundles = np.arange(len(rows)) * min(_BUNDLES, len(rows)) // len(rows)
    starts = np.flatnonzero(np.diff(bundles, prepend=-1))
    return scaled, np.maximum.reduceat(scaled, starts, axis=0), bundles


def _invert(cumulative: Floats, rows: Indices, uniforms: Floats) -> Indices:
    """Inverse distribution function of a row of cumulative weights at a uniform number, by bisection."""
    width, flat = cumulative.shape[1], cumulative.reshape(-1)
    before = rows * width - 1
    level = uniforms * flat[before + width]
    found = np.zeros(rows.size, dtype=np.intp)
    step = 1 << (width - 1).bit_length()
    while step := step >> 1:
        tried = np.minimum(found + step, width - 1)
        found = np.where(flat[before + tried] <= level, tried, found)
    return found
