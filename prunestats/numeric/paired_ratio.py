"""Median of paired ratios with its interval by order statistics: the arithmetic of a measured speed-up."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval, check_level


def median_ratio(numerator: ArrayLike, denominator: ArrayLike, level: float = 0.95) -> Interval:
    """Median of the ratios of pairs, with its interval by order statistics.

    Parameters
    ----------
    numerator, denominator : array_like, shape (n,)
        Positive, pair by pair: milliseconds of the dense and of the pruned network in one round.
    level : float
        Confidence level, in (0, 1).

    Returns
    -------
    Interval
        Its bounds are infinite (0 below, as ratios are positive) with too few pairs: fewer than 6 at a level of 0.95.

    Raises
    ------
    InputError
        For no pairs, different lengths, or values that are not positive and finite.

    Notes
    -----
    Estimand: the median of the distribution of the ratio of one round. The bounds are the order statistics k and
    n + 1 - k with the largest k for which P(Binomial(n, 1/2) < k) is at most (1 - level) / 2 [1]_. The coverage is at
    least `level` for independent rounds, whatever their distribution: outliers of a machine that does other work need
    no model. Load that lasts several rounds slows both members of a pair, so it cancels in the ratio; what is left of
    it makes rounds dependent, and the coverage lower.

    References
    ----------
    .. [1] W. R. Thompson, On confidence ranges for the median, Ann. Math. Statist. 7 (1936), 122-128; H. A. David and
       H. N. Nagaraja, Order Statistics, 3rd edition (2003), equation 7.1.2.

    Examples
    --------
    >>> print(median_ratio([2.0, 4.2, 6.3, 8.0, 10.0, 12.6, 14.7, 16.0], [1, 2, 3, 4, 5, 6, 7, 8]))
    2.05 [2, 2.1]
    """
    check_level(level)
    above, below = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if above.shape != below.shape or above.ndim != 1 or above.size == 0:
        raise InputError(f"pairs need two rows of equal length; found {above.shape} and {below.shape}")
    if not (np.isfinite([above, below]).all() and (above > 0).all() and (below > 0).all()):
        raise InputError("pairs must be positive and finite; found others: check the unit and the clock")
    ratios = np.sort(above / below)
    k = int(stats.binom.ppf((1 - level) / 2, ratios.size, 0.5))
    if stats.binom.cdf(k - 1, ratios.size, 0.5) > (1 - level) / 2:
        k -= 1
    low, high = (ratios[k - 1], ratios[-k]) if k > 0 else (0.0, np.inf)
    return Interval(float(np.median(ratios)), float(low), float(high), level)
