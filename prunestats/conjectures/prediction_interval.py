"""Where the true value of a new group is expected after a random-effects meta-regression."""

from __future__ import annotations

import numpy as np
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval

_POINTS = 4096
_TAUS = 120
# the steps of the additive recurrence that fills a cube evenly: powers of the root of x^4 = x + 1
_STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)


def predict_new(y: Floats, v: Floats, design: Floats, row: Floats, *, level: float, more: float = 0.0) -> Interval:
    """Return the interval that holds the true value of a new group with a given row of moderators.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Estimates and their variances, each of its own group.
    design : ndarray, shape (k, p)
    row : ndarray, shape (p,)
    level : float
    more : float
        Variance that the true value has besides tau2, taken as known.

    Returns
    -------
    Interval
        Its value is the mean of the distribution.

    Notes
    -----
    tau2 is not taken as known: the law of Cochran's Q at the true tau2, chi-squared with k - p degrees of freedom,
    turned round, gives it a confidence distribution. The new value is mean + tau z + error of the mean, over that
    distribution, at 4,096 evenly spaced points of the cube instead of random draws. With the estimate of tau2 taken as
    known, the interval is too short where tau is near the standard errors: see docs/methods/meta.md.

    References
    ----------
    K. Nagashima, H. Noma and T. A. Furukawa, Statist. Methods Med. Res. 28 (2019), 1689-1702, section 3. M. Roberts,
    The unreasonable effectiveness of quasirandom sequences (2018), for the points.

    Examples
    --------
    >>> y = np.array([1.0, 1.4, 0.8, 1.2])
    >>> print(predict_new(y, np.full(4, 0.01), np.ones((4, 1)), np.ones(1), level=0.95))
    1.081 [0.1487, 1.952]
    """
    k, p = design.shape
    u = (0.5 + np.outer(np.arange(1, _POINTS + 1), _STEPS)) % 1
    taus = np.r_[0.0, np.geomspace(1e-4 * v.min(), _largest(y, v, design), _TAUS)]
    fits = [_at(y, v + tau2, design, row) for tau2 in taus]
    q, mean, error = (np.array(part) for part in zip(*fits, strict=True))
    tau2 = np.interp(-stats.chi2.ppf(u[:, 0], k - p), -q, taus)
    spread = np.sqrt(tau2 + more) * stats.norm.ppf(u[:, 1]) + np.interp(tau2, taus, error) * stats.t.ppf(u[:, 2], k - p)
    values = np.interp(tau2, taus, mean) + spread
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), level)


def _largest(y: Floats, v: Floats, design: Floats) -> float:
    """Return a tau2 beyond all that the confidence distribution gives weight to."""
    df = design.shape[0] - design.shape[1]
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(residuals @ residuals) / float(stats.chi2.ppf(0.5 / _POINTS, df)) + float(v.max())


def _at(y: Floats, variance: Floats, design: Floats, row: Floats) -> tuple[float, float, float]:
    """Return Q, the mean at `row` and its Knapp-Hartung standard error where all variances are known."""
    root = 1 / np.sqrt(variance)
    weighted = root[:, None] * design
    inverse = np.linalg.inv(weighted.T @ weighted)
    b = inverse @ weighted.T @ (root * y)
    q = float(((root * (y - design @ b)) ** 2).sum())
    return q, float(row @ b), float(np.sqrt(q / (design.shape[0] - design.shape[1]) * (row @ inverse @ row)))
