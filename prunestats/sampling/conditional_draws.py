"""One group's widths drawn given its neighbours', many at once: in closed form, from a table, or from two rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prunestats.spaces.support import Floats

# Positions among the widths that each group may take, shape (groups, n).
Places = NDArray[np.intp]
_Bundle = tuple[Floats, Floats, Places]

# Rows of products that fit the processor's cache.
_CELLS = 100_000
# Bundles of rows that share an envelope, and tries from it.
_BUNDLES, _TRIES = 32, 8
# Below it a slope changes no chance by more than rounding does.
_FLAT = 1e-14


class Draw(Protocol):
    """Draws one group's places, given those of the groups that are drawn before it."""

    def __call__(self, places: Places, rng: np.random.Generator) -> Places:
        """Places of the group, shape (n,)."""
        ...


@dataclass(frozen=True)
class Geometric:
    """A group whose log weight is straight in its evenly spaced width: a truncated geometric law, inverted.

    Parameters
    ----------
    last : int
        Its last place; the first is 0.
    slope : float
        Log weight a place, before the neighbours add theirs.
    slopes : tuple of ndarray
        Log weight a place that each neighbour adds, by the neighbour's place.
    others : tuple of int
        The neighbours.
    """

    last: int
    slope: float
    slopes: tuple[Floats, ...]
    others: tuple[int, ...]

    def __call__(self, places: Places, rng: np.random.Generator) -> Places:
        """Places of the group, shape (n,)."""
        slope = np.full(places.shape[1], self.slope)
        for added, other in zip(self.slopes, self.others, strict=True):
            slope += added[places[other]]
        down = -np.maximum(np.abs(slope), _FLAT)
        steps = np.log1p(rng.random(slope.size) * np.expm1(down * (self.last + 1))) / down
        from_best = np.minimum(steps.astype(np.intp), self.last)
        found: Places = np.where(slope > 0, self.last - from_best, from_best)
        return found


@dataclass(frozen=True)
class Table:
    """A group with one neighbour or none, by inversion in a table of its weights.

    Parameters
    ----------
    weights : ndarray, shape (neighbour's widths, widths)
        One row where there is no neighbour.
    others : tuple of int
        The neighbour, if any.
    """

    weights: Floats
    others: tuple[int, ...]

    def __call__(self, places: Places, rng: np.random.Generator) -> Places:
        """Places of the group, shape (n,)."""
        n = places.shape[1]
        rows = places[self.others[0]] if self.others else np.zeros(n, dtype=np.intp)
        return _halved(self._sums, rows, rng.random((n,)))

    @cached_property
    def _sums(self) -> Floats:
        return np.cumsum(np.ascontiguousarray(self.weights), axis=1)


@dataclass(frozen=True)
class Product:
    """A group with two neighbours, from the product of one row for each.

    Parameters
    ----------
    first, second : ndarray, shape (neighbour's widths, widths)
        Factors of its weights.
    others : tuple of int
        The neighbours.

    Notes
    -----
    Rejection from an envelope: rows are scaled to a largest entry of 1 and bundled, and the envelope of a pair of
    bundles is the product of their entrywise maxima. What few are refused many times are drawn from the rows.
    """

    first: Floats
    second: Floats
    others: tuple[int, int]

    def __call__(self, places: Places, rng: np.random.Generator) -> Places:
        """Places of the group, shape (n,)."""
        a, b = (places[other] for other in self.others)
        (first, tops, bundles), (second, others_tops, others_bundles) = self._bundled
        pairs = bundles[a] * len(others_tops) + others_bundles[b]
        found = np.empty(a.size, dtype=np.intp)
        left = np.arange(a.size)
        for _ in range(_TRIES):
            tried = _halved(self._envelopes, pairs[left], rng.random((left.size,)))
            found[left] = tried
            bound = tops[bundles[a[left]], tried] * others_tops[others_bundles[b[left]], tried]
            left = left[rng.random(left.size) * bound >= first[a[left], tried] * second[b[left], tried]]
            if left.size == 0:
                return found
        for part in np.array_split(left, 1 + left.size * first.shape[1] // _CELLS):
            sums = np.cumsum(first[a[part]] * second[b[part]], axis=1)
            found[part] = np.count_nonzero(sums[:, :-1] <= rng.random((part.size, 1)) * sums[:, -1:], axis=1)
        return found

    @cached_property
    def _bundled(self) -> tuple[_Bundle, _Bundle]:
        return _bundle(self.first), _bundle(self.second)

    @cached_property
    def _envelopes(self) -> Floats:
        """Running sums of the envelope of every pair of bundles, a row each."""
        (_, tops, _), (_, others, _) = self._bundled
        return np.cumsum((tops[:, None] * others).reshape(-1, tops.shape[1]), axis=1)


def _bundle(rows: Floats) -> _Bundle:
    """Rows scaled to a largest entry of 1, the entrywise maxima of each bundle of them, and each row's bundle."""
    most = rows.max(axis=1, keepdims=True)
    scaled = np.ascontiguousarray(rows / np.where(most > 0, most, 1.0))
    bundles = np.arange(len(rows)) * min(_BUNDLES, len(rows)) // len(rows)
    starts = np.flatnonzero(np.diff(bundles, prepend=-1))
    return scaled, np.maximum.reduceat(scaled, starts, axis=0), bundles


def _halved(sums: Floats, rows: Places, chances: Floats) -> Places:
    """Places where a chance falls among the running sums of a row, by halving."""
    width, flat = sums.shape[1], sums.reshape(-1)
    before = rows * width - 1
    level = chances * flat[before + width]
    found = np.zeros(rows.size, dtype=np.intp)
    step = 1 << (width - 1).bit_length()
    while step := step >> 1:
        tried = np.minimum(found + step, width - 1)
        found = np.where(flat[before + tried] <= level, tried, found)
    return found
