"""The support of a space's distribution: the widths that each group may take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prunestats.cost.model import CostModel, Layer
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats

Widths = NDArray[np.int64]

_ROUNDING = 1e-9
"""Subtracted before a ceiling: 0.07 * 100 is 7.000000000000001 in double precision, and must keep 7 filters, not 8."""


@dataclass(frozen=True)
class Support:
    """The widths that a sampler draws from: 1 to the full width of each group, or a part of these.

    Parameters
    ----------
    cost : CostModel
        Of the original.
    minimum : int
        Least width of a group, or its full width where that is smaller.
    divisor : int
        Widths are multiples of it, or the group's full width.

    Examples
    --------
    >>> import numpy as np
    >>> support = Support(CostModel(("a", "b"), (8, 10), ()), divisor=4)
    >>> support.nearest(np.array([[1.0, 7.9], [5.0, 9.2]])).tolist()
    [[4, 8], [4, 10]]
    """

    cost: CostModel
    minimum: int = 1
    divisor: int = 1

    @property
    def sizes(self) -> Widths:
        """Filters of the original in each group, shape (groups,)."""
        return self.cost.sizes

    @cached_property
    def stages(self) -> Widths:
        """Stage of each group, numbered from 0 in network order, shape (groups,): one stage per output resolution.

        A group's resolution is that of the first convolution or linear layer whose outputs belong to it.
        """
        resolutions = [_positions(layer) for layer in self._writers]
        return np.array([list(dict.fromkeys(resolutions)).index(here) for here in resolutions], dtype=np.int64)

    @cached_property
    def depths(self) -> Floats:
        """Depth of each group from 0, the first, to 1, the last, by the first layer whose outputs belong to it."""
        order = np.argsort(np.argsort([self.cost.layers.index(layer) for layer in self._writers], kind="stable"))
        depths: Floats = order / max(1, len(order) - 1)
        return depths

    @cached_property
    def _writers(self) -> list[Layer]:
        first: dict[int, Layer] = {}
        for layer in self.cost.layers:
            for group, _ in layer.out_groups:
                if layer.flops_per_pair:
                    first.setdefault(group, layer)
        missing = [name for group, name in enumerate(self.cost.group_names) if group not in first]
        if missing:
            raise InputError(
                "stages and depths need a convolution or linear layer whose outputs belong to each group; found none "
                f"for {missing[0]!r}: choose another sampler"
            )
        return [first[group] for group in range(self.cost.n_groups)]

    def least(self, min_keep: float = 0.0) -> Widths:
        """Least width of each group that keeps a fraction of at least `min_keep`, shape (groups,)."""
        least: Widths = np.minimum(self._bottom(min_keep) * self.divisor, self.sizes)
        return least

    def uniform(self, n: int, rng: np.random.Generator, min_keep: float = 0.0) -> Widths:
        """Draw `n` widths vectors, each width uniform over the group's support, shape (n, groups)."""
        shape = (n, self.cost.n_groups)
        steps = rng.integers(self._bottom(min_keep), self._top, size=shape, endpoint=True)
        return steps if self.divisor == 1 else np.minimum(steps * self.divisor, self.sizes)

    def levels(self, min_keep: float = 0.0) -> list[Widths]:
        """Support of each group, as `uniform` draws from it, in increasing order."""
        steps = zip(self._bottom(min_keep), self._top, self.sizes, strict=True)
        return [np.minimum(np.arange(low, top + 1) * self.divisor, size) for low, top, size in steps]

    def nearest(self, target: Floats, min_keep: float = 0.0) -> Widths:
        """Round real widths, shape (n, groups), to the nearest in the support."""
        steps = np.rint(target / self.divisor).astype(np.int64)
        if self.divisor > 1:
            # the full width may be no multiple, so it has a midpoint of its own with the multiple below it
            last_multiple = (self._top - 1) * self.divisor
            steps = np.where(target > (last_multiple + self.sizes) / 2, self._top, np.minimum(steps, self._top - 1))
        steps = np.clip(steps, self._bottom(min_keep), self._top)
        return steps if self.divisor == 1 else np.minimum(steps * self.divisor, self.sizes)

    def check(self, widths: Widths, sampler: str) -> Widths:
        """Return proposals of the sampler named `sampler`, after refusing widths outside the support."""
        low, high = widths.min(axis=0), widths.max(axis=0)
        outside = (low < self.least()) | (high > self.sizes)
        if self.divisor > 1:
            outside |= ((widths % self.divisor != 0) & (widths != self.sizes)).any(axis=0)
        if outside.any():
            group = int(np.flatnonzero(outside)[0])
            raise InputError(
                f"sampler {sampler} must propose widths from {self.least()[group]} to {self.sizes[group]} in steps of "
                f"{self.divisor} for group {self.cost.group_names[group]!r}; found {low[group]} to {high[group]}: "
                "draw with support.uniform or support.nearest"
            )
        return widths

    def _bottom(self, min_keep: float) -> Widths:
        kept = np.maximum(1, np.ceil(min_keep * self.sizes - _ROUNDING).astype(np.int64))
        return _steps(np.maximum(kept, np.minimum(self.minimum, self.sizes)), self.divisor)

    @cached_property
    def _top(self) -> Widths:
        return _steps(self.sizes, self.divisor)


def _steps(widths: Widths, divisor: int) -> Widths:
    steps: Widths = -(-widths // divisor)
    return steps


def _positions(layer: Layer) -> int:
    return layer.flops_per_pair // max(1, layer.params_per_pair)
