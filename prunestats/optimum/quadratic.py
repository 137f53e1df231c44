"""Quadratic regression of a response on log ratio, with Fieller's confidence set of its vertex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.plain_data import Result
from prunestats.optimum.regression import Points, least_squares


@dataclass(frozen=True)
class FiellerSet:
    """Fieller's confidence set of a vertex: the ratios at which a slope of zero is not rejected.

    Parameters
    ----------
    kind : {"bounded", "exclusive", "unbounded"}
        "bounded": from `low` to `high`. "exclusive": all ratios except those between `low` and `high`, as the curvature
        is not significant but the slope is somewhere. "unbounded": all ratios, as the slope is significant nowhere.
    low, high : float
        Bounds on the ratio scale; 0 and inf when unbounded.
    """

    kind: Literal["bounded", "exclusive", "unbounded"]
    low: float
    high: float

    def __contains__(self, ratio: float) -> bool:
        if self.kind == "bounded":
            return self.low <= ratio <= self.high
        return self.kind == "unbounded" or not self.low < ratio < self.high


@dataclass(frozen=True, repr=False)
class Quadratic(Result):
    """Quadratic regression of the response on u = log ratio - `x_center`, at the average of the originals.

    Parameters
    ----------
    coefficients : ndarray, shape (3,)
        Of 1, u and u squared.
    covariance : ndarray, shape (3, 3)
        HC3 covariance of `coefficients`.
    x_center : float
        Mean log ratio.
    optimum_ratio : float
        Ratio at the vertex; nan where the curvature is not positive, so that there is no minimum (where higher values
        of the response are better: not negative, so that there is no maximum).
    fieller : FiellerSet
        Confidence set of the vertex.
    curvature_p : float
        Two-sided p-value of the coefficient of u squared.
    df : int
        Residual degrees of freedom.
    level : float
        Confidence level.
    rss : float
        Residual sum of squares.
    """

    coefficients: Floats
    covariance: Floats
    x_center: float
    optimum_ratio: float
    fieller: FiellerSet
    curvature_p: float
    df: int
    level: float
    rss: float

    def __repr__(self) -> str:
        return f"Quadratic(optimum_ratio={self.optimum_ratio:.4g}, {self.fieller}, curvature_p={self.curvature_p:.2g})"

    def predict(self, ratio: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Return the fitted mean response and its pointwise confidence interval at `ratio`.

        Parameters
        ----------
        ratio : array_like, shape (m,)

        Returns
        -------
        fit, low, high : ndarray, shape (m,)
            In the unit of the response, at the average of the originals.

        Examples
        --------
        >>> from prunestats.optimum.regression import points
        >>> x = np.linspace(-1, 1, 30)
        >>> fit, low, high = fit_quadratic(points(x, x**2 + 0.1 * np.cos(40 * x))).predict([1.0])
        >>> bool(low[0] < fit[0] < high[0])
        True
        """
        u = np.log(np.atleast_1d(np.asarray(ratio, dtype=float))) - self.x_center
        rows = np.column_stack([np.ones_like(u), u, u**2])
        fit = rows @ self.coefficients
        half = stats.t.ppf((1 + self.level) / 2, self.df) * np.sqrt(
            np.clip(np.einsum("ij,jk,ik->i", rows, self.covariance, rows), 0, None)
        )
        return fit, fit - half, fit + half


def fit_quadratic(data: Points, *, level: float = 0.95) -> Quadratic:
    """Fit the mean response of a population by a quadratic in log ratio.

    Parameters
    ----------
    data : Points
        Subnetworks, with at least three distinct x and more points than parameters.
    level : float
        Confidence level of Fieller's set and of predictions.

    Returns
    -------
    Quadratic

    Notes
    -----
    Estimand: the vertex of the best quadratic approximation of E(response | ratio). On an asymmetric U the vertex is
    not the minimum, a bias that does not vanish with the sample size: hence the lack-of-fit test and the spline. A
    significant curvature is no evidence of a U, as monotone curves have it too.

    References
    ----------
    E. C. Fieller, J. Roy. Statist. Soc. B 16 (1954), 175-185.
    J. T. Lind and H. Mehlum, Oxford Bull. Econ. Statist. 72 (2010), 109-118.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 50)
    >>> fit_quadratic(points(x, (x - 0.2) ** 2 + 0.05 * np.sin(50 * x))).fieller.kind
    'bounded'
    """
    center = float(data.x.mean())
    u = data.x - center
    fit = least_squares(data.design(u, u**2), data.target)
    b, v = fit.coefficients[:3], fit.covariance[:3, :3]
    with np.errstate(over="ignore"):
        vertex = float(np.exp(center - b[1] / (2 * b[2]))) if b[2] > 0 else float("nan")
    critical = float(stats.t.ppf((1 + level) / 2, fit.df))
    return Quadratic(b, v, center, vertex, fieller_set(b, v, critical, center), fit.p(2), fit.df, float(level), fit.rss)


def fieller_set(coefficients: Floats, covariance: Floats, critical: float, x_center: float = 0.0) -> FiellerSet:
    """Fieller confidence set of the ratio exp(x_center + u) at which the slope b1 + 2 b2 u is zero.

    Parameters
    ----------
    coefficients, covariance : ndarray, shapes (3,) and (3, 3)
        Of 1, u, u squared.
    critical : float
        Critical value of |t|.
    x_center : float
        Log ratio at u = 0.

    References
    ----------
    E. C. Fieller, J. Roy. Statist. Soc. B 16 (1954), 175-185.

    Examples
    --------
    >>> fieller_set(np.array([0.0, 0.0, 1.0]), np.diag([1.0, 0.01, 1.0]), 2.0).kind
    'unbounded'
    """
    b1, b2 = float(coefficients[1]), float(coefficients[2])
    c2 = critical**2
    a = 4 * (b2**2 - c2 * float(covariance[2, 2]))
    half_b = 2 * (b1 * b2 - c2 * float(covariance[1, 2]))
    c = b1**2 - c2 * float(covariance[1, 1])
    # a > 0 is a significant curvature, where the set contains the vertex: a negative discriminant is rounding
    discriminant = max(half_b**2 - a * c, 0.0) if a > 0 else half_b**2 - a * c
    if a == 0 or (a < 0 and discriminant <= 0):
        return FiellerSet("unbounded", 0.0, float("inf"))
    bounds = sorted([(-half_b - np.sqrt(discriminant)) / a, (-half_b + np.sqrt(discriminant)) / a])
    with np.errstate(over="ignore"):
        low, high = (float(np.exp(x_center + bound)) for bound in bounds)
    return FiellerSet("bounded" if a > 0 else "exclusive", low, high)
