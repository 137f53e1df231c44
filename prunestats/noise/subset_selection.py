"""Subset selection: the subnetworks that training seeds cannot exclude from being the best."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from prunestats.numeric.arrays import Floats

_Z = np.linspace(-8.0, 8.0, 401)
"""Grid of a standard normal variable: its density beyond 8 is below 1e-14; steps of 0.04 leave errors below 1e-9."""
_SCALE_NODES = 96
"""Gauss-Legendre nodes over the quantiles of the estimated standard deviation: critical values agree with scipy's
multivariate t distribution to three digits from 1 degree of freedom on (tested)."""
_KNOWN = 100_000
"""Degrees of freedom from which the standard deviation counts as known: it then changes no critical value by 1e-4."""


def best_subset(means: Floats, n_seeds: Floats, variance: float, df: int, level: float) -> NDArray[np.bool_]:
    """Gupta's subset selection: the candidates that contain the one of least true mean with probability `level`.

    Parameters
    ----------
    means : ndarray, shape (k,)
        Mean response of each candidate over its seeds; lower is better.
    n_seeds : ndarray, shape (k,)
        Number of seeds of each.
    variance : float
        Variance between seeds of one candidate, pooled over all.
    df : int
        Its degrees of freedom, 1 or more.
    level : float
        Confidence level, in (0, 1).

    Returns
    -------
    ndarray of bool, shape (k,)
        True for candidates that are not significantly worse than any other.

    Notes
    -----
    A candidate is excluded where its mean exceeds that of another by more than Dunnett's one-sided critical value, with
    itself as the control, times the standard error of the difference. For equal numbers of seeds this is Gupta's rule,
    and the set that Hsu's multiple comparisons with the best keep as possibly best. Runs are assumed normal around
    their subnetwork's mean, independent, and of equal variance.

    References
    ----------
    S. S. Gupta, Technometrics 7 (1965), 225-245. J. C. Hsu, Ann. Statist. 12 (1984), 1136-1144. C. W. Dunnett, J. Amer.
    Statist. Assoc. 50 (1955), 1096-1121.

    Examples
    --------
    >>> best_subset(np.array([0.10, 0.11, 0.20]), np.full(3, 2.0), 0.01**2, 3, 0.95).tolist()
    [True, True, False]
    """
    sizes, counts = np.unique(n_seeds, return_counts=True)
    least = np.array([means[n_seeds == size].min() for size in sizes])
    kept = np.ones(means.size, dtype=bool)
    for size in sizes:
        others = counts - (sizes == size)
        if others.sum() == 0:
            continue
        mine = n_seeds == size
        point = dunnett_point(float(size), tuple(sizes.tolist()), tuple(others.tolist()), df, level)
        allowed = point * np.sqrt(variance * (1 / size + 1 / sizes))
        kept[mine] = (means[mine][:, None] <= (least + allowed)).all(axis=1)
    return kept


@lru_cache(maxsize=128)
def dunnett_point(size: float, sizes: tuple[float, ...], counts: tuple[int, ...], df: int, level: float) -> float:
    """One-sided critical value of Dunnett's test of a control with `size` seeds against groups of other sizes.

    Parameters
    ----------
    size : float
        Seeds of the control.
    sizes, counts : tuple
        Distinct numbers of seeds of the other groups, and how many groups have each.
    df : int
        Degrees of freedom of the variance.
    level : float
        Joint confidence level, in (0, 1).

    Examples
    --------
    >>> round(dunnett_point(1.0, (1.0,), (2,), 10, 0.95), 2)  # Dunnett's table 1a
    2.15
    """
    nodes, weights = np.polynomial.legendre.leggauss(_SCALE_NODES)
    scale, weight = np.ones(1), np.ones(1)
    if df < _KNOWN:
        scale, weight = np.sqrt(stats.chi2.ppf((nodes + 1) / 2, df) / df), weights / 2
    density = stats.norm.pdf(_Z) * (_Z[1] - _Z[0])
    ratio = np.sqrt(np.array(sizes) / size)

    def excess(point: float) -> float:
        # given the control's error z and the scale s, the groups are independent
        bound = point * scale[:, None, None] * np.sqrt(1 + ratio**2) - _Z[:, None] * ratio
        inside = np.exp((np.array(counts) * stats.norm.logcdf(bound)).sum(axis=2))
        return float(weight @ (inside @ density)) - level

    high = 4.0
    while excess(high) < 0:
        high *= 2
    return float(optimize.brentq(excess, -high, high, xtol=1e-6))
