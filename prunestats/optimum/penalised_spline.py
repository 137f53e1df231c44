"""A penalised cubic regression spline with its smoothing parameter selected by REML or GCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, optimize

from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import Points


@dataclass(frozen=True, repr=False)
class Spline:
    """A penalised cubic regression spline of the response in log ratio, at the average of the originals.

    Parameters
    ----------
    knots : ndarray, shape (k,)
        On the log ratio scale, increasing.
    coefficients : ndarray, shape (k,)
        Values of the curve at the knots.
    covariance : ndarray, shape (k, k)
        Bayesian posterior covariance of `coefficients`.
    smoothing : float
        The smoothing parameter.
    edf : float
        Effective degrees of freedom of the curve, its constant included.
    sigma2 : float
        Residual variance.
    method : {"gcv", "reml"}
        Criterion that selected the smoothing parameter.
    """

    knots: Floats
    coefficients: Floats
    covariance: Floats
    smoothing: float
    edf: float
    sigma2: float
    method: str

    def __repr__(self) -> str:
        return f"Spline(knots={self.knots.size}, edf={self.edf:.2f}, method={self.method!r})"

    def curve(self, x: ArrayLike) -> tuple[Floats, Floats]:
        """Return the fitted response and its standard error at log ratios `x`."""
        rows = self.rows(x)
        fit = rows @ self.coefficients
        error: Floats = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", rows, self.covariance, rows), 0, None))
        return fit, error

    def rows(self, x: ArrayLike) -> Floats:
        """Return the basis functions at log ratios `x`, shape (m, k)."""
        return cubic_basis(np.asarray(x, dtype=float), self.knots, self._second)

    @cached_property
    def _second(self) -> Floats:
        return second_derivatives(self.knots)[0]

    def draws(self, n: int, rng: np.random.Generator) -> Floats:
        """Sample `n` coefficient vectors from the posterior, shape (n, k)."""
        values, vectors = np.linalg.eigh(self.covariance)
        half = vectors * np.sqrt(np.clip(values, 0, None))
        return np.asarray(self.coefficients + rng.standard_normal((n, self.coefficients.size)) @ half.T)


def knots_of(x: Floats, count: int = 10) -> Floats:
    """Return `count` knots at evenly spaced quantiles of the distinct values of x, both extremes included.

    Examples
    --------
    >>> knots_of(np.array([0.0, 1.0, 1.0, 2.0]), 3).tolist()
    [0.0, 1.0, 2.0]
    """
    distinct = np.unique(x)
    return np.quantile(distinct, np.linspace(0, 1, min(count, distinct.size)))


def second_derivatives(knots: Floats) -> tuple[Floats, Floats]:
    """Return the matrix F that maps values at the knots to second derivatives there, and the penalty matrix S.

    Notes
    -----
    The natural cubic spline with values b at the knots has second derivatives F b and integrated squared second
    derivative b' S b.

    References
    ----------
    S. N. Wood, Generalized Additive Models, 2nd ed. (2017), section 5.3.1.
    """
    h = np.diff(knots)
    k = knots.size
    d = np.zeros((k - 2, k))
    b = np.zeros((k - 2, k - 2))
    inner = np.arange(k - 2)
    d[inner, inner], d[inner, inner + 1], d[inner, inner + 2] = 1 / h[:-1], -1 / h[:-1] - 1 / h[1:], 1 / h[1:]
    b[inner, inner] = (h[:-1] + h[1:]) / 3
    b[inner[:-1], inner[1:]] = b[inner[1:], inner[:-1]] = h[1:-1] / 6
    solved = np.linalg.solve(b, d)
    return np.vstack([np.zeros(k), solved, np.zeros(k)]), d.T @ solved


def cubic_basis(x: Floats, knots: Floats, second: Floats) -> Floats:
    """Return the cardinal basis of natural cubic splines: each column is 1 at its knot and 0 at the others.

    References
    ----------
    S. N. Wood, Generalized Additive Models, 2nd ed. (2017), section 5.3.1 and table 5.1.
    """
    j = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, knots.size - 2)
    h = knots[j + 1] - knots[j]
    left, right = knots[j + 1] - x, x - knots[j]
    basis = ((left**3 / h - h * left) / 6)[:, None] * second[j] + ((right**3 / h - h * right) / 6)[:, None] * second[
        j + 1
    ]
    row = np.arange(x.size)
    basis[row, j] += left / h
    basis[row, j + 1] += right / h
    return np.asarray(basis, dtype=float)


def fit_spline(
    data: Points,
    *,
    knots: int = 10,
    method: Literal["gcv", "reml"] = "reml",
    factor: float = 1.0,
    robust: bool = False,
) -> Spline:
    """Fit the mean response of a population by a penalised cubic regression spline in log ratio.

    Parameters
    ----------
    data : Points
        Subnetworks, with at least four distinct x and more points than parameters.
    knots : int
        Number of knots, at evenly spaced quantiles of the distinct x.
    method : {"reml", "gcv"}
        Criterion of the smoothing parameter: restricted maximum likelihood, or generalised cross-validation.
    factor : float
        Multiplier of the selected smoothing parameter; below 1 undersmooths.
    robust : bool
        Whether the sampling variance in the posterior covariance is HC3's rather than homoscedastic.

    Returns
    -------
    Spline

    Notes
    -----
    One QR factorisation and one eigendecomposition turn both criteria into sums over at most `knots` terms, so that the
    search over the smoothing parameter is independent of the number of points, and the total cost linear in it.

    References
    ----------
    S. N. Wood, Generalized Additive Models, 2nd ed. (2017), chapter 6: GCV, REML, and the posterior
    covariance.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 60)
    >>> fit_spline(points(x, np.abs(x) + 0.01 * np.cos(80 * x))).edf > 4
    True
    """
    return fit_splines(data, (factor,), knots=knots, method=method, robust=robust)[0]


def fit_splines(
    data: Points, factors: Sequence[float], *, knots: int, method: Literal["gcv", "reml"] = "reml", robust: bool = False
) -> list[Spline]:
    """Fit a spline for each multiple of the selected smoothing parameter, with one factorisation for all."""
    at = knots_of(data.x, knots)
    second, roughness = second_derivatives(at)
    design = data.weigh(np.column_stack([cubic_basis(data.x, at, second), data.effects]))
    y = data.target
    n, p = design.shape
    k = at.size
    penalty = np.zeros((p, p))
    penalty[:k, :k] = roughness
    q, r = np.linalg.qr(design)
    inverse = linalg.solve_triangular(r, np.eye(p))
    d, vectors = np.linalg.eigh(inverse.T @ penalty @ inverse)
    # straight lines and the originals' effects are unpenalised: their eigenvalues are zero but for rounding
    d = np.where(np.arange(p) < p - (k - 2), 0.0, np.clip(d, 0, None))
    axes, root = q @ vectors, inverse @ vectors
    z = axes.T @ y
    rss0 = max(float(y @ y - z @ z), 0.0)
    selected = _select_log_smoothing(d, z, rss0, n, method)
    curves = []
    for smoothing in np.exp(selected) * np.asarray(factors):
        shrink = 1 / (1 + smoothing * d)
        edf = float(shrink.sum())
        sigma2 = (rss0 + float(((1 - shrink) * z) @ ((1 - shrink) * z))) / (n - edf)
        posterior = sigma2 * np.diag(shrink)
        if robust:
            posterior = sigma2 * np.diag(shrink - shrink**2) + _hc3_part(axes, shrink, z, y)
        covariance, values = (root @ posterior @ root.T)[:k, :k], (root @ (shrink * z))[:k]
        curve_edf = edf - data.effects.shape[1]
        curves.append(Spline(at, values, covariance, float(smoothing), curve_edf, sigma2, method))
    return curves


def _hc3_part(axes: Floats, shrink: Floats, z: Floats, y: Floats) -> Floats:
    """Return the HC3 sampling covariance of the shrunken coordinates."""
    residuals = y - axes @ (shrink * z)
    complement = 1 - (axes**2) @ shrink
    # leverage 1 within rounding, as in `least_squares`
    exact = complement < 1e-9
    scaled = axes * np.where(exact, 0.0, residuals / np.where(exact, 1.0, complement))[:, None]
    return np.asarray(shrink[:, None] * (scaled.T @ scaled) * shrink)


def _select_log_smoothing(d: Floats, z: Floats, rss0: float, n: int, method: str) -> float:
    """Minimise the criterion over the log smoothing parameter: on a grid, then by Brent's method around its minimum."""
    penalised_d = d[d > 0]
    center = -float(np.log(penalised_d).mean())
    # exp(18) beyond the eigenvalues on either side: there each coordinate is free or shrunken to zero within 1e-7
    half_width = float(np.log(penalised_d.max() / penalised_d.min())) / 2 + 18.0

    def gcv(log_smoothing: Floats) -> Floats:
        shrink = 1 / (1 + np.exp(log_smoothing)[:, None] * d)
        rss = rss0 + (((1 - shrink) * z) ** 2).sum(axis=1)
        return np.asarray(np.log(rss) - 2 * np.log(n - shrink.sum(axis=1)))

    def reml(log_smoothing: Floats) -> Floats:
        ld = np.exp(log_smoothing)[:, None] * penalised_d
        penalised = rss0 + (z[d > 0] ** 2 * ld / (1 + ld)).sum(axis=1)
        return np.asarray((n - (d.size - penalised_d.size)) * np.log(penalised) + np.log1p(1 / ld).sum(axis=1))

    criterion = gcv if method == "gcv" else reml
    # 81 points are about half a unit apart, so that two minima of GCV are not taken for one
    grid = center + np.linspace(-half_width, half_width, 81)
    best = int(np.argmin(criterion(grid)))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    # at a minimum a log smoothing parameter within 1e-7 leaves the criterion right to rounding
    found = optimize.minimize_scalar(
        lambda value: float(criterion(np.array([value]))[0]),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(found.x)
