"""Proposals tilted towards a band of FLOPs, for the space's own law where few of its draws lie there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.cost.model import CostModel
from prunestats.sampling.elimination import Step, elimination
from prunestats.sampling.pairwise_field import Exponent, Field
from prunestats.spaces.registry import Sampler
from prunestats.spaces.samplers import Independent
from prunestats.spaces.support import Support, Widths

# Cells of the tables and multiply-adds of the sums beyond which rejection is left alone: 512 MB, and seconds.
_MOST_CELLS, _MOST_PRODUCTS = 2**26, 2**36
# Widths a group when the tilt is looked for, and the steepest tilt, in units of one over the original's FLOPs.
_COARSE, _STEEPEST = 24, 2.0**20


@dataclass(frozen=True)
class Tilt:
    """A law tilted by ``exp(theta F)``, F the FLOPs as a fraction of the original's.

    Parameters
    ----------
    field : Field
        The tilted law.
    levels : list of ndarray
        Widths that each group may take.
    theta : float
        Steepness, not zero.
    edge : float
        Fraction of the FLOPs, among those of the band, that the tilt favours least.
    full : float
        FLOPs of the original.

    Notes
    -----
    Rejection [1]_ from q(w) proportional to p(w) exp(theta F(w)), p uniform: inside the band p/q is at most its value
    at the edge, so keeping a proposal there with probability exp(-theta (F(w) - edge)) leaves p given the band, for
    any theta. The share that is kept is greatest where the mean FLOPs of q are those of the edge: log of the sum of
    exp(theta F) is convex in theta, and its derivative is that mean.

    References
    ----------
    .. [1] Devroye L (1986). Non-Uniform Random Variate Generation, II.3. Springer.
    """

    field: Field
    levels: list[Widths]
    theta: float
    edge: float
    full: float

    def propose(self, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` widths vectors of the tilted law, shape (n, groups)."""
        places = self.field.draw(n, rng)
        return np.column_stack([widths[at] for widths, at in zip(self.levels, places, strict=True)])

    def keeps(self, flops: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
        """Whether each proposal inside the band, of so many FLOPs, is a draw of the law."""
        kept: NDArray[np.bool_] = rng.random(flops.size) < np.exp(-self.theta * (flops / self.full - self.edge))
        return kept

    @property
    def law(self) -> str:
        """What the proposals follow."""
        return f"the law tilted by exp({self.theta:g} FLOPs / the original's)"


def tilt_towards(sampler: Sampler, cost: CostModel, support: Support, band: tuple[float, float]) -> Tilt | None:
    """The tilt towards a band of FLOPs, None where the law, the network or the band has none.

    Parameters
    ----------
    sampler : Sampler
        Only `Independent` has one: a product of uniform laws.
    cost : CostModel
        Its groups must be summable one by one with two neighbours at most, in tables of a bearable size.
    support : Support
        Widths that are left open.
    band : tuple of float
        Least and most FLOPs.
    """
    if type(sampler) is not Independent:
        return None
    full = float(cost.flops(cost.sizes)[0])
    form = (cost.flops_form + cost.flops_form.T) / full
    pairs = form[:-1, :-1] * (1 - np.eye(cost.n_groups))
    fractions = Exponent(form[-1, :-1], np.diag(cost.flops_form)[:-1] / full, pairs)
    levels = support.levels(sampler.min_keep)
    steps = elimination(pairs, [each.size for each in levels])
    if steps is None or not _bearable(steps, levels):
        return None
    low, high = band[0] / full, band[1] / full
    fixed = float(cost.flops_form[-1, -1]) / full
    theta = _steepness(fractions, levels, steps, low - fixed, high - fixed)
    if theta == 0:
        return None
    return Tilt(Field(fractions * theta, levels, steps), levels, theta, low if theta > 0 else high, full)


def _bearable(steps: list[Step], levels: list[Widths]) -> bool:
    """Whether tables and sums of a field stay within bounds."""
    cells = products = 0
    for step in steps:
        sizes = [levels[group].size for group in (step.group, *step.others)]
        cells += max(sizes[0] * sum(sizes[1:]), int(np.prod(sizes[1:])))
        products += int(np.prod(sizes))
    return cells <= _MOST_CELLS and products <= _MOST_PRODUCTS


def _steepness(fractions: Exponent, levels: list[Widths], steps: list[Step], low: float, high: float) -> float:
    """Theta at which the mean FLOPs reach the band from outside, 0 where they lie inside; from a few widths a group.

    Rounded to three digits, lest the last bits of a sum decide.
    """
    coarse = [each[np.unique(np.rint(np.linspace(0, each.size - 1, _COARSE)).astype(np.intp))] for each in levels]

    def mean(theta: float) -> float:
        step = max(abs(theta), 1.0) * 1e-3
        above, below = (Field(fractions * (theta + s), coarse, steps).log_sum for s in (step, -step))
        return (above - below) / (2 * step)

    untilted = mean(0.0)
    if low <= untilted <= high:
        return 0.0
    sign, target = (1.0, low) if untilted < low else (-1.0, high)
    lower, upper = 0.0, 1.0
    while sign * (target - mean(sign * upper)) > 0 and upper < _STEEPEST:
        lower, upper = upper, 2 * upper
    for _ in range(12):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if sign * (target - mean(sign * middle)) > 0 else (lower, middle)
    return float(f"{sign * upper:.2e}")
