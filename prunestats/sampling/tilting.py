"""Exponential tilting: proposals whose mean FLOPs lie at a band that few samples of the space fall into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.cost.model import CostModel
from prunestats.sampling.elimination import EliminationStep, elimination_order
from prunestats.sampling.pairwise_field import Exponent, PairwiseField
from prunestats.spaces.registry import Sampler
from prunestats.spaces.samplers import Independent
from prunestats.spaces.support import Support, Widths

_MOST_CELLS, _MOST_PRODUCTS = 2**26, 2**36
"""Entries of the field's tables and multiply-adds of its sums beyond which no tilt is built: 512 MB, and seconds."""

_COARSE_WIDTHS = 24
"""Widths per group when theta is sought: a coarse grid is fast, and an inexact theta only costs acceptance."""

_STEEPEST = 2.0**20
"""Largest theta that is tried, so that the search ends where the band touches an end of the range of FLOPs: no finite
theta moves the mean there."""

_BISECTIONS = 12
"""Halvings of the interval of theta, to 1/4096 of it: as fine as the three digits that are kept."""

_RELATIVE_STEP = 1e-3
"""Step of the central difference that gives the mean FLOPs, relative to theta: its error is of the order of the step
squared, below the three digits that are kept."""


@dataclass(frozen=True)
class Tilt:
    """A uniform distribution tilted by ``exp(theta F)``, F the FLOPs as a fraction of the original's.

    Parameters
    ----------
    field : PairwiseField
        The tilted distribution.
    levels : list of ndarray
        Widths that each group may take.
    theta : float
        Tilt parameter, not zero.
    edge : float
        Bound of the band at which exp(theta F) is least, as a fraction of the original's FLOPs.
    full : float
        FLOPs of the original.

    Notes
    -----
    Rejection sampling [1]_ with proposals q(w) proportional to p(w) exp(theta F(w)), p uniform: inside the band p/q is
    at most its value at the edge, so accepting a proposal there with probability exp(-theta (F(w) - edge)) gives p
    conditional on the band, for any theta. The acceptance rate is greatest where the mean FLOPs under q equal the
    edge: the log of the sum of exp(theta F) is convex in theta, and its derivative is that mean.

    References
    ----------
    .. [1] Devroye L (1986). Non-Uniform Random Variate Generation, II.3. Springer.
    """

    field: PairwiseField
    levels: list[Widths]
    theta: float
    edge: float
    full: float

    def propose(self, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` widths vectors from the tilted distribution, shape (n, groups)."""
        indices = self.field.draw(n, rng)
        return np.column_stack([widths[at] for widths, at in zip(self.levels, indices, strict=True)])

    def keeps(self, flops: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
        """Accept or reject each proposal inside the band, given its FLOPs, shape (n,)."""
        kept: NDArray[np.bool_] = rng.random(flops.size) < np.exp(-self.theta * (flops / self.full - self.edge))
        return kept

    @property
    def law(self) -> str:
        """The distribution of the proposals, in words."""
        return f"the distribution tilted by exp({self.theta:g} FLOPs / the original's)"


def tilt_towards(sampler: Sampler, cost: CostModel, support: Support, band: tuple[float, float]) -> Tilt | None:
    """Exponential tilt towards a band of FLOPs, None where the sampler, the network or the band does not allow one.

    Parameters
    ----------
    sampler : Sampler
        Only `Independent` has a tilt, as its distribution is a product of uniform ones.
    cost : CostModel
        Its groups need an elimination order with at most two neighbours, in tables within the limits on memory.
    support : Support
        Widths that the constraints allow.
    band : tuple of float
        Least and most FLOPs, in multiply-adds. Where the mean FLOPs lie inside it already, there is no tilt.
    """
    # a subclass may draw from another distribution
    if type(sampler) is not Independent:
        return None
    full = float(cost.flops(cost.sizes)[0])
    form = (cost.flops_form + cost.flops_form.T) / full
    pairs = form[:-1, :-1] * (1 - np.eye(cost.n_groups))
    fractions = Exponent(form[-1, :-1], np.diag(cost.flops_form)[:-1] / full, pairs)
    levels = support.levels(sampler.min_keep)
    steps = elimination_order(pairs, [each.size for each in levels])
    if steps is None or not _affordable(steps, levels):
        return None
    low, high = band[0] / full, band[1] / full
    fixed = float(cost.flops_form[-1, -1]) / full
    theta = _steepness(fractions, levels, steps, low - fixed, high - fixed)
    if theta == 0:
        return None
    return Tilt(PairwiseField(fractions * theta, levels, steps), levels, theta, low if theta > 0 else high, full)


def _affordable(steps: list[EliminationStep], levels: list[Widths]) -> bool:
    """Whether the tables and sums of a field stay within the limits on memory and time."""
    cells = products = 0
    for step in steps:
        sizes = [levels[group].size for group in (step.group, *step.neighbours)]
        cells += max(sizes[0] * sum(sizes[1:]), int(np.prod(sizes[1:])))
        products += int(np.prod(sizes))
    return cells <= _MOST_CELLS and products <= _MOST_PRODUCTS


def _steepness(
    fractions: Exponent, levels: list[Widths], steps: list[EliminationStep], low: float, high: float
) -> float:
    """Theta at which the mean FLOPs, on a coarse grid of widths, equal the nearer bound; 0 where they lie in the band.

    Rounded to three digits, so that it does not depend on the last bits of a sum, which differ between processors.
    """
    grids = (np.linspace(0, each.size - 1, _COARSE_WIDTHS) for each in levels)
    coarse = [each[np.unique(np.rint(grid).astype(np.intp))] for each, grid in zip(levels, grids, strict=True)]

    def mean(theta: float) -> float:
        step = max(abs(theta), 1.0) * _RELATIVE_STEP
        above, below = (PairwiseField(fractions * (theta + s), coarse, steps).log_sum for s in (step, -step))
        return (above - below) / (2 * step)

    untilted = mean(0.0)
    if low <= untilted <= high:
        return 0.0
    sign, target = (1.0, low) if untilted < low else (-1.0, high)
    lower, upper = 0.0, 1.0
    while sign * (target - mean(sign * upper)) > 0 and upper < _STEEPEST:
        lower, upper = upper, 2 * upper
    for _ in range(_BISECTIONS):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if sign * (target - mean(sign * middle)) > 0 else (lower, middle)
    return float(f"{sign * upper:.2e}")
