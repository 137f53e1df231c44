"""Lind and Mehlum's test: a quadratic falls at the low end of the sampled range and rises at the high end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.optimum.quadratic import Quadratic


@dataclass(frozen=True)
class LindMehlum:
    """Slopes of the quadratic at the ends of the sampled range, and the test of a U.

    Parameters
    ----------
    slope_low, slope_high : float
        Response per unit of log ratio, at the smallest and at the largest ratio.
    t_low, t_high : float
        t statistics of the slopes.
    p_low, p_high : float
        One-sided p-values of a negative slope at the low end and of a positive one at the high end; of the opposite
        signs, an inverted U, where higher values of the response are better.
    p : float
        The larger of both; null hypothesis: the quadratic is monotone or an inverted U on the range.
    """

    slope_low: float
    slope_high: float
    t_low: float
    t_high: float
    p_low: float
    p_high: float
    p: float


def lind_mehlum(quadratic: Quadratic, x_low: float, x_high: float) -> LindMehlum:
    """Test of a U under the assumption that the mean response is a quadratic in log ratio.

    Parameters
    ----------
    quadratic : Quadratic
    x_low, x_high : float
        Ends of the sampled range of log ratios.

    Returns
    -------
    LindMehlum

    Notes
    -----
    An intersection-union test: each end is tested at the full significance level. It assumes the quadratic: where the
    mean response is monotone but curved, it finds a U nearly always. So it is reported beside the two-lines test and
    does not enter the verdict.

    References
    ----------
    J. T. Lind and H. Mehlum, Oxford Bull. Econ. Statist. 72 (2010), 109-118.

    Examples
    --------
    >>> from prunestats.optimum.quadratic import fit_quadratic
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 40)
    >>> lind_mehlum(fit_quadratic(points(x, x**2 + 0.1 * np.sin(50 * x))), -1.0, 1.0).p < 0.001
    True
    """
    slopes, errors = [], []
    for x in (x_low, x_high):
        row = np.array([0.0, 1.0, 2 * (x - quadratic.x_center)])
        slopes.append(float(row @ quadratic.coefficients))
        errors.append(float(np.sqrt(row @ quadratic.covariance @ row)))
    t_low, t_high = (slope / error if error > 0 else 0.0 for slope, error in zip(slopes, errors, strict=True))
    p_low, p_high = float(stats.t.cdf(t_low, quadratic.df)), float(stats.t.sf(t_high, quadratic.df))
    return LindMehlum(slopes[0], slopes[1], t_low, t_high, p_low, p_high, max(p_low, p_high))
