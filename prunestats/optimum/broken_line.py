"""A V beside the smooth curve: two joined lines, whose corner a smooth cannot follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import Points, full_rank, least_squares

_GRID = 101
_TOGETHER = 20


@dataclass(frozen=True)
class Corner:
    """The corner of the best-fitting pair of joined lines.

    Parameters
    ----------
    ratio : float
        Where the lines join.
    low, high : float
        Its likelihood-ratio interval.
    aic : float
        Akaike's criterion, to compare with that of the quadratic and of the spline in `Evidence`.
    level : float
    """

    ratio: float
    low: float
    high: float
    aic: float
    level: float


def fit_corner(data: Points, *, level: float = 0.95) -> Corner | None:
    """Estimate where the mean response turns, if it is a V.

    Parameters
    ----------
    data : Points
    level : float

    Returns
    -------
    Corner or None
        None where no corner in the middle 90 % of x opens upwards, so that no V is in sight.

    Notes
    -----
    Model: E(response | x) = a + b x + c max(x - k, 0). For each k on a grid the residual sum of squares has a
    closed form; the interval holds every k whose sum is not significantly larger than the least one, by F with 1
    and n - p degrees of freedom, widened where HC3 finds more variance at the corner than one common variance does.
    A smooth rounds a corner off and moves its minimum to the flat side, whatever the number of points, so where the
    lines describe the points better, the interval that is believed covers both.

    References
    ----------
    D. V. Hinkley, J. Amer. Statist. Assoc. 66 (1971), 736-743: two-phase regression.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 90)
    >>> data = points(x, np.where(x < 0, -4 * x, x) + 0.1 * np.cos(70 * x))
    >>> corner = fit_corner(data)
    >>> bool(corner.low < 1 < corner.high)
    True
    """
    base = np.linalg.qr(data.design(data.x - data.x.mean()))[0]
    residuals = data.target - base @ (base.T @ data.target)
    df = data.x.size - base.shape[1] - 2
    ends = np.quantile(data.x, [0.05, 0.95])
    coarse = np.linspace(float(ends[0]), float(ends[1]), _GRID)
    rss, bend = _profile(data, base, residuals, coarse)
    best = int(np.argmin(rss))
    if bend[best] <= 0 or not np.isfinite(rss[best]):
        return None
    limit = 1 + float(stats.f.ppf(level, 1, df)) / df * _inflation(data, float(coarse[best]))
    near = coarse[rss <= rss[best] * limit]
    step = coarse[1] - coarse[0]
    fine = np.linspace(max(near.min() - step, coarse[0]), min(near.max() + step, coarse[-1]), _GRID)
    rss, _ = _profile(data, base, residuals, fine)
    least = float(rss.min())
    inside = fine[rss <= least * limit]
    return Corner(
        ratio=float(np.exp(fine[np.argmin(rss)])),
        low=float(np.exp(inside.min() - (fine[1] - fine[0]))),
        high=float(np.exp(inside.max() + (fine[1] - fine[0]))),
        aic=data.x.size * float(np.log(least)) + 2 * 4,
        level=level,
    )


def _inflation(data: Points, corner: float) -> float:
    """Return how much larger the variance of a step at the corner is by HC3 than by one common variance; at least 1."""
    step = (data.x > corner).astype(float)
    design = data.design(data.x - corner, np.maximum(data.x - corner, 0.0), step)
    if not full_rank(design) or design.shape[0] <= design.shape[1]:
        return 1.0
    fit = least_squares(design, data.target)
    classical = fit.rss / fit.df * float(np.linalg.inv(design.T @ design)[3, 3])
    return max(1.0, float(fit.covariance[3, 3]) / classical) if classical > 0 else 1.0


def _profile(data: Points, base: Floats, residuals: Floats, corners: Floats) -> tuple[Floats, Floats]:
    """Return the residual sum of squares and the change of slope for a corner at each place."""
    along, length = np.empty(corners.size), np.empty(corners.size)
    for start in range(0, corners.size, _TOGETHER):
        part = slice(start, start + _TOGETHER)
        hinge = data.weigh(np.maximum(data.x[:, None] - corners[part], 0.0))
        hinge -= base @ (base.T @ hinge)
        along[part], length[part] = residuals @ hinge, np.einsum("ij,ij->j", hinge, hinge)
    usable = length > 1e-12 * max(float(length.max()), 1e-300)
    bend = np.where(usable, along / np.where(usable, length, 1.0), 0.0)
    rss = np.where(usable, np.maximum(residuals @ residuals - along * bend, 1e-300), np.inf)
    return rss, bend
