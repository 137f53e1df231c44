"""Correlation coefficients with their confidence intervals."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval, check_level

LEAST_PAIRS = 4
"""Fewest pairs for an interval: the variance of Fisher's z is 1 / (n - 3), which needs n above 3."""


def correlation(
    x: ArrayLike, y: ArrayLike, *, method: Literal["spearman", "pearson"] = "spearman", level: float = 0.95
) -> Interval:
    """Correlation coefficient with its interval by Fisher's z.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite values, pair by pair.
    method : {"spearman", "pearson"}
        Of ranks, for any monotone association; or of the values, for a linear one.
    level : float
        Confidence level, in (0, 1).

    Returns
    -------
    Interval
        With bounds -1 and 1 for fewer than four pairs; nan where a variable has one value only.

    Raises
    ------
    InputError
        For rows of different lengths, values that are not finite, or another method.

    Notes
    -----
    Estimand: the coefficient in the population that the pairs are an independent sample of. atanh(r) is approximately
    normal with variance 1 / (n - 3) for Pearson's r of bivariate normal values [1]_, and (1 + r^2 / 2) / (n - 3) for
    Spearman's [2]_.

    References
    ----------
    .. [1] R. A. Fisher, On the "probable error" of a coefficient of correlation, Metron 1 (1921), 3-32.
    .. [2] D. G. Bonett and T. A. Wright, Sample size requirements for estimating Pearson, Kendall and Spearman
       correlations, Psychometrika 65 (2000), 23-28, equation 4.

    Examples
    --------
    >>> print(correlation([1, 2, 3, 4, 5, 6], [1, 3, 2, 4, 6, 5]))
    0.8857 [0.06639, 0.9916]
    """
    check_level(level)
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or not np.isfinite([a, b]).all():
        raise InputError(f"pairs need two rows of finite values of equal length; found {a.shape} and {b.shape}")
    if method not in ("spearman", "pearson"):
        raise InputError(f"method must be spearman or pearson; found {method!r}: choose one of these")
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return Interval(np.nan, -1.0, 1.0, level)
    if method == "spearman":
        a, b = stats.rankdata(a), stats.rankdata(b)
    # rounding can carry a perfect correlation above 1
    r = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    if a.size < LEAST_PAIRS:
        return Interval(r, -1.0, 1.0, level)
    variance = (1 + r**2 / 2 if method == "spearman" else 1.0) / (a.size - 3)
    half = float(stats.norm.isf((1 - level) / 2) * np.sqrt(variance))
    with np.errstate(divide="ignore"):
        z = np.arctanh(r)
    return Interval(r, float(np.tanh(z - half)), float(np.tanh(z + half)), level)
