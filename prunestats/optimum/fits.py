"""Everything that the verdict on an optimum looks at, fitted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.numeric.intervals import Interval
from prunestats.optimum.broken_line import Corner, fit_corner
from prunestats.optimum.cubic import cubic_optimum
from prunestats.optimum.flatness import Flatness, flatness
from prunestats.optimum.lack_of_fit import LackOfFit, lack_of_fit
from prunestats.optimum.lind_mehlum import LindMehlum, lind_mehlum
from prunestats.optimum.quadratic import Quadratic, fit_quadratic
from prunestats.optimum.regression import Points, full_rank, least_squares
from prunestats.optimum.spline_minimum import SplineOptimum, spline_optimum
from prunestats.optimum.two_lines import TwoLines, fit_two_lines


@dataclass(frozen=True)
class Trend:
    """The straight line of the response in log ratio: its slope and two-sided p-value by HC3."""

    slope: float
    p: float


@dataclass(frozen=True)
class Evidence:
    """The fitted parts.

    Parameters
    ----------
    trend : Trend
    quadratic : Quadratic
    spline : SplineOptimum
    cubic : Interval or None
        None where there are too few distinct ratios for a cubic.
    corner : Corner or None
        None where no V is in sight.
    two_lines : TwoLines or None
        None where ties leave no room for two lines.
    lind_mehlum : LindMehlum
    lack_of_fit : LackOfFit or None
        None where there are too few distinct ratios for a quartic.
    flatness : Flatness
    q10, q90 : float
        Ends of the middle 80 % of the ratios.
    level : float
    n : int
        Subnetworks.
    spline_r2 : float
        Share of the variance within originals that the spline explains, adjusted for its degrees of freedom.
    aic_quadratic, aic_spline : float
        Akaike's criterion of the two curves, up to a constant that they share with `corner.aic`.
    """

    trend: Trend
    quadratic: Quadratic
    spline: SplineOptimum
    cubic: Interval | None
    corner: Corner | None
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
        """Whether a ratio is within the middle 80 % of the subnetworks' ratios."""
        return self.q10 <= ratio <= self.q90

    @property
    def misfit_p(self) -> float:
        """The p-value of the lack of fit, 1 where it cannot be tested."""
        return 1.0 if self.lack_of_fit is None else self.lack_of_fit.p


def gather(data: Points, *, level: float = 0.95, rng: np.random.Generator) -> Evidence | None:
    """Fit every part, None where there are too few points to fit all of them.

    Parameters
    ----------
    data : Points
    level : float
    rng : numpy.random.Generator
        For the spline's posterior draws.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> gather(points([1.0, 2.0], [3.0, 4.0]), rng=np.random.default_rng(0)) is None
    True
    """
    u = data.x - data.x.mean()
    design = data.design(u, u**2)
    too_few = np.unique(data.x).size < 6 or data.x.size < design.shape[1] + 8
    if too_few or np.ptp(data.y) == 0 or not full_rank(design):
        return None
    levels = least_squares(data.design(), data.target)
    line = least_squares(data.design(u), data.target)
    quadratic = fit_quadratic(data, level=level)
    spline = spline_optimum(data, level=level, rng=rng)
    low, q10, q90, high = (float(end) for end in np.quantile(data.x, [0.0, 0.1, 0.9, 1.0]))
    return Evidence(
        trend=Trend(float(line.coefficients[1]), line.p(1)),
        quadratic=quadratic,
        spline=spline,
        cubic=cubic_optimum(data, level=level),
        corner=fit_corner(data, level=level),
        two_lines=fit_two_lines(data, level=level),
        lind_mehlum=lind_mehlum(quadratic, low, high),
        lack_of_fit=lack_of_fit(data),
        flatness=flatness(data, level=level),
        q10=float(np.exp(q10)),
        q90=float(np.exp(q90)),
        level=level,
        n=data.x.size,
        spline_r2=1 - spline.curve.sigma2 / (levels.rss / levels.df),
        aic_quadratic=data.x.size * float(np.log(quadratic.rss)) + 2 * 3,
        aic_spline=data.x.size * float(np.log(_rss(spline, data))) + 2 * spline.curve.edf,
    )


def _rss(spline: SplineOptimum, data: Points) -> float:
    curve = spline.curve
    return float(curve.sigma2 * (data.x.size - curve.edf - data.effects.shape[1]))
