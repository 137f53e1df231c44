"""All fits and tests that the verdict on an optimum uses, each computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval
from prunestats.optimum.broken_stick import BrokenStick, fit_broken_stick
from prunestats.optimum.cubic import cubic_optimum
from prunestats.optimum.flatness import Flatness, flatness
from prunestats.optimum.lack_of_fit import LackOfFit, lack_of_fit
from prunestats.optimum.lind_mehlum import LindMehlum, lind_mehlum
from prunestats.optimum.quadratic import Quadratic, fit_quadratic
from prunestats.optimum.regression import Points, full_rank, least_squares
from prunestats.optimum.spline_minimum import SplineOptimum, spline_optimum
from prunestats.optimum.two_lines import TwoLines, fit_two_lines

# fewer distinct ratios leave a quartic, the largest of these models, no residual degree of freedom
_MIN_DISTINCT = 6
# HC3 and the F tests need some residual degrees of freedom; a round number, as below 20 subnetworks the verdict is
# "unidentified" whatever was fitted
_MIN_DF = 8


@dataclass(frozen=True)
class Trend:
    """Linear regression of the response on log ratio: slope, and its two-sided p-value by HC3."""

    slope: float
    p: float


@dataclass(frozen=True)
class Fits:
    """The fits and tests behind a verdict.

    Parameters
    ----------
    trend : Trend
    quadratic : Quadratic
    spline : SplineOptimum
    cubic : Interval or None
        None with too few distinct ratios for a cubic.
    corner : BrokenStick or None
        None where the best broken stick does not bend upwards.
    two_lines : TwoLines or None
        None where ties leave fewer than two distinct ratios on a side.
    lind_mehlum : LindMehlum
    lack_of_fit : LackOfFit or None
        None with too few distinct ratios for a quartic.
    flatness : Flatness
    q10, q90 : float
        10 % and 90 % quantiles of the ratios.
    level : float
    n : int
        Number of subnetworks.
    spline_r2 : float
        Adjusted R squared of the spline within originals.
    aic_quadratic, aic_spline : float
        Akaike's information criterion, up to a constant shared with `corner.aic`.
    """

    trend: Trend
    quadratic: Quadratic
    spline: SplineOptimum
    cubic: Interval | None
    corner: BrokenStick | None
    two_lines: TwoLines | None
    lind_mehlum: LindMehlum
    lack_of_fit: LackOfFit | None
    flatness: Flatness
    q10: float
    q90: float
    level: float
    n: int
    spline_r2: float
    aic_quadratic: float
    aic_spline: float

    def in_middle(self, ratio: float) -> bool:
        """Whether a ratio lies between the 10 % and 90 % quantiles of the ratios."""
        return self.q10 <= ratio <= self.q90

    @property
    def lack_of_fit_p(self) -> float:
        """The p-value of the lack-of-fit test, 1 where it cannot be computed."""
        return 1.0 if self.lack_of_fit is None else self.lack_of_fit.p


def fit_all(data: Points, *, level: float = 0.95, rng: np.random.Generator) -> Fits | None:
    """Compute every fit and test, or None where there are too few points for all of them.

    Parameters
    ----------
    data : Points
    level : float
        Confidence level.
    rng : numpy.random.Generator
        For the spline's posterior draws.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> fit_all(points([1.0, 2.0], [3.0, 4.0]), rng=np.random.default_rng(0)) is None
    True
    """
    u = data.x - data.x.mean()
    if _cannot_fit(data, data.design(u, u**2)):
        return None
    means = least_squares(data.design(), data.target)
    line = least_squares(data.design(u), data.target)
    quadratic = fit_quadratic(data, level=level)
    spline = spline_optimum(data, level=level, rng=rng)
    q10, q90 = data.x_middle
    return Fits(
        trend=Trend(float(line.coefficients[1]), line.p(1)),
        quadratic=quadratic,
        spline=spline,
        cubic=cubic_optimum(data, level=level),
        corner=fit_broken_stick(data, level=level),
        two_lines=fit_two_lines(data, level=level),
        lind_mehlum=lind_mehlum(quadratic, float(data.x.min()), float(data.x.max())),
        lack_of_fit=lack_of_fit(data),
        flatness=flatness(data, level=level),
        q10=float(np.exp(q10)),
        q90=float(np.exp(q90)),
        level=level,
        n=data.x.size,
        spline_r2=1 - spline.curve.sigma2 / (means.rss / means.df),
        # three coefficients; the effects of originals are common to all curves and left out
        aic_quadratic=data.x.size * float(np.log(quadratic.rss)) + 2 * 3,
        aic_spline=data.x.size * float(np.log(_rss(spline, data))) + 2 * spline.curve.edf,
    )


def _cannot_fit(data: Points, quadratic_design: Floats) -> bool:
    n, p = quadratic_design.shape
    too_few = np.unique(data.x).size < _MIN_DISTINCT or n < p + _MIN_DF
    return too_few or bool(np.ptp(data.y) == 0) or not full_rank(quadratic_design)


def _rss(spline: SplineOptimum, data: Points) -> float:
    curve = spline.curve
    return float(curve.sigma2 * (data.x.size - curve.edf - data.effects.shape[1]))
