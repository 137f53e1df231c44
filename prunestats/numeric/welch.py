"""Welch-Satterthwaite t intervals for a sum of independent variance estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from prunestats.numeric.intervals import Interval

Parts = Sequence[tuple[float, float]]
"""Independent variance estimates, each with its degrees of freedom."""


def satterthwaite(parts: Parts) -> float:
    """Welch-Satterthwaite effective degrees of freedom of a sum of variance estimates.

    References
    ----------
    Satterthwaite, Biometrics Bulletin 2 (1946), 110-114. Welch, Biometrika 34 (1947), 28-35.

    Examples
    --------
    >>> satterthwaite([(1.0, 5), (1.0, 5)])
    10.0
    """
    total = sum(part for part, _ in parts)
    return float(total**2 / sum(part**2 / df for part, df in parts if part > 0))


def t_interval(value: float, parts: Parts, level: float) -> Interval:
    """Two-sided t interval of `value`, whose variance is the sum of `parts`; `value` alone where that sum is zero."""
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return Interval(value, value, value, level)
    half = float(stats.t.ppf((1 + level) / 2, satterthwaite(parts)) * np.sqrt(variance))
    return Interval(value, value - half, value + half, level)
