"""How many trainings a better space saves: as good a best subnetwork from fewer draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.errors import InputError
from prunestats.numeric.arrays import Counts, Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.order_statistics import least_of
from prunestats.numeric.plain_data import Result

LEAST_SETS = 4
"""Disjoint sets of k draws that a population must hold for its best of k to be a target."""


@dataclass(frozen=True)
class Saving(Result):
    """Draws of a refined space that are as good as k draws of the initial one.

    Parameters
    ----------
    k : int
        Draws of the initial space.
    target : float
        Their expected best, averaged over originals.
    draws : Interval
        Draws of the refined space whose expected best is the same; inf where it was not reached.
    factor : Interval
        k over `draws`: how many times fewer; 0 where it was not reached.
    most_draws : int
        Draws up to which the refined space's curve is known: half of its smallest population.
    reached : bool
        Whether the refined space's estimated curve reaches the target within `most_draws`.
    words : str
        The finding as a sentence, with what is censored.
    """

    k: int
    target: float
    draws: Interval
    factor: Interval
    most_draws: int
    reached: bool
    words: str

    @property
    def saves(self) -> bool:
        """Whether the interval is above one: fewer draws, at its level of confidence."""
        return self.factor.low > 1


def compute_saved(
    pairs: list[tuple[Floats, Floats]], *, k: int = 100, level: float = 0.95, name: str = "the refined space"
) -> Saving:
    """Compare the draws that two spaces need for an equally good best subnetwork.

    Parameters
    ----------
    pairs : list of (ndarray, ndarray)
        For each original, the responses of the initial and of the refined space's subnetworks: independent draws, and
        none that had a part in choosing the refinement.
    k : int
        Draws of the initial space to match; lowered to a quarter of its smallest population.
    level : float
    name : str
        What the sentence calls the refined space.

    Returns
    -------
    Saving

    Raises
    ------
    InputError
        For fewer than `LEAST_SETS` subnetworks of the initial space or two of the refined in an original, or k below 1.

    Notes
    -----
    Estimand: k / m, where m solves E min(m refined) = E min(k initial), averaged over originals with weights in
    proportion to their subnetworks; between whole numbers of draws the curve is a straight line in log m. The estimate
    puts the unbiased curves of `best_of` in. The interval inverts the test of equality at each m, in the manner of
    Fieller: it ends where the difference of the two expected bests is as large as Student's t times its jackknife
    standard error, with Satterthwaite's degrees of freedom from n / m - 1 and n / k - 1. It needs no resampling, and is
    open at the end where the data do not say. Simulated coverage is in docs/methods/refinement.md.

    References
    ----------
    E. C. Fieller, J. Roy. Statist. Soc. B 16 (1954), 175-185: the set of values that a test does not reject;
    F. E. Satterthwaite, Biometrics Bulletin 2 (1946), 110-114, eq. 17.

    Examples
    --------
    >>> values = np.linspace(0.1, 0.3, 400)
    >>> found = compute_saved([(values, values[:100])], k=10)
    >>> round(found.draws.value, 1), found.saves
    (1.8, True)
    """
    check_level(level)
    size = _matched(pairs, k)
    most = min(refined.size for _, refined in pairs) // 2
    draws = np.arange(1, most + 1)
    gap, error, df, target = _gap(pairs, size, draws)
    half = stats.t.isf((1 - level) / 2, df) * error
    value, least, worst = (_crossing(draws, curve) for curve in (gap, gap - half, gap + half))
    least, worst = min(least, value), max(worst, value)
    # a curve that is still above at its last draw says that more are needed, and no more than that
    fewest = float(most) if np.isinf(least) else least
    interval = Interval(value, fewest, worst, float(level))
    factor = Interval(size / value, size / worst, size / fewest, float(level))
    return Saving(
        size, target, interval, factor, most, bool(np.isfinite(value)), _words(size, interval, factor, most, name)
    )


def _matched(pairs: list[tuple[Floats, Floats]], k: int) -> int:
    if k < 1 or k != int(k):
        raise InputError(f"k must be a whole number of draws, 1 or more; found {k:g}")
    initial = min((one.size for one, _ in pairs), default=0)
    refined = min((other.size for _, other in pairs), default=0)
    if initial < LEAST_SETS or refined < 2:
        raise InputError(
            f"saved draws need {LEAST_SETS} subnetworks of the initial and two of the refined space in every original; "
            f"found {initial} and {refined}: run more of the study"
        )
    return min(int(k), initial // LEAST_SETS)


def _gap(pairs: list[tuple[Floats, Floats]], k: int, draws: Counts) -> tuple[Floats, Floats, Floats, float]:
    """Refined best of each number of draws less initial best of k, its error and degrees of freedom, and the target."""
    total = sum(one.size + other.size for one, other in pairs)
    gap, variance, spread = np.zeros(draws.size), np.zeros(draws.size), np.zeros(draws.size)
    target = 0.0
    for one, other in pairs:
        weight = (one.size + other.size) / total
        best, best_error = least_of(np.sort(one), np.array([k]))
        curve, error = least_of(np.sort(other), draws)
        gap += weight * (curve - best[0])
        target += weight * float(best[0])
        for part, sets in (((weight * best_error[0]) ** 2, one.size / k), ((weight * error) ** 2, other.size / draws)):
            variance += part
            spread += part**2 / np.maximum(sets - 1, 1)
    df = np.where(spread > 0, variance**2 / np.where(spread > 0, spread, 1.0), 1.0)
    return gap, np.sqrt(variance), df, target


def _crossing(draws: Counts, curve: Floats) -> float:
    """First number of draws at which the curve is no longer above zero, on straight lines in log draws."""
    below = np.flatnonzero(curve <= 0)
    if below.size == 0:
        return float("inf")
    last = int(below[0])
    if last == 0:
        return 1.0
    before, after = float(curve[last - 1]), float(curve[last])
    step = before / (before - after)
    return float(np.exp(np.log(draws[last - 1]) + step * np.log(draws[last] / draws[last - 1])))


def _words(k: int, draws: Interval, factor: Interval, most: int, name: str) -> str:
    start = f"The expected best of {k} subnetworks of the initial space"
    if np.isinf(draws.value):
        return (
            f"{start} is not reached by the curve of {name}, known up to {most} draws: it saves nothing that "
            f"these data show, and at most a factor of {factor.high:.3g}."
        )
    took = "1 draw" if draws.value == 1 else f"{draws.value:.3g} draws"
    bound = f"{draws.low:.3g} to {draws.high:.3g}" if np.isfinite(draws.high) else f"{draws.low:.3g} or more"
    times = f"{factor.value:.3g} times fewer [{factor.low:.3g}, {factor.high:.3g}]"
    claim = "" if factor.low > 1 else " As the interval holds 1, no saving is claimed."
    first = " It is reached by the first draw already, so the factor can be no larger." if draws.value == 1 else ""
    return f"{start} is the expected best of {took} [{bound}] of {name}: {times}.{first}{claim}"
