"""Sample saving of a refined space: how many fewer subnetworks give an equal expected best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.distribution.best_of_k import sign_of
from prunestats.errors import InputError
from prunestats.metric import Direction
from prunestats.numeric.arrays import Counts, Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.order_statistics import least_of
from prunestats.numeric.plain_data import Result

LEAST_SETS = 4
"""Fewest disjoint sets of k subnetworks in a population whose expected best of k is a target: its variance then has at
least three degrees of freedom. Coverage was simulated at this number (docs/methods/refinement.md, k = n / 4)."""


@dataclass(frozen=True)
class Saving(Result):
    """Sample size of a refined space with the same expected best as k subnetworks of the initial one.

    Parameters
    ----------
    k : int
        Sample size from the initial space.
    target : float
        Its expected best, averaged over originals.
    draws : Interval
        Sample size from the refined space with the same expected best; inf where the target was not reached.
    factor : Interval
        k / `draws`, how many times fewer; 0 where the target was not reached.
    most_draws : int
        Largest sample size of the refined space's estimated curve: half of its smallest population.
    reached : bool
        Whether the refined space's estimated curve reaches the target within `most_draws`; otherwise `draws` is
        right-censored.
    words : str
        The finding as a sentence, with its censoring.
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
        """Whether the confidence interval of the factor lies above 1: significantly fewer samples."""
        return self.factor.low > 1


def compute_saved(
    pairs: list[tuple[Floats, Floats]],
    *,
    k: int = 100,
    level: float = 0.95,
    name: str = "the refined space",
    direction: Direction = "minimize",
) -> Saving:
    """Ratio of the sample sizes that two spaces need for an equal expected best, with its confidence interval.

    Parameters
    ----------
    pairs : list of (ndarray, ndarray)
        For each original, the responses of the subnetworks of the initial and of the refined space: independent
        samples, without any subnetwork that had a part in finding the refinement.
    k : int
        Sample size of the initial space to match; lowered to a quarter of its smallest population.
    level : float
    name : str
        Name of the refined space in the sentence.
    direction : {"minimize", "maximize"}
        Whether lower or higher responses are better.

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
    proportion to their subnetworks; between integers the curve is interpolated linearly in log m. Estimate: plug-in of
    the unbiased curves of `best_of`. Interval: Fieller's inversion of the test of equality at each m; its bounds are
    where the difference of the two expected bests equals Student's t times its jackknife standard error, with
    Satterthwaite's degrees of freedom from n / m - 1 and n / k - 1. It needs no resampling; a bound that the data do
    not determine is infinite. Assumption: independent subnetworks. Simulated coverage: docs/methods/refinement.md.

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
    size = _target_size(pairs, k)
    most = min(refined.size for _, refined in pairs) // 2
    draws = np.arange(1, most + 1)
    sign = sign_of(direction)
    difference, error, df, target = _difference_of_bests(
        [(sign * one, sign * other) for one, other in pairs], size, draws
    )
    half = stats.t.isf((1 - level) / 2, df) * error
    value, least, worst = (
        _first_crossing(draws, curve) for curve in (difference, difference - half, difference + half)
    )
    least, worst = min(least, value), max(worst, value)
    # a curve above the target at its last sample size only bounds the required size from below: right-censoring
    fewest = float(most) if np.isinf(least) else least
    interval = Interval(value, fewest, worst, float(level))
    factor = Interval(size / value, size / worst, size / fewest, float(level))
    return Saving(
        size,
        sign * target,
        interval,
        factor,
        most,
        bool(np.isfinite(value)),
        _words(size, interval, factor, most, name),
    )


def _target_size(pairs: list[tuple[Floats, Floats]], k: int) -> int:
    if k < 1 or k != int(k):
        raise InputError(f"k must be a whole number of subnetworks, 1 or more; found {k:g}: 100 is usual")
    initial = min((one.size for one, _ in pairs), default=0)
    refined = min((other.size for _, other in pairs), default=0)
    if initial < LEAST_SETS or refined < 2:
        raise InputError(
            f"a sample saving needs {LEAST_SETS} subnetworks of the initial and two of the refined space in every "
            f"original; found {initial} and {refined}: run more of the study"
        )
    return min(int(k), initial // LEAST_SETS)


def _difference_of_bests(
    pairs: list[tuple[Floats, Floats]], k: int, draws: Counts
) -> tuple[Floats, Floats, Floats, float]:
    """Refined best of each sample size less initial best of k, standard error, degrees of freedom, and the target."""
    total = sum(one.size + other.size for one, other in pairs)
    difference, variance, denominator = np.zeros(draws.size), np.zeros(draws.size), np.zeros(draws.size)
    target = 0.0
    for one, other in pairs:
        weight = (one.size + other.size) / total
        best, best_error = least_of(np.sort(one), np.array([k]))
        curve, error = least_of(np.sort(other), draws)
        difference += weight * (curve - best[0])
        target += weight * float(best[0])
        for part, sets in (((weight * best_error[0]) ** 2, one.size / k), ((weight * error) ** 2, other.size / draws)):
            variance += part
            denominator += part**2 / np.maximum(sets - 1, 1)
    # Satterthwaite; without any variance the degrees of freedom have no effect
    df = np.where(denominator > 0, variance**2 / np.where(denominator > 0, denominator, 1.0), 1.0)
    return difference, np.sqrt(variance), df, target


def _first_crossing(draws: Counts, curve: Floats) -> float:
    """First sample size at which the curve is not above zero, interpolated linearly in log sample size."""
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
            f"{start} is not reached by {name} with up to {most} subnetworks, the largest sample size that can be "
            f"estimated: no saving is found, and it is at most a factor of {factor.high:.3g}."
        )
    needed = "1 subnetwork" if draws.value == 1 else f"{draws.value:.3g} subnetworks"
    bound = f"{draws.low:.3g} to {draws.high:.3g}" if np.isfinite(draws.high) else f"{draws.low:.3g} or more"
    times = f"{factor.value:.3g} times fewer [{factor.low:.3g}, {factor.high:.3g}]"
    claim = "" if factor.low > 1 else " As the interval is not above 1, no saving is claimed."
    first = " A single subnetwork reaches it, so the factor cannot be larger." if draws.value == 1 else ""
    return f"{start} equals that of {needed} [{bound}] of {name}: {times}.{first}{claim}"
