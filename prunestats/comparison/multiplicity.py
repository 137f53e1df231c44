"""Many comparisons at once: adjusted p-values, and intervals that hold together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval
from prunestats.numeric.welch import Parts, satterthwaite

_DRAWS = 10_000


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values so that all rejections at a level are right together with that probability.

    Parameters
    ----------
    p : array_like, shape (m,)

    Returns
    -------
    ndarray, shape (m,)
        In the order of `p`.

    Notes
    -----
    Holds whatever the dependence between the tests.

    References
    ----------
    S. Holm, Scand. J. Statist. 6 (1979), 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.02]).tolist()
    [0.03, 0.04, 0.04]
    """
    given = np.asarray(p, dtype=float)
    order = np.argsort(given, kind="stable")
    steps = (given.size - np.arange(given.size)) * given[order]
    adjusted = np.empty(given.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


@dataclass(frozen=True)
class Contrast:
    """A difference of means as a sum over cells, whose means are independent.

    Parameters
    ----------
    value : float
    cells : tuple of int
        Which cells it sums.
    weights : tuple of float
        Their weights in the sum, negative for b.
    parts : list of (float, float)
        Variance of each weighted mean, and its degrees of freedom.
    """

    value: float
    cells: tuple[int, ...]
    weights: tuple[float, ...]
    parts: Parts


def simultaneous_intervals(contrasts: Sequence[Contrast], *, level: float, rng: np.random.Generator) -> list[Interval]:
    """Intervals of differences of means that all hold together with probability `level` (max-T).

    Parameters
    ----------
    contrasts : sequence of Contrast
    level : float
    rng : numpy.random.Generator

    Notes
    -----
    The critical value is the quantile of the largest |T| over all contrasts, in 10,000 draws in which every cell's mean
    is drawn once and shared by all contrasts that it enters. Given the data, the Gaussian multiplier bootstrap of a
    mean is normal with the mean's estimated variance, so a cell takes one draw and not one a subnetwork. The tail that
    a normal has beyond it is then passed to Student's t with each contrast's own degrees of freedom.

    References
    ----------
    V. Chernozhukov, D. Chetverikov and K. Kato, Ann. Statist. 41 (2013), 2786-2819: the multiplier bootstrap of a
    maximum. T. Hothorn, F. Bretz and P. Westfall, Biometrical J. 50 (2008), 346-363: simultaneous intervals.

    Examples
    --------
    >>> parts = [(0.5, 1000.0), (0.5, 1000.0)]
    >>> pairs = [Contrast(0.0, pair, (1.0, -1.0), parts) for pair in ((0, 1), (0, 2), (1, 2))]
    >>> found = simultaneous_intervals(pairs, level=0.95, rng=np.random.default_rng(0))
    >>> round(found[0].high, 1)  # Tukey's is 2.3
    2.3
    """
    normal = rng.standard_normal((1 + max(cell for c in contrasts for cell in c.cells), _DRAWS))
    largest = np.zeros(_DRAWS)
    for c in contrasts:
        error = np.sqrt(sum(part for part, _ in c.parts))
        if error > 0:
            scaled = sum(
                np.sign(weight) * np.sqrt(part) / error * normal[cell]
                for cell, weight, (part, _) in zip(c.cells, c.weights, c.parts, strict=True)
            )
            np.maximum(largest, np.abs(scaled), out=largest)
    tail = float(stats.norm.sf(np.quantile(largest, level)))
    return [_interval(c, tail, level) for c in contrasts]


def _interval(c: Contrast, tail: float, level: float) -> Interval:
    variance = sum(part for part, _ in c.parts)
    if variance <= 0:
        return Interval(c.value, c.value, c.value, level)
    half = float(stats.t.isf(tail, satterthwaite(c.parts)) * np.sqrt(variance))
    return Interval(c.value, c.value - half, c.value + half, level)
