"""Samplers: probability distributions of the number of filters that each group keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats
from prunestats.spaces.support import Support, Widths

_REDRAW_ROUNDS = 1_000
"""Rounds of redrawing scores that leave no room for a mean, before the spread is refused.

A spread that fits once in a hundred draws leaves 4e-5 of the rows (0.99 to the power 1,000); a spread that never fits
must end in a message.
"""


@dataclass(frozen=True)
class Independent:
    """Every group keeps a uniform number of filters, independently of the others.

    Parameters
    ----------
    min_keep : float
        Least fraction of a group's filters that is kept, in (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from prunestats.cost.model import CostModel
    >>> support = Support(CostModel(("a", "b"), (4, 8), ()))
    >>> Independent(min_keep=0.5).propose(support, 2, np.random.default_rng(0)).shape
    (2, 2)
    """

    min_keep: float = 0.05

    def __post_init__(self) -> None:
        check_fraction("min_keep", self.min_keep)

    @property
    def law(self) -> str:
        """The distribution of one draw, in symbols."""
        return f"w_g ~ Uniform{{max(1, ceil({self.min_keep:g} W_g)), ..., W_g}}, independent over groups g"

    def propose(self, support: Support, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` widths vectors, shape (n, groups)."""
        return support.uniform(n, rng, self.min_keep)


@dataclass(frozen=True)
class JitteredUniform:
    """One uniform keep ratio for the whole network, with independent log-normal jitter in each group.

    Parameters
    ----------
    jitter : float
        Standard deviation of the log keep ratio across groups, 0 or more; 0 is uniform pruning.
    min_keep : float
        Least keep ratio of the network, and least fraction of a group that is kept, in (0, 1].
    """

    jitter: float = 0.1
    min_keep: float = 0.05

    def __post_init__(self) -> None:
        check_fraction("min_keep", self.min_keep)
        _check_spread("jitter", self.jitter)

    @property
    def law(self) -> str:
        """The distribution of one draw, in symbols."""
        return (
            f"k ~ Uniform({self.min_keep:g}, 1), z_g ~ Normal(0, {self.jitter:g}); "
            f"w_g = round(k exp(z_g) W_g), {_clipped(self.min_keep)}"
        )

    def propose(self, support: Support, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` widths vectors, shape (n, groups)."""
        keep = rng.uniform(self.min_keep, 1.0, size=(n, 1))
        return _jittered(support, keep, self.jitter, self.min_keep, rng)


@dataclass(frozen=True)
class StageWise:
    """One uniform keep ratio per stage, independent across stages, with log-normal jitter in each group.

    Parameters
    ----------
    jitter : float
        Standard deviation of the log keep ratio across the groups of a stage, 0 or more.
    min_keep : float
        Least keep ratio of a stage, and least fraction of a group that is kept, in (0, 1].

    Notes
    -----
    A stage is the set of groups whose outputs have the same resolution (`Support.stages`).
    """

    jitter: float = 0.0
    min_keep: float = 0.05

    def __post_init__(self) -> None:
        check_fraction("min_keep", self.min_keep)
        _check_spread("jitter", self.jitter)

    @property
    def law(self) -> str:
        """The distribution of one draw, in symbols."""
        return (
            f"k_s ~ Uniform({self.min_keep:g}, 1), independent over stages s (output resolutions), "
            f"z_g ~ Normal(0, {self.jitter:g}); w_g = round(k_s(g) exp(z_g) W_g), {_clipped(self.min_keep)}"
        )

    def propose(self, support: Support, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` widths vectors, shape (n, groups)."""
        keep = rng.uniform(self.min_keep, 1.0, size=(n, int(support.stages.max()) + 1))
        return _jittered(support, keep[:, support.stages], self.jitter, self.min_keep, rng)


@dataclass(frozen=True)
class LinearInDepth:
    """Keep ratios linear in depth between two uniform end points, with log-normal jitter in each group.

    Parameters
    ----------
    jitter : float
        Standard deviation of a group's log keep ratio around the line, 0 or more.
    min_keep : float
        Least keep ratio of the end points, and least fraction of a group that is kept, in (0, 1].

    Notes
    -----
    Depth is a group's normalised position in the network, from 0 to 1 (`Support.depths`).
    """

    jitter: float = 0.0
    min_keep: float = 0.05

    def __post_init__(self) -> None:
        check_fraction("min_keep", self.min_keep)
        _check_spread("jitter", self.jitter)

    @property
    def law(self) -> str:
        """The distribution of one draw, in symbols."""
        return (
            f"a, b ~ Uniform({self.min_keep:g}, 1), d_g the depth of group g from 0 to 1, "
            f"z_g ~ Normal(0, {self.jitter:g}); w_g = round((a + (b - a) d_g) exp(z_g) W_g), {_clipped(self.min_keep)}"
        )

    def propose(self, support: Support, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` widths vectors, shape (n, groups)."""
        end_points = rng.uniform(self.min_keep, 1.0, size=(n, 2))
        keep = end_points[:, :1] + (end_points[:, 1:] - end_points[:, :1]) * support.depths
        return _jittered(support, keep, self.jitter, self.min_keep, rng)


@dataclass(frozen=True)
class SpreadControlled:
    """Keep ratios with a given standard deviation across the groups, around a random mean.

    Parameters
    ----------
    spread : float
        Standard deviation of the keep ratios within one subnetwork before rounding, 0 or more.
    min_keep : float
        Least keep ratio, in (0, 1].

    Notes
    -----
    Keep ratios are standardised uniform scores, which fit into [min_keep, 1] up to a spread of about
    (1 - min_keep) / 3.5, as uniform scores span 2 sqrt(3), about 3.5, standard deviations. A larger spread is refused
    when it is drawn.
    """

    spread: float = 0.1
    min_keep: float = 0.05

    def __post_init__(self) -> None:
        check_fraction("min_keep", self.min_keep)
        _check_spread("spread", self.spread)

    @property
    def law(self) -> str:
        """The distribution of one draw, in symbols."""
        return (
            f"u_g ~ Uniform(-1, 1), standardised over groups to mean 0 and standard deviation {self.spread:g}, given "
            f"max u - min u <= {1 - self.min_keep:g}; m ~ Uniform over all that keep k_g = m + u_g within "
            f"[{self.min_keep:g}, 1]; w_g = round(k_g W_g), {_clipped(self.min_keep)}"
        )

    def propose(self, support: Support, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` widths vectors, shape (n, groups)."""
        scores = self._scores(n, support.cost.n_groups, rng)
        low = self.min_keep - scores.min(axis=1, keepdims=True)
        high = 1 - scores.max(axis=1, keepdims=True)
        keep = low + (high - low) * rng.random((n, 1)) + scores
        return support.nearest(keep * support.sizes, self.min_keep)

    def _scores(self, n: int, groups: int, rng: np.random.Generator) -> Floats:
        """Standardised scores whose range is at most 1 - min_keep, shape (n, groups)."""
        if groups < 2:
            raise InputError(f"a spread of keep ratios needs two groups or more; found {groups}: use jittered_uniform")
        scores = np.empty((n, groups))
        pending = np.arange(n)
        for _ in range(_REDRAW_ROUNDS):
            drawn = rng.uniform(-1.0, 1.0, size=(pending.size, groups))
            drawn -= drawn.mean(axis=1, keepdims=True)
            scores[pending] = drawn * (self.spread / drawn.std(axis=1, keepdims=True))
            pending = pending[np.ptp(scores[pending], axis=1) > 1 - self.min_keep]
            if pending.size == 0:
                return scores
        raise InputError(
            f"keep ratios with a standard deviation of {self.spread:g} must fit between min_keep {self.min_keep:g} and "
            f"1; found too few that do in {groups} groups: ask for a smaller spread"
        )


def _jittered(support: Support, keep: Floats, jitter: float, min_keep: float, rng: np.random.Generator) -> Widths:
    shape = (len(keep), support.cost.n_groups)
    keep = keep * np.exp(jitter * rng.standard_normal(shape))
    return support.nearest(keep * support.sizes, min_keep)


def _clipped(min_keep: float) -> str:
    return f"clipped to [max(1, ceil({min_keep:g} W_g)), W_g]"


def _check_spread(name: str, value: float) -> None:
    if not 0 <= value < np.inf:
        raise InputError(f"{name} must be 0 or more; found {value:g}")


def check_fraction(name: str, value: float) -> None:
    """Raise InputError unless `value` is in (0, 1].

    Examples
    --------
    >>> check_fraction("min_keep", 0.5)
    """
    if not 0 < value <= 1:
        raise InputError(f"{name} must be a fraction above 0 and at most 1; found {value:g}")
