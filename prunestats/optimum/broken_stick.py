"""Broken-stick regression: two joined line segments with an estimated breakpoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import Points, full_rank, least_squares

# candidates of the breakpoint in each of two passes: the second pass resolves the interval to a hundredth of its width,
# and more would cost time in proportion
_GRID = 101
# candidates whose hinges are held in memory at once; results do not depend on it
_CHUNK = 20
# a hinge with less than 1e-12 of the largest squared length is what rounding leaves of one that the lines span
_DEGENERATE = 1e-12
# stands for a sum of squares of zero, whose logarithm the criterion needs
_TINY = 1e-300
# breakpoint, and intercept and slopes of two joined lines
_PARAMETERS = 4


@dataclass(frozen=True)
class BrokenStick:
    """The breakpoint of a broken-stick regression.

    Parameters
    ----------
    ratio : float
        Least-squares estimate of the breakpoint, on the ratio scale.
    low, high : float
        Bounds of its likelihood-ratio interval.
    aic : float
        Akaike's information criterion, up to the constant that `Fits` shares.
    level : float
    """

    ratio: float
    low: float
    high: float
    aic: float
    level: float


def fit_broken_stick(data: Points, *, level: float = 0.95) -> BrokenStick | None:
    """Estimate the breakpoint of the mean response by a broken-stick regression on log ratio.

    Parameters
    ----------
    data : Points
    level : float
        Confidence level of the interval.

    Returns
    -------
    BrokenStick or None
        None where the best breakpoint in the middle 90 % of x does not bend upwards, so that there is no V.

    Notes
    -----
    Model: E(response | x) = a + b x + c max(x - k, 0). For each k on a grid the residual sum of squares has a closed
    form. The interval holds every k whose sum is not significantly larger than the least one, by F with 1 and n - p
    degrees of freedom; its threshold is multiplied by the ratio of the HC3 to the homoscedastic variance of a step at
    the breakpoint where that exceeds 1. A smoothing spline rounds a kink off and moves its minimum to the flatter side
    at any sample size, so where the broken stick fits better, the reported interval covers both minima.

    References
    ----------
    D. V. Hinkley, J. Amer. Statist. Assoc. 66 (1971), 736-743: two-phase regression.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 90)
    >>> data = points(x, np.where(x < 0, -4 * x, x) + 0.1 * np.cos(70 * x))
    >>> found = fit_broken_stick(data)
    >>> bool(found.low < 1 < found.high)
    True
    """
    base = np.linalg.qr(data.design(data.x - data.x.mean()))[0]
    residuals = data.target - base @ (base.T @ data.target)
    df = data.x.size - base.shape[1] - 2
    # a segment of fewer than 5 % of the points would follow single subnetworks
    first, last = np.quantile(data.x, [0.05, 0.95])
    coarse = np.linspace(float(first), float(last), _GRID)
    rss, bend = _profile(data, base, residuals, coarse)
    best = int(np.argmin(rss))
    if bend[best] <= 0 or not np.isfinite(rss[best]):
        return None
    limit = 1 + float(stats.f.ppf(level, 1, df)) / df * _variance_inflation(data, float(coarse[best]))
    near = coarse[rss <= rss[best] * limit]
    step = coarse[1] - coarse[0]
    fine = np.linspace(max(near.min() - step, coarse[0]), min(near.max() + step, coarse[-1]), _GRID)
    rss, _ = _profile(data, base, residuals, fine)
    least = float(rss.min())
    inside = fine[rss <= least * limit]
    return BrokenStick(
        ratio=float(np.exp(fine[np.argmin(rss)])),
        low=float(np.exp(inside.min() - (fine[1] - fine[0]))),
        high=float(np.exp(inside.max() + (fine[1] - fine[0]))),
        aic=data.x.size * float(np.log(least)) + 2 * _PARAMETERS,
        level=level,
    )


def _variance_inflation(data: Points, breakpoint_x: float) -> float:
    """Return the ratio of the HC3 to the homoscedastic variance of a step at the breakpoint, at least 1."""
    step = (data.x > breakpoint_x).astype(float)
    design = data.design(data.x - breakpoint_x, np.maximum(data.x - breakpoint_x, 0.0), step)
    if not full_rank(design) or design.shape[0] <= design.shape[1]:
        return 1.0
    fit = least_squares(design, data.target)
    homoscedastic = fit.rss / fit.df * float(np.linalg.inv(design.T @ design)[3, 3])
    return max(1.0, float(fit.covariance[3, 3]) / homoscedastic) if homoscedastic > 0 else 1.0


def _profile(data: Points, base: Floats, residuals: Floats, candidates: Floats) -> tuple[Floats, Floats]:
    """Return the residual sum of squares and the change of slope for each candidate breakpoint."""
    along, length = np.empty(candidates.size), np.empty(candidates.size)
    for start in range(0, candidates.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        hinge = data.weigh(np.maximum(data.x[:, None] - candidates[part], 0.0))
        hinge -= base @ (base.T @ hinge)
        along[part], length[part] = residuals @ hinge, np.einsum("ij,ij->j", hinge, hinge)
    usable = length > _DEGENERATE * max(float(length.max()), _TINY)
    bend = np.where(usable, along / np.where(usable, length, 1.0), 0.0)
    rss = np.where(usable, np.maximum(residuals @ residuals - along * bend, _TINY), np.inf)
    return rss, bend
