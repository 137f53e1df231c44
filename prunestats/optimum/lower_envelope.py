"""The lower envelope of a population: quantile regressions at 5 % and 10 %, quadratic in log ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.plain_data import Result
from prunestats.optimum.quadratic import FiellerSet, fieller_set
from prunestats.optimum.regression import Points, full_rank

QUANTILES = (0.05, 0.1)
"""The better of the subnetworks, without the extremes that noise dominates; a convention."""
MIN_BELOW = 10
"""With fewer subnetworks below the curve it follows single ones, and the kernel sees too few residuals near zero."""
# from here on solving for a subsample first is faster than the full linear programme; the solution is the same
_MIN_FOR_PREPROCESSING = 3000
# fewer distinct ratios leave a curve of three coefficients determined by single ratios
_MIN_DISTINCT = 6
# the simplex method leaves dual variables at their bounds but for rounding; where that leaves other than p in between,
# the solver's own multipliers are taken
_AT_BOUND = 1e-9
# of the scaled curvature: beyond it the inverse keeps fewer than four digits
_MAX_CONDITION = 1e12


@dataclass(frozen=True, repr=False)
class Envelope(Result):
    """Quadratic quantile regression on u = log ratio - `x_center`, at the average of the originals.

    Parameters
    ----------
    quantile : float
        The fraction of subnetworks below the curve.
    coefficients : ndarray, shape (3,)
        Of 1, u and u squared.
    covariance : ndarray, shape (3, 3)
        Powell's kernel sandwich covariance.
    x_center : float
        Mean log ratio.
    optimum_ratio : float
        Ratio at the vertex; nan where the curvature is not positive (where higher values of the response are better:
        not negative).
    fieller : FiellerSet
        Confidence set of the vertex.
    level : float
        Confidence level.
    """

    quantile: float
    coefficients: Floats
    covariance: Floats
    x_center: float
    optimum_ratio: float
    fieller: FiellerSet
    level: float

    def __repr__(self) -> str:
        return f"Envelope(quantile={self.quantile:g}, optimum_ratio={self.optimum_ratio:.4g}, {self.fieller})"


def fit_envelope(data: Points, quantile: float, *, level: float = 0.95) -> Envelope | None:
    """Fit a quantile of the response by a quadratic in log ratio.

    Parameters
    ----------
    data : Points
    quantile : float
        In (0, 1).
    level : float
        Confidence level.

    Returns
    -------
    Envelope or None
        None with fewer than 10 subnetworks expected below the curve, or fewer than 6 distinct ratios.

    Notes
    -----
    Estimand: the vertex of the best quadratic approximation, under the check loss, of a conditional quantile of the
    response. It describes the good subnetworks at each ratio, where the mean describes all. As with the mean, a vertex
    is no evidence of a U.

    References
    ----------
    R. Koenker and G. Bassett, Econometrica 46 (1978), 33-50. R. Koenker, Quantile Regression (2005), section 3.4.2 (the
    sandwich, after Powell 1991), with the bandwidth of P. Hall and S. J. Sheather, J. Roy. Statist. Soc. B 50 (1988).

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 201)
    >>> found = fit_envelope(points(x, x**2 + np.arange(201) * 7 % 13 / 40), 0.1)
    >>> found.fieller.kind, bool(found.fieller.low < 1 < found.fieller.high)
    ('bounded', True)
    """
    center = float(data.x.mean())
    u = data.x - center
    design = data.columns(u, u**2)
    below = min(quantile, 1 - quantile) * data.x.size
    if below < MIN_BELOW or np.unique(data.x).size < _MIN_DISTINCT or np.ptp(data.y) == 0 or not full_rank(design):
        return None
    b = quantile_regression(design, data.y, quantile)
    v = _sandwich(design, data.y - design @ b, quantile)
    if v is None:
        return None
    b, v = b[:3], v[:3, :3]
    with np.errstate(over="ignore"):
        vertex = float(np.exp(center - b[1] / (2 * b[2]))) if b[2] > 0 else float("nan")
    critical = float(stats.t.ppf((1 + level) / 2, data.x.size - design.shape[1]))
    return Envelope(float(quantile), b, v, center, vertex, fieller_set(b, v, critical, center), float(level))


def quantile_regression(design: Floats, y: Floats, quantile: float) -> Floats:
    """Coefficients of a quantile regression, the exact minimiser of the check loss.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Of full rank.
    y : ndarray, shape (n,)
    quantile : float

    Returns
    -------
    ndarray, shape (p,)

    Notes
    -----
    The dual linear programme has p equations and n unknowns between 0 and 1; those strictly between belong to the p
    points that the curve interpolates, which determine the coefficients to rounding error. In large samples the
    unknowns of points far from the curve of a subsample are fixed at 0 or 1, and freed again where a residual has the
    wrong sign.
    `statsmodels.api.QuantReg` iterates to 1e-6 or so of this; see docs/decisions/0011-statsmodels-and-closed-forms.md.

    References
    ----------
    R. Koenker, Quantile Regression (2005), section 6.2, eq. 6.6. S. Portnoy and R. Koenker, Statist. Sci. 12
    (1997), 279-300, section 5: preprocessing.

    Examples
    --------
    >>> quantile_regression(np.ones((5, 1)), np.array([5.0, 1.0, 4.0, 2.0, 3.0]), 0.3).tolist()
    [2.0]
    """
    center, scale = float(y.mean()), float(y.std())
    norms = np.sqrt((design**2).mean(axis=0))
    columns, standard = design / norms, (y - center) / scale
    coefficients = scale * _solve(columns, standard, quantile) / norms
    # y was centred: add the mean through the combination of columns that makes a constant
    result: Floats = coefficients + center * np.linalg.lstsq(design, np.ones_like(y), rcond=None)[0]
    return result


def _solve(columns: Floats, y: Floats, quantile: float) -> Floats:
    n = y.size
    # Portnoy and Koenker's rate n^(2/3); the factor 4 makes a second pass rare and is doubled where it was too small
    near = int(4 * n ** (2 / 3))
    if n < _MIN_FOR_PREPROCESSING or near >= n:
        free = np.ones(n, dtype=bool)
        solved = _dual(columns, y, quantile, free, np.zeros(n, dtype=bool))
        return np.zeros(columns.shape[1]) if solved is None else solved
    part = slice(None, None, n // near)
    residuals = y - columns @ _solve(columns[part], y[part], quantile)
    center = float(np.quantile(residuals, quantile))
    while near < n:
        free = np.zeros(n, dtype=bool)
        free[np.argpartition(np.abs(residuals - center), near)[:near]] = True
        solved = _dual(columns, y, quantile, free, residuals > center)
        if solved is not None:
            wrong = ~free & ((y - columns @ solved > 0) != (residuals > center))
            if not wrong.any():
                return solved
        near *= 2
    return _dual(columns, y, quantile, np.ones(n, dtype=bool), residuals > center)  # type: ignore[return-value]


def _dual(
    columns: Floats, y: Floats, quantile: float, free: NDArray[np.bool_], above: NDArray[np.bool_]
) -> Floats | None:
    """Solve with the points that are not free fixed above or below the curve; None where that is infeasible."""
    target = (1 - quantile) * columns.sum(axis=0) - columns[above & ~free].sum(axis=0)
    rows, values = columns[free], y[free]
    solved = optimize.linprog(-values, A_eq=rows.T, b_eq=target, bounds=(0, 1), method="highs-ds")
    if solved.x is None or not solved.success:
        return None
    on = np.flatnonzero((solved.x > _AT_BOUND) & (solved.x < 1 - _AT_BOUND))
    if on.size == columns.shape[1] and full_rank(rows[on]):
        return np.asarray(np.linalg.solve(rows[on], values[on]), dtype=float)
    return -np.asarray(solved.eqlin.marginals, dtype=float)


def _sandwich(design: Floats, residuals: Floats, quantile: float) -> Floats | None:
    """Powell's kernel sandwich covariance, None where too few residuals are near zero to estimate it."""
    n = residuals.size
    z = stats.norm.ppf(quantile)
    density = stats.norm.pdf(z)
    # Hall and Sheather's bandwidth on the scale of probabilities, halved until it stays inside (0, 1), as in quantreg
    step = n ** (-1 / 3) * stats.norm.ppf(0.975) ** (2 / 3) * (1.5 * density**2 / (2 * z**2 + 1)) ** (1 / 3)
    while quantile - step < 0 or quantile + step > 1:
        step /= 2
    quartiles = np.quantile(residuals, [0.25, 0.75])
    # the interquartile range of a normal distribution is 1.34 standard deviations
    spread = min(residuals.std(ddof=1), float(quartiles[1] - quartiles[0]) / 1.34)
    width = (stats.norm.ppf(quantile + step) - stats.norm.ppf(quantile - step)) * spread
    if not width > 0:
        return None
    weights = stats.norm.pdf(residuals / width) / width
    curvature = design.T @ (weights[:, None] * design)
    norms = np.sqrt(np.diag(curvature))
    if not (norms > 0).all() or np.linalg.cond(curvature / np.outer(norms, norms)) > _MAX_CONDITION:
        return None
    inverse = np.linalg.inv(curvature)
    result: Floats = quantile * (1 - quantile) * inverse @ (design.T @ design) @ inverse
    return result
