"""How many subnetworks it takes to reach a target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from prunestats.distribution.best_of_k import BestOf, best_of, sample_of
from prunestats.distribution.empirical import clopper_pearson
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result


@dataclass(frozen=True)
class SamplesToReach(Result):
    """How many subnetworks it takes to reach a target.

    Parameters
    ----------
    target : float
    expected : Interval
        Expected number of draws up to and with the first value of at most `target`: 1 / F(target).
    with_chance : Interval
        Draws that hold such a value with probability `chance`.
    chance : float
    best_of : Interval
        Least k whose expected best of k is at most `target`; inf where no k up to n gets there. `low` and `high` are
        the first k at which the lower and the upper end of its pointwise interval are.
    n : int
    """

    target: float
    expected: Interval
    with_chance: Interval
    chance: float
    best_of: Interval
    n: int


def samples_to_reach(errors: ArrayLike, target: float, *, chance: float = 0.95, level: float = 0.95) -> SamplesToReach:
    """Count the subnetworks that must be drawn from a population to reach a target error.

    Parameters
    ----------
    errors : array_like, shape (n,)
        One value a subnetwork, independent draws of the population.
    target : float
        In the unit of the errors; reached means at most this.
    chance : float
        Probability in (0, 1) for `with_chance`.
    level : float

    Returns
    -------
    SamplesToReach

    Raises
    ------
    InputError
        For values that are no sample, a target that is not finite, a chance or level outside (0, 1).

    Notes
    -----
    Estimands: 1 / p and log(1 - chance) / log(1 - p) with p = F(target); both fall in p, so Clopper and Pearson's
    interval of p carries over with its coverage of at least `level`. The third is the inverse of the best-of-k curve,
    and its interval the inverse of that curve's. A target chosen after looking, such as the best value seen, makes all
    of them too small.

    References
    ----------
    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), 404-413.

    Examples
    --------
    >>> found = samples_to_reach([0.1, 0.2, 0.4, 0.5], 0.2, chance=0.75)
    >>> found.expected.value, round(found.with_chance.value, 3), found.best_of.value
    (2.0, 2.0, 2.0)
    """
    check_level(level)
    if not 0 < chance < 1:
        raise InputError(f"chance must lie between 0 and 1; found {chance:g}: for 95 % write chance=0.95")
    if not np.isfinite(target):
        raise InputError(f"target must be a finite number in the unit of the errors; found {target}")
    x = sample_of(errors)
    reached = int(np.searchsorted(x, target, side="right"))
    low, high = (float(end) for end in clopper_pearson(reached, x.size, level=level))
    p = np.array([reached / x.size, high, low])
    with np.errstate(divide="ignore"):
        expected = 1 / p
        draws = np.maximum(np.log1p(-chance) / np.log1p(-p), 1.0)
    return SamplesToReach(
        target=float(target),
        expected=_interval(expected, level),
        with_chance=_interval(draws, level),
        chance=float(chance),
        best_of=_first_k(best_of(x, level=level), float(target)),
        n=x.size,
    )


def _interval(ends: Floats, level: float) -> Interval:
    return Interval(float(ends[0]), float(ends[1]), float(ends[2]), float(level))


def _first_k(curve: BestOf, target: float) -> Interval:
    def first(values: Floats) -> float:
        there = np.flatnonzero(values <= target)
        return float(curve.k[there[0]]) if there.size else float("inf")

    value = first(curve.value)
    return Interval(value, min(first(curve.low), value), max(first(curve.high), value), curve.level)
