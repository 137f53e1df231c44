"""The minimum of a cubic, a bound of the asymmetry that a quadratic may hide."""

from __future__ import annotations

import numpy as np
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval
from prunestats.optimum.regression import Points, full_rank, least_squares


def cubic_optimum(data: Points, *, level: float = 0.95) -> Interval | None:
    """Estimate the ratio with the least mean response by a cubic in log ratio, with a confidence set.

    Parameters
    ----------
    data : Points
    level : float

    Returns
    -------
    Interval or None
        On the ratio scale: the minimum of the fitted cubic in the sampled range, and the ratios around it at which its
        slope is not significantly different from zero, up to the ends of the range. None with too few distinct ratios.

    Notes
    -----
    Estimand: the ratio in the sampled range at which the best cubic approximation of E(response | ratio) is least. The
    set inverts the t test, with HC3, that the cubic's slope b1 + 2 b2 u + 3 b3 u^2 is zero at u, as Fieller's set does
    for a quadratic: its bounds are roots of a quartic, or the ends of the sampled range. Where the fitted cubic is
    least at an end and its slope there is significant, the set is that end.

    References
    ----------
    E. C. Fieller, J. Roy. Statist. Soc. B 16 (1954), 175-185: confidence set by inversion of a test.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 80)
    >>> 1.0 in cubic_optimum(points(x, np.exp(x) - x + 0.05 * np.cos(90 * x)))
    True
    """
    center = float(data.x.mean())
    u = data.x - center
    design = data.design(u, u**2, u**3)
    # with a single residual degree of freedom HC3 and the t test are meaningless
    if not full_rank(design) or design.shape[0] <= design.shape[1] + 1:
        return None
    fit = least_squares(design, data.target)
    b, v = fit.coefficients[:4], fit.covariance[:4, :4]
    slope = np.polynomial.Polynomial([b[1], 2 * b[2], 3 * b[3]])
    bounds = (float(u.min()), float(u.max()))
    best = min([*bounds, *_real_roots(slope, *bounds)], key=np.polynomial.Polynomial(b))
    critical = float(stats.t.ppf((1 + level) / 2, fit.df))
    excess = slope**2 - critical**2 * _slope_variance(v)
    low, high = best, best
    if excess(best) <= 0:
        roots = _real_roots(excess, *bounds)
        low = max((root for root in roots if root < best), default=bounds[0])
        high = min((root for root in roots if root > best), default=bounds[1])
    ratio, first, last = (float(np.exp(center + at)) for at in (best, low, high))
    return Interval(ratio, first, last, float(level))


def _slope_variance(covariance: Floats) -> np.polynomial.Polynomial:
    """Return the variance of the slope at u as a quartic in u."""
    powers = (1.0, 2.0, 3.0)
    coefficients = np.zeros(5)
    for i, a in enumerate(powers):
        for j, b in enumerate(powers):
            coefficients[i + j] += a * b * covariance[i + 1, j + 1]
    return np.polynomial.Polynomial(coefficients)


def _real_roots(polynomial: np.polynomial.Polynomial, low: float, high: float) -> list[float]:
    """Return the real roots between two bounds."""
    roots = polynomial.trim().roots()
    # rounding gives a simple real root an imaginary part near 1e-15 of its size; a double root may get 1e-8 and is left
    # out, but there the polynomial does not change sign, so that it bounds no set
    real = roots[np.abs(roots.imag) <= 1e-9 * np.maximum(np.abs(roots), 1e-300)].real
    return [float(root) for root in real if low < root < high]
