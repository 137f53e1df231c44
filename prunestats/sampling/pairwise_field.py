"""Pairwise fields over groups: summed group by group, and drawn from in the reverse order.

A field gives every widths vector a weight that is a product over groups and pairs of groups. Where groups can be taken
away one by one, each joined to two others at most, its sum is a chain of matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.sampling.conditional_draws import Draw, Geometric, Places, Product, Table
from prunestats.sampling.elimination import Step
from prunestats.spaces.support import Floats, Widths


@dataclass(frozen=True)
class Exponent:
    """The logarithm of a field's weights: ``sum_g linear_g w_g + square_g w_g^2 + sum_{g<h} pairs_gh w_g w_h``.

    Parameters
    ----------
    linear, square : ndarray, shape (groups,)
    pairs : ndarray, shape (groups, groups)
        Symmetric, its diagonal zero.
    """

    linear: Floats
    square: Floats
    pairs: Floats

    def __mul__(self, factor: float) -> Exponent:
        """The exponent of the field raised to a power."""
        return Exponent(self.linear * factor, self.square * factor, self.pairs * factor)


class Field:
    """A pairwise field summed by elimination, and exact draws from it.

    Parameters
    ----------
    exponent : Exponent
    levels : list of ndarray
        Widths that each group may take, rising.
    steps : list of Step
        From `elimination`.

    Attributes
    ----------
    log_sum : float
        Logarithm of the sum of all weights.

    Notes
    -----
    Bucket elimination [1]_: the sum over a group with neighbours a and b is the product of two matrices, and becomes a
    factor of the pair (a, b). Draws go backwards: each group given its neighbours, from the terms of that sum. Every
    factor is divided by its largest entry, so that what underflows has no weight to speak of.

    References
    ----------
    .. [1] Dechter R (1999). Bucket elimination: a unifying framework for reasoning. Artificial Intelligence 113, 41-85.
    """

    def __init__(self, exponent: Exponent, levels: list[Widths], steps: list[Step]) -> None:
        self.log_sum = 0.0
        self._exponent, self._steps = exponent, steps
        self._levels = [each.astype(np.float64) for each in levels]
        self._single = [
            self._scaled(linear * w + square * w**2)
            for linear, square, w in zip(exponent.linear, exponent.square, self._levels, strict=True)
        ]
        self._pair: dict[tuple[int, int], Floats] = {}
        for a, b in np.argwhere(np.triu(exponent.pairs)).tolist():
            self._pair[a, b] = self._scaled(exponent.pairs[a, b] * np.outer(self._levels[a], self._levels[b]))
        self._plain = [square == 0 and _evenly_spaced(w) for square, w in zip(exponent.square, levels, strict=True)]
        self._draws = [self._take(step) for step in steps]

    def draw(self, n: int, rng: np.random.Generator) -> Places:
        """Draw places of `n` widths vectors with chances proportional to their weights, shape (groups, n)."""
        places = np.zeros((len(self._levels), n), dtype=np.intp)
        for step, draw in zip(reversed(self._steps), reversed(self._draws), strict=True):
            places[step.group] = draw(places, rng)
        return places

    def _scaled(self, logarithms: Floats) -> Floats:
        most = float(logarithms.max())
        self.log_sum += most
        weights: Floats = np.exp(logarithms - most)
        return weights

    def _take(self, step: Step) -> Draw:
        """Sum one group out, leave the sum to its neighbours, and return how the group is drawn."""
        own = self._single[step.group]
        tables = [self._pop(other, step.group) for other in step.others]
        if len(step.others) == 2:
            message = (tables[0] * own) @ tables[1].T
            self._pair[step.others] = self._shrunk(message * self._pair.get(step.others, 1.0))
        elif step.others:
            other = step.others[0]
            self._single[other] = self._shrunk(tables[0] @ own * self._single[other])
        else:
            self._shrunk(own.sum())
        drawn = self._drawn(step, own, tables)
        self._plain = [plain and group not in step.others for group, plain in enumerate(self._plain)]
        return drawn

    def _drawn(self, step: Step, own: Floats, tables: list[Floats]) -> Draw:
        if self._plain[step.group]:
            return self._geometric(step)
        if len(step.others) == 2:
            return Product(tables[0] * own, tables[1], step.others)
        return Table(tables[0] * own if tables else own[None], step.others)

    def _shrunk(self, weights: Floats) -> Floats:
        most = weights.max()
        self.log_sum += float(np.log(most))
        shrunk: Floats = weights / most
        return shrunk

    def _pop(self, first: int, second: int) -> Floats:
        """Return the factor of a pair, a row for each width of `first`, and forget it."""
        if (first, second) in self._pair:
            return self._pair.pop((first, second))
        return self._pair.pop((second, first)).T

    def _geometric(self, step: Step) -> Geometric:
        own, exponent = self._levels[step.group], self._exponent
        spacing = float(own[1] - own[0]) if own.size > 1 else 0.0
        slopes = tuple(spacing * exponent.pairs[step.group, other] * self._levels[other] for other in step.others)
        return Geometric(own.size - 1, spacing * float(exponent.linear[step.group]), slopes, step.others)


def _evenly_spaced(levels: Widths) -> bool:
    return bool(np.ptp(np.diff(levels)) == 0) if levels.size > 1 else True
