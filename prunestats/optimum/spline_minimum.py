"""Where a smooth curve of the response has its minimum, by draws from its posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.plain_data import Result
from prunestats.optimum.penalised_spline import Spline, fit_spline, fit_splines
from prunestats.optimum.regression import Points

_GRID = 201
_DRAWS = 2000
# minima lie in two places when 15 % of the range between them holds at most 1 % of them
_GAP = 30
_BETWEEN = 0.01
# narrow basins want knots, and many subnetworks can pay for them
_KNOTS = {400: 40, 60: 20, 0: 10}
_UNDERSMOOTH = 0.1


@dataclass(frozen=True, repr=False)
class SplineOptimum(Result):
    """The ratio of least mean response by a penalised spline, within the ratios that were seen.

    Parameters
    ----------
    curve : Spline
    ratio : float
        Where the fitted curve is least.
    low, high : float
        Equal-tailed interval of the posterior draws' minima.
    level : float
    at_low_end, at_high_end : float
        Shares of draws whose minimum is at the least, and at the largest, ratio seen.
    in_middle : float
        Share of draws whose minimum is in the middle 80 % of the subnetworks' ratios.
    basins : tuple of (float, float, float)
        Where the draws' minima lie: low, high and share. Two entries when they fall into two places with next to
        nothing between them; then each holds the middle 1 - (1 - level) / 2 of its own minima.
    """

    curve: Spline
    ratio: float
    low: float
    high: float
    level: float
    at_low_end: float
    at_high_end: float
    in_middle: float
    basins: tuple[tuple[float, float, float], ...]

    def __repr__(self) -> str:
        return f"SplineOptimum(ratio={self.ratio:.4g}, low={self.low:.4g}, high={self.high:.4g})"

    def predict(self, ratio: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Return the fitted response and its pointwise interval at `ratio`, at the average of the originals."""
        fit, error = self.curve.curve(np.log(np.atleast_1d(np.asarray(ratio, dtype=float))))
        half = float(stats.norm.ppf((1 + self.level) / 2)) * error
        return fit, fit - half, fit + half


def spline_optimum(data: Points, *, level: float = 0.95, rng: np.random.Generator) -> SplineOptimum:
    """Estimate the ratio with the least mean response of a population, whatever the curve's shape.

    Parameters
    ----------
    data : Points
        Subnetworks, with at least four distinct x.
    level : float
    rng : numpy.random.Generator
        For the posterior draws.

    Returns
    -------
    SplineOptimum

    Notes
    -----
    Estimand: the log ratio in the range seen at which E(response | ratio) is least. The estimate is where the
    spline (REML) is least. The interval holds the middle `level` of the minima of curves drawn from the posterior
    of a spline with a tenth of that smoothing: a smooth pulls the minimum of an asymmetric U towards its flat side,
    and smoothing less is what keeps this bias below the noise. Its covariance holds the rest of the bias, and the
    noise by HC3's residuals. At a kink (a V) some bias stays, and the interval is too short: see
    docs/methods/spline.md.

    References
    ----------
    G. Marra and S. N. Wood, Scand. J. Statist. 39 (2012), 53-74; S. N. Wood, Generalized Additive Models, 2nd ed.
    (2017), chapter 6.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 80)
    >>> found = spline_optimum(points(x, (x - 0.3) ** 2 + 0.02 * np.cos(90 * x)), rng=np.random.default_rng(0))
    >>> bool(found.low < np.exp(0.3) < found.high)
    True
    """
    curve, loose = fit_splines(data, (1.0, _UNDERSMOOTH), knots=_knots(data), robust=True)
    grid = minima_grid(data)
    rows = curve.rows(grid)
    minima = np.argmin(loose.draws(_DRAWS, rng) @ rows.T, axis=1)
    best = float(grid[np.argmin(rows @ curve.coefficients)])
    tail = (1 - level) / 2
    # a minimum on the grid stands for half a step on either side
    half = (grid[1] - grid[0]) / 2
    low, high = np.clip(np.quantile(grid[minima], [tail, 1 - tail]) + np.array([-half, half]), grid[0], grid[-1])
    x10, x90 = np.quantile(data.x, [0.1, 0.9])
    return SplineOptimum(
        curve=curve,
        ratio=float(np.exp(best)),
        low=float(np.exp(min(low, best))),
        high=float(np.exp(max(high, best))),
        level=level,
        at_low_end=float(np.mean(minima == 0)),
        at_high_end=float(np.mean(minima == _GRID - 1)),
        in_middle=float(np.mean((grid[minima] >= x10) & (grid[minima] <= x90))),
        basins=_basins(minima, np.exp(grid), tail),
    )


def interval_curve(data: Points, most_knots: int) -> Spline:
    """Fit the curve with a tenth of REML's smoothing, whose draws give the interval, with fewer knots if need be."""
    return fit_spline(data, knots=min(_knots(data), most_knots), robust=True, factor=_UNDERSMOOTH)


def minima_grid(data: Points) -> Floats:
    """Return the log ratios at which a minimum is looked for."""
    return np.linspace(data.x.min(), data.x.max(), _GRID)


def _knots(data: Points) -> int:
    return next(knots for least, knots in _KNOTS.items() if data.x.size >= least)


def _basins(minima: NDArray[np.int64], ratios: Floats, tail: float) -> tuple[tuple[float, float, float], ...]:
    """Split the minima where a wide stretch of ratios holds next to none and both sides hold more than a tail."""
    below = np.concatenate([[0.0], np.cumsum(np.bincount(minima, minlength=_GRID)) / minima.size])
    left, right = below[:-_GAP], 1 - below[_GAP:]
    parted = (1 - left - right <= _BETWEEN) & (np.minimum(left, right) >= tail)
    ordered = np.sort(minima)
    groups = [ordered]
    if parted.any():
        # one true minimum is in the place that is right, and in its interval there: half the tail is left for each
        tail = tail / 2
        groups = np.split(ordered, [int(np.searchsorted(ordered, np.flatnonzero(parted)[0] + _GAP // 2))])
    ends = [np.quantile(group, [tail, 1 - tail], method="nearest").astype(int) for group in groups]
    return tuple(
        (float(ratios[low]), float(ratios[high]), group.size / minima.size)
        for (low, high), group in zip(ends, groups, strict=True)
    )
