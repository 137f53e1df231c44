"""The minimum of a penalised spline, with an interval from draws of its posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.plain_data import Result
from prunestats.optimum.penalised_spline import Spline, fit_spline, fit_splines
from prunestats.optimum.regression import Points

# candidates of the minimum: half a step, 0.25 % of the range, is added to either side of the interval
_GRID = 201
# a bound at the 2.5 % quantile of 2,000 draws has a standard error of 0.35 % in probability
_DRAWS = 2000
# minima lie in two basins when a gap of 15 % of the range (30 steps) holds at most 1 % of them: a narrower gap would
# more often split the minima of one flat basin, and 1 % is well below the 2.5 % that the smaller basin must hold
_GAP = 30
_MAX_SHARE_IN_GAP = 0.01
# knots by the least number of subnetworks: narrow basins need many (with 1,000 subnetworks coverage of two wells was
# 0.83 to 0.88 with 20 knots, 0.97 with 40), and few subnetworks do not support them
_KNOTS = {400: 40, 60: 20, 0: 10}
# of REML's smoothing parameter: with 1 coverage on an asymmetric U was 0.80 at n = 20, as smoothing moves the minimum
_UNDERSMOOTH = 0.1


@dataclass(frozen=True, repr=False)
class SplineOptimum(Result):
    """The minimum of a penalised spline of the response in the sampled range of ratios.

    Where higher values of the response are better, it is the maximum: "minimum" below stands for either.

    Parameters
    ----------
    curve : Spline
    ratio : float
        Minimum of the fitted curve.
    low, high : float
        Equal-tailed interval of the minima of posterior draws.
    level : float
        Confidence level.
    at_low_end, at_high_end : float
        Shares of draws with their minimum at the smallest and at the largest sampled ratio.
    in_middle : float
        Share of draws with their minimum in the middle 80 % of the subnetworks' ratios.
    basins : tuple of (float, float, float)
        Bounds and share of the draws' minima: one entry, or two where the minima lie in two separate basins; then each
        holds the middle 1 - (1 - level) / 2 of the minima in its basin.
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
        """Return the fitted mean response and its pointwise interval at `ratio`, at the average of the originals."""
        fit, error = self.curve.curve(np.log(np.atleast_1d(np.asarray(ratio, dtype=float))))
        half = float(stats.norm.ppf((1 + self.level) / 2)) * error
        return fit, fit - half, fit + half


def spline_optimum(data: Points, *, level: float = 0.95, rng: np.random.Generator) -> SplineOptimum:
    """Estimate the ratio with the least mean response by a penalised spline in log ratio.

    Parameters
    ----------
    data : Points
        Subnetworks, with at least four distinct x.
    level : float
        Confidence level.
    rng : numpy.random.Generator
        For the posterior draws.

    Returns
    -------
    SplineOptimum

    Notes
    -----
    Estimand: the ratio in the sampled range at which E(response | ratio) is least. The estimate is the minimum of the
    spline smoothed by REML. The interval holds the middle `level` of the minima of posterior draws of a spline with a
    tenth of that smoothing: smoothing moves the minimum of an asymmetric U to its flatter side, and undersmoothing
    makes that bias small beside the noise. The posterior covariance is HC3's sampling covariance plus a term for the
    remaining bias. At a kink the interval is still too short, see docs/methods/spline.md.

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
    # a minimum on the grid represents half a step on either side
    half = (grid[1] - grid[0]) / 2
    low, high = np.clip(np.quantile(grid[minima], [tail, 1 - tail]) + np.array([-half, half]), grid[0], grid[-1])
    x10, x90 = data.x_middle
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
    """Fit the undersmoothed spline whose posterior draws give the interval, with at most `most_knots` knots."""
    return fit_spline(data, knots=min(_knots(data), most_knots), robust=True, factor=_UNDERSMOOTH)


def minima_grid(data: Points) -> Floats:
    """Return the grid of log ratios on which minima are searched."""
    return np.linspace(data.x.min(), data.x.max(), _GRID)


def _knots(data: Points) -> int:
    return next(knots for least, knots in _KNOTS.items() if data.x.size >= least)


def _basins(minima: NDArray[np.int64], ratios: Floats, tail: float) -> tuple[tuple[float, float, float], ...]:
    """Split the minima at a gap that holds next to none of them, with more than a tail on either side."""
    below = np.concatenate([[0.0], np.cumsum(np.bincount(minima, minlength=_GRID)) / minima.size])
    left, right = below[:-_GAP], 1 - below[_GAP:]
    separated = (1 - left - right <= _MAX_SHARE_IN_GAP) & (np.minimum(left, right) >= tail)
    ordered = np.sort(minima)
    groups = [ordered]
    if separated.any():
        # Bonferroni: with two equal minima both intervals must cover, so each has half of the tail
        tail = tail / 2
        groups = np.split(ordered, [int(np.searchsorted(ordered, np.flatnonzero(separated)[0] + _GAP // 2))])
    bounds = [np.quantile(group, [tail, 1 - tail], method="nearest").astype(int) for group in groups]
    return tuple(
        (float(ratios[low]), float(ratios[high]), group.size / minima.size)
        for (low, high), group in zip(bounds, groups, strict=True)
    )
