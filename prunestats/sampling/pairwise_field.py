"""Pairwise Markov random field over the groups' widths: its normalising constant, and exact samples from it.

The field gives every widths vector a weight that is a product of factors of single groups and of pairs of groups. Where
the groups have an elimination order with at most two neighbours, the sum of all weights is a chain of matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.numeric.arrays import Floats
from prunestats.sampling.conditional_sampling import (
    ConditionalSampler,
    Indices,
    ProductConditional,
    TabulatedConditional,
    TruncatedGeometric,
)
from prunestats.sampling.elimination import EliminationStep
from prunestats.spaces.support import Widths


@dataclass(frozen=True)
class Exponent:
    """Log weight of a widths vector: ``sum_g linear_g w_g + square_g w_g^2 + sum_{g<h} pairs_gh w_g w_h``.

    Parameters
    ----------
    linear, square : ndarray, shape (groups,)
        Coefficients of w_g and of its square.
    pairs : ndarray, shape (groups, groups)
        Coefficients of w_g w_h; symmetric, its diagonal zero.
    """

    linear: Floats
    square: Floats
    pairs: Floats

    def __mul__(self, factor: float) -> Exponent:
        """The exponent of the weights raised to the power `factor`."""
        return Exponent(self.linear * factor, self.square * factor, self.pairs * factor)


class PairwiseField:
    """Pairwise Markov random field: normalising constant by variable elimination, and exact samples.

    Parameters
    ----------
    exponent : Exponent
        Log weights.
    levels : list of ndarray
        Widths that each group may take, in increasing order.
    steps : list of EliminationStep
        From `elimination_order`.

    Attributes
    ----------
    log_sum : float
        Logarithm of the normalising constant, the sum of all weights.

    Notes
    -----
    Bucket elimination [1]_: the sum over a group with neighbours a and b is the product of two matrices, and becomes a
    factor of the pair (a, b). Samples go backwards: each group conditional on its neighbours, with the terms of that
    sum as weights. Every factor is divided by its largest entry, so that only negligible weights can underflow.

    References
    ----------
    .. [1] Dechter R (1999). Bucket elimination: a unifying framework for reasoning. Artificial Intelligence 113, 41-85.
    """

    def __init__(self, exponent: Exponent, levels: list[Widths], steps: list[EliminationStep]) -> None:
        self.log_sum = 0.0
        self._exponent, self._steps = exponent, steps
        self._levels = [each.astype(np.float64) for each in levels]
        self._single = [
            self._weights(linear * w + square * w**2)
            for linear, square, w in zip(exponent.linear, exponent.square, self._levels, strict=True)
        ]
        self._pair: dict[tuple[int, int], Floats] = {}
        for a, b in np.argwhere(np.triu(exponent.pairs)).tolist():
            self._pair[a, b] = self._weights(exponent.pairs[a, b] * np.outer(self._levels[a], self._levels[b]))
        # groups whose log weight is linear in the index, as long as no sum was multiplied into their factors
        self._log_linear = [
            square == 0 and _evenly_spaced(w) for square, w in zip(exponent.square, levels, strict=True)
        ]
        self._samplers = [self._eliminate(step) for step in steps]

    def draw(self, n: int, rng: np.random.Generator) -> Indices:
        """Draw `n` samples from the field, as indices into the groups' widths, shape (groups, n)."""
        indices = np.zeros((len(self._levels), n), dtype=np.intp)
        for step, sampler in zip(reversed(self._steps), reversed(self._samplers), strict=True):
            indices[step.group] = sampler(indices, rng)
        return indices

    def _weights(self, logarithms: Floats) -> Floats:
        largest = float(logarithms.max())
        self.log_sum += largest
        weights: Floats = np.exp(logarithms - largest)
        return weights

    def _eliminate(self, step: EliminationStep) -> ConditionalSampler:
        """Sum one group out, multiply the sum into its neighbours' factors, and return its conditional sampler."""
        own = self._single[step.group]
        factors = [self._pop(neighbour, step.group) for neighbour in step.neighbours]
        if len(step.neighbours) == 2:
            message = (factors[0] * own) @ factors[1].T
            self._pair[step.neighbours] = self._rescaled(message * self._pair.get(step.neighbours, 1.0))
        elif step.neighbours:
            neighbour = step.neighbours[0]
            self._single[neighbour] = self._rescaled(factors[0] @ own * self._single[neighbour])
        else:
            self._rescaled(own.sum())
        sampler = self._sampler(step, own, factors)
        self._log_linear = [linear and group not in step.neighbours for group, linear in enumerate(self._log_linear)]
        return sampler

    def _sampler(self, step: EliminationStep, own: Floats, factors: list[Floats]) -> ConditionalSampler:
        if self._log_linear[step.group]:
            return self._geometric(step)
        if len(step.neighbours) == 2:
            return ProductConditional(factors[0] * own, factors[1], step.neighbours)
        return TabulatedConditional(factors[0] * own if factors else own[None], step.neighbours)

    def _rescaled(self, weights: Floats) -> Floats:
        largest = weights.max()
        self.log_sum += float(np.log(largest))
        rescaled: Floats = weights / largest
        return rescaled

    def _pop(self, first: int, second: int) -> Floats:
        """Remove and return the factor of a pair, one row for each width of `first`."""
        if (first, second) in self._pair:
            return self._pair.pop((first, second))
        return self._pair.pop((second, first)).T

    def _geometric(self, step: EliminationStep) -> TruncatedGeometric:
        own, exponent = self._levels[step.group], self._exponent
        spacing = float(own[1] - own[0]) if own.size > 1 else 0.0
        slopes = tuple(
            spacing * exponent.pairs[step.group, neighbour] * self._levels[neighbour] for neighbour in step.neighbours
        )
        slope = spacing * float(exponent.linear[step.group])
        return TruncatedGeometric(own.size - 1, slope, slopes, step.neighbours)


def _evenly_spaced(levels: Widths) -> bool:
    return bool(np.ptp(np.diff(levels)) == 0) if levels.size > 1 else True
