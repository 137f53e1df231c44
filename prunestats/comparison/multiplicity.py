"""Multiple comparisons: Holm-adjusted p-values and simultaneous (max-T) confidence intervals."""

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
"""Draws of the max-T distribution: its 95 % quantile is then known to about 1 %, far within the sampling error."""


def holm(p: ArrayLike) -> Floats:
    """Holm-adjusted p-values, which control the family-wise error rate.

    Parameters
    ----------
    p : array_like, shape (m,)
        P-values of one family, m of 1 or more.

    Returns
    -------
    ndarray, shape (m,)
        In the order of `p`.

    Notes
    -----
    Computed by `statsmodels.stats.multitest.multipletests`. Valid under any dependence between the tests.

    References
    ----------
    S. Holm, Scand. J. Statist. 6 (1979), 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.02]).tolist()
    [0.03, 0.04, 0.04]
    """
    # imported here: statsmodels takes a quarter of a second to load, and only `compare` needs it
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(np.asarray(p, dtype=float), method="holm")[1], dtype=float)


@dataclass(frozen=True)
class Contrast:
    """A difference of means as a linear contrast of the means of cells, which are independent.

    Parameters
    ----------
    value : float
        The estimate.
    cells : tuple of int
        Indices of the cells in the contrast.
    weights : tuple of float
        Their coefficients, negative for b.
    parts : list of (float, float)
        Variance of each weighted mean, and its degrees of freedom.
    """

    value: float
    cells: tuple[int, ...]
    weights: tuple[float, ...]
    parts: Parts


def simultaneous_intervals(contrasts: Sequence[Contrast], *, level: float, rng: np.random.Generator) -> list[Interval]:
    """Simultaneous confidence intervals of differences of means (max-T, Gaussian multiplier bootstrap).

    Parameters
    ----------
    contrasts : sequence of Contrast
    level : float
        Probability that all intervals cover at once, in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    list of Interval
        In the order of `contrasts`.

    Notes
    -----
    The critical value is the quantile of the largest |T| over all contrasts, in 10,000 draws; in each, the mean of a
    cell is drawn once and shared by all contrasts that contain it. Given the data, the Gaussian multiplier bootstrap of
    a mean is normal with the mean's estimated variance, so a cell takes one draw instead of one per subnetwork. The
    normal tail probability of the critical value is then used in Student's t with each contrast's own degrees of
    freedom.

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
