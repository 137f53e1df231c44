"""Simonsohn's two-lines test: a U falls significantly, then rises significantly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.optimum.penalised_spline import fit_spline
from prunestats.optimum.regression import LinearFit, Points, full_rank, least_squares


@dataclass(frozen=True)
class TwoLines:
    """Average slopes on either side of a breakpoint.

    Parameters
    ----------
    breakpoint_ratio : float
        Where the lines are parted, on the ratio scale.
    slope_low, slope_high : float
        Response per unit of log ratio, below and above the breakpoint.
    z_low, z_high : float
        Slopes over their HC3 standard errors.
    p_low, p_high : float
        Two-sided p-values by the normal distribution, as published.
    flat_low, flat_high : float
        Ends, on the ratio scale, of the region that the smooth cannot tell from its extreme.
    level : float
        1 - level is what both p-values must stay under.
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
    """Test for a U of the mean response in log ratio with two lines.

    Parameters
    ----------
    data : Points
        Subnetworks.
    level : float
        Each line is tested at 1 - level.

    Returns
    -------
    TwoLines or None
        None where the points leave no room for two lines: fewer than two distinct x on one side.

    Notes
    -----
    Null hypothesis: the regression is monotone (or flat) in x. A smooth (cubic regression spline, 10 knots, GCV)
    finds the extreme within the middle 80 % of x and the region within one standard error of it; the breakpoint is
    first the median of that region, then moves towards the stronger line ("Robin Hood"): to its quantile |z_high| /
    (|z_low| + |z_high|). The lines may jump at the breakpoint; a point on it belongs to the line that is tested.
    The breakpoint is chosen to give the weaker line more points, not to be an estimate of the optimum.

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
    parting = float(np.quantile(candidates, share))
    lines = _both_lines(data, parting)
    if lines is None:
        return None
    z_low, z_high = lines[0].t(1), lines[1].t(2)
    return TwoLines(
        breakpoint_ratio=float(np.exp(parting)),
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
    """Return the x of the points whose smooth is within a standard error of its extreme in the middle 80 % of x."""
    x10, x90 = np.quantile(data.x, [0.1, 0.9])
    inside = data.x[(data.x > x10) & (data.x < x90)]
    if inside.size == 0:
        return None
    smooth, error = fit_spline(data, method="gcv").curve(inside)
    sign = 1.0 if _falls_first(data) else -1.0
    return np.asarray(inside[sign * smooth - error <= (sign * smooth).min()])


def _falls_first(data: Points) -> bool:
    """Whether a quadratic falls at the least x: then a U is looked for, else an inverted U."""
    u = data.x - data.x.mean()
    b = np.linalg.lstsq(data.design(u, u**2), data.target, rcond=None)[0]
    return bool(b[1] + 2 * b[2] * u.min() <= 0)


def _both_lines(data: Points, parting: float) -> tuple[LinearFit, LinearFit] | None:
    """Fit the interrupted regression twice: points on the parting go left, then right."""
    u = data.x - parting
    fits = []
    for high in (u > 0, u >= 0):
        design = data.design(np.where(high, 0.0, u), np.where(high, u, 0.0), high.astype(float))
        if not full_rank(design) or design.shape[0] <= design.shape[1]:
            return None
        fits.append(least_squares(design, data.target))
    return fits[0], fits[1]
