"""Nagashima's prediction interval for a new group after a random-effects meta-regression."""

from __future__ import annotations

import numpy as np
from scipy import stats

from prunestats.conjectures.meta_regression import known_variances
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval

_POINTS = 4096
"""Quasi-random points in place of Monte Carlo draws. More points cost time in proportion and sharpen the 2.5 %
quantile, below which about 100 points lie."""

_GRID = 120
"""Values of tau2, on a geometric grid, at which the line is refitted; between them results are interpolated linearly.
More values cost time in proportion and sharpen the interpolation."""

# steps of the R3 sequence, an additive recurrence that fills the unit cube evenly: inverse powers of the root of
# x^4 = x + 1
_STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)


def predict_new(
    y: Floats, v: Floats, design: Floats, row: Floats, *, level: float, extra_variance: float = 0.0
) -> Interval:
    """Nagashima's prediction interval for the true value of a new group at a given row of moderators.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Estimates and their variances, each of its own group.
    design : ndarray, shape (k, p)
    row : ndarray, shape (p,)
    level : float
    extra_variance : float
        Variance of the true value in addition to tau2, taken as known.

    Returns
    -------
    Interval
        Its value is the mean of the predictive distribution.

    Notes
    -----
    The uncertainty of tau2 is allowed for by a confidence distribution: the distribution of Cochran's Q at the true
    tau2, chi-squared with k - p degrees of freedom, is inverted. The new value is mean + tau z + error of the mean over
    that distribution, evaluated at 4,096 quasi-random points, so that the result needs no seed. Plugging in the
    estimate of tau2 makes the interval too short where tau is close to the standard errors: see docs/methods/meta.md.

    References
    ----------
    K. Nagashima, H. Noma and T. A. Furukawa, Statist. Methods Med. Res. 28 (2019), 1689-1702, section 3. M. Roberts,
    The unreasonable effectiveness of quasirandom sequences (2018): the R3 sequence.

    Examples
    --------
    >>> y = np.array([1.0, 1.4, 0.8, 1.2])
    >>> print(predict_new(y, np.full(4, 0.01), np.ones((4, 1)), np.ones(1), level=0.95))
    1.081 [0.1487, 1.952]
    """
    k, p = design.shape
    u = (0.5 + np.outer(np.arange(1, _POINTS + 1), _STEPS)) % 1
    # the grid starts where tau2 is negligible against every sampling variance
    taus = np.r_[0.0, np.geomspace(1e-4 * v.min(), _largest_tau2(y, v, design), _GRID)]
    fits = [_knapp_hartung(y, v + tau2, design, row) for tau2 in taus]
    q, mean, error = (np.array(part) for part in zip(*fits, strict=True))
    tau2 = np.interp(-stats.chi2.ppf(u[:, 0], k - p), -q, taus)
    new_effect = np.sqrt(tau2 + extra_variance) * stats.norm.ppf(u[:, 1])
    error_of_mean = np.interp(tau2, taus, error) * stats.t.ppf(u[:, 2], k - p)
    values = np.interp(tau2, taus, mean) + (new_effect + error_of_mean)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), level)


def _largest_tau2(y: Floats, v: Floats, design: Floats) -> float:
    """An upper bound of tau2 at the most extreme of the quasi-random points."""
    df = design.shape[0] - design.shape[1]
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(residuals @ residuals) / float(stats.chi2.ppf(0.5 / _POINTS, df)) + float(v.max())


def _knapp_hartung(y: Floats, variance: Floats, design: Floats, row: Floats) -> tuple[float, float, float]:
    """Cochran's Q, the mean at `row` and its Knapp-Hartung standard error where all variances are known."""
    fit = known_variances(y, variance, design)
    return float(fit.ssr), float(row @ fit.params), float(np.sqrt(row @ fit.cov_params() @ row))
