"""Simonsohn's two-lines test of a U: a significantly negative slope, then a significantly positive one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.optimum.penalised_spline import fit_spline
from prunestats.optimum.regression import LinearFit, Points, full_rank, least_squares


@dataclass(frozen=True)
class TwoLines:
    """Two-lines test: average slopes on either side of a breakpoint.

    Parameters
    ----------
    breakpoint_ratio : float
        Breakpoint between the lines, on the ratio scale.
    slope_low, slope_high : float
        Response per unit of log ratio, below and above the breakpoint.
    z_low, z_high : float
        Slopes divided by their HC3 standard errors.
    p_low, p_high : float
        Two-sided p-values by the normal distribution, as in Simonsohn (2018).
    flat_low, flat_high : float
        Bounds, on the ratio scale, of the region in which the smooth is within a standard error of its extreme.
    level : float
        1 - level is the significance level of each line.
    """

    breakpoint_ratio: float
    slope_low: float
    slope_high: float
    z_low: float
    z_high: float
    p_low: float
    p_high: float
    flat_low: float
    flat_high: float
    level: float

    @property
    def u_shaped(self) -> bool:
        """Whether the response falls significantly and then rises significantly."""
        return self._significant and self.slope_low < 0 < self.slope_high

    @property
    def inverted(self) -> bool:
        """Whether the response rises significantly and then falls significantly."""
        return self._significant and self.slope_high < 0 < self.slope_low

    @property
    def same_direction(self) -> bool:
        """Whether both slopes are significant and of one sign."""
        return self._significant and self.slope_low * self.slope_high > 0

    @property
    def _significant(self) -> bool:
        return max(self.p_low, self.p_high) < 1 - self.level


def fit_two_lines(data: Points, *, level: float = 0.95) -> TwoLines | None:
    """Two-lines test of a U of the mean response in log ratio.

    Parameters
    ----------
    data : Points
        Subnetworks.
    level : float
        1 - level is the significance level of each line.

    Returns
    -------
    TwoLines or None
        None where a line would have fewer than two distinct x.

    Notes
    -----
    Null hypothesis: E(response | x) is monotone or constant in x. A smooth (cubic regression spline, 10 knots, GCV) has
    its extreme in the middle 80 % of x, and a region within one standard error of it. The breakpoint is first the
    median of that region, then its quantile |z_high| / (|z_low| + |z_high|) (the "Robin Hood" algorithm), which gives
    the less significant line more points. The lines may jump at the breakpoint; a point on it belongs to the line under
    test. The breakpoint serves the power of the test and is not an estimate of the optimum.

    References
    ----------
    U. Simonsohn, Two lines, AMPPS 1 (2018), 538-555, doi 10.1177/2515245918805755: the interrupted regression and the
    Robin Hood algorithm.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 80)
    >>> fit_two_lines(points(x, np.abs(x) + 0.1 * np.cos(60 * x))).u_shaped
    True
    """
    # two lines need four distinct x; two more leave the smooth something to find between them
    if np.unique(data.x).size < 6:
        return None
    candidates = flat_region(data)
    if candidates is None:
        return None
    middle = _both_lines(data, float(np.median(candidates)))
    if middle is None:
        return None
    z_low, z_high = abs(middle[0].t(1)), abs(middle[1].t(2))
    share = z_high / (z_low + z_high) if 0 < z_low + z_high < np.inf else 0.5
    at = float(np.quantile(candidates, share))
    lines = _both_lines(data, at)
    if lines is None:
        return None
    z_low, z_high = lines[0].t(1), lines[1].t(2)
    return TwoLines(
        breakpoint_ratio=float(np.exp(at)),
        slope_low=float(lines[0].coefficients[1]),
        slope_high=float(lines[1].coefficients[2]),
        z_low=z_low,
        z_high=z_high,
        p_low=float(2 * stats.norm.sf(abs(z_low))),
        p_high=float(2 * stats.norm.sf(abs(z_high))),
        flat_low=float(np.exp(candidates.min())),
        flat_high=float(np.exp(candidates.max())),
        level=level,
    )


def flat_region(data: Points) -> Floats | None:
    """Return the x at which the smooth is within a standard error of its extreme in the middle 80 % of x."""
    x10, x90 = data.x_middle
    inside = data.x[(data.x > x10) & (data.x < x90)]
    if inside.size == 0:
        return None
    smooth, error = fit_spline(data, method="gcv").curve(inside)
    sign = 1.0 if _starts_falling(data) else -1.0
    return np.asarray(inside[sign * smooth - error <= (sign * smooth).min()])


def _starts_falling(data: Points) -> bool:
    """Whether a quadratic falls at the smallest x: then the extreme is a minimum, else a maximum."""
    u = data.x - data.x.mean()
    b = np.linalg.lstsq(data.design(u, u**2), data.target, rcond=None)[0]
    return bool(b[1] + 2 * b[2] * u.min() <= 0)


def _both_lines(data: Points, at: float) -> tuple[LinearFit, LinearFit] | None:
    """Fit the interrupted regression twice: points on the breakpoint belong to the low line, then to the high one."""
    u = data.x - at
    fits = []
    for high in (u > 0, u >= 0):
        design = data.design(np.where(high, 0.0, u), np.where(high, u, 0.0), high.astype(float))
        if not full_rank(design) or design.shape[0] <= design.shape[1]:
            return None
        fits.append(least_squares(design, data.target))
    return fits[0], fits[1]
