"""Number of subnetworks to sample until one reaches a target error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from prunestats.distribution.best_of_k import BestOf, best_of, sign_of, sorted_sample
from prunestats.distribution.empirical import clopper_pearson
from prunestats.errors import InputError
from prunestats.metric import Direction
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result


@dataclass(frozen=True)
class SamplesToReach(Result):
    """Number of subnetworks to sample until one reaches a target error.

    Parameters
    ----------
    target : float
        In the unit of the errors.
    expected : Interval
        Expected number of subnetworks up to and including the first of at most `target`: 1 / F(target).
    with_chance : Interval
        Sample size that contains such a subnetwork with probability `chance`.
    chance : float
    best_of : Interval
        Least k whose expected best of k is at most `target`; inf where no k up to n reaches it. `low` and `high` are
        the least k at which the lower and the upper bound of its pointwise interval reach it.
    n : int
        Size of the sample that the estimates are made from.
    direction : {"minimize", "maximize"}
        Whether values of at most the target reach it, or values of at least it.
    """

    target: float
    expected: Interval
    with_chance: Interval
    chance: float
    best_of: Interval
    n: int
    direction: Direction = "minimize"


def samples_to_reach(
    errors: ArrayLike,
    target: float,
    *,
    chance: float = 0.95,
    level: float = 0.95,
    direction: Direction = "minimize",
) -> SamplesToReach:
    """Number of subnetworks to sample from a population until one reaches a target error.

    Parameters
    ----------
    errors : array_like, shape (n,)
        One value per subnetwork, an independent sample of the population.
    target : float
        In the unit of the errors; an error of at most this reaches it, or a value of at least this where higher is
        better.
    chance : float
        Probability in (0, 1) for `with_chance`.
    level : float
        Confidence level of the intervals, in (0, 1).
    direction : {"minimize", "maximize"}
        Whether lower or higher values are better.

    Returns
    -------
    SamplesToReach

    Raises
    ------
    InputError
        For errors that are not one row of finite numbers, a target that is not finite, a chance or level outside
        (0, 1).

    Notes
    -----
    Estimands: 1 / p and log(1 - chance) / log(1 - p) with p = F(target); both decrease in p, so the Clopper-Pearson
    interval of p carries over with its coverage of at least `level`. The third is the inverse of the best-of-k curve,
    and its interval the inverse of that curve's. A target selected from the same data, such as the least error, biases
    all of them downwards.

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
        raise InputError(
            f"target must be a finite number in the unit of the errors; found {target}: for 8 % write target=0.08"
        )
    sign = sign_of(direction)
    x = sorted_sample(errors, direction)
    reached = int(np.searchsorted(x, sign * target, side="right"))
    low, high = (float(bound) for bound in clopper_pearson(reached, x.size, level=level))
    p = np.array([reached / x.size, high, low])
    with np.errstate(divide="ignore"):
        expected = 1 / p
        size = np.maximum(np.log1p(-chance) / np.log1p(-p), 1.0)
    return SamplesToReach(
        target=float(target),
        expected=_interval(expected, level),
        with_chance=_interval(size, level),
        chance=float(chance),
        best_of=_first_k(best_of(x, level=level), sign * float(target)),
        n=x.size,
        direction=direction,
    )


def _interval(value_low_high: Floats, level: float) -> Interval:
    value, low, high = value_low_high.tolist()
    return Interval(value, low, high, float(level))


def _first_k(curve: BestOf, target: float) -> Interval:
    def first(values: Floats) -> float:
        reached = np.flatnonzero(values <= target)
        return float(curve.k[reached[0]]) if reached.size else float("inf")

    value = first(curve.value)
    return Interval(value, min(first(curve.low), value), max(first(curve.high), value), curve.level)
