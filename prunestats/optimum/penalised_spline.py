"""A penalised cubic regression spline with its smoothing parameter chosen from the data, in closed form."""

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
    """A smooth curve of the response in log ratio, at the average of the originals.

    Parameters
    ----------
    knots : ndarray, shape (k,)
        On the log ratio scale.
    coefficients : ndarray, shape (k,)
        Values of the curve at the knots.
    covariance : ndarray, shape (k, k)
        Bayesian posterior covariance of `coefficients`.
    smoothing : float
        The smoothing parameter.
    edf : float
        Effective degrees of freedom of the curve, with its constant.
    sigma2 : float
        Residual variance.
    method : {"gcv", "reml"}
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
        """Return the basis at log ratios `x`, shape (m, k)."""
        return cubic_basis(np.asarray(x, dtype=float), self.knots, self._second)

    @cached_property
    def _second(self) -> Floats:
        return second_derivatives(self.knots)[0]

    def draws(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw `n` coefficient vectors from the posterior, shape (n, k)."""
        values, vectors = np.linalg.eigh(self.covariance)
        half = vectors * np.sqrt(np.clip(values, 0, None))
        return np.asarray(self.coefficients + rng.standard_normal((n, self.coefficients.size)) @ half.T)


def knots_of(x: Floats, count: int = 10) -> Floats:
    """Place `count` knots evenly through the distinct values of x, the ends included.

    Examples
    --------
    >>> knots_of(np.array([0.0, 1.0, 1.0, 2.0]), 3).tolist()
    [0.0, 1.0, 2.0]
    """
    distinct = np.unique(x)
    return np.quantile(distinct, np.linspace(0, 1, min(count, distinct.size)))


def second_derivatives(knots: Floats) -> tuple[Floats, Floats]:
    """Return F, which maps values at the knots to second derivatives there, and the penalty S.

    Notes
    -----
    The natural cubic spline through values b at the knots has second derivatives F b and integrated squared second
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
    """Return the natural cubic spline basis: each column is the spline that is 1 at its knot and 0 at the others.

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
    """Fit the mean response of a population as a smooth curve in log ratio.

    Parameters
    ----------
    data : Points
        Subnetworks, with at least four distinct x and more points than parameters.
    knots : int
        Number of knots, at evenly spaced quantiles of the distinct x.
    method : {"reml", "gcv"}
        How the smoothing parameter is chosen: restricted maximum likelihood, or generalised cross-validation.
    factor : float
        What the chosen smoothing parameter is multiplied by; below 1 undersmooths.
    robust : bool
        Whether the part of the covariance that is due to noise is estimated from each point's own residual, as HC3
        does, rather than from one common variance.

    Returns
    -------
    Spline

    Notes
    -----
    One QR factorisation and one eigendecomposition turn both criteria into sums over at most `knots` terms, so the
    search over the smoothing parameter costs nothing. Cost is linear in the number of points.

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
    """Fit a curve for every factor of the chosen smoothing parameter, for the price of one."""
    places = knots_of(data.x, knots)
    second, roughness = second_derivatives(places)
    design = data.weigh(np.column_stack([cubic_basis(data.x, places, second), data.effects]))
    y = data.target
    n, p = design.shape
    k = places.size
    penalty = np.zeros((p, p))
    penalty[:k, :k] = roughness
    q, r = np.linalg.qr(design)
    inverse = linalg.solve_triangular(r, np.eye(p))
    d, vectors = np.linalg.eigh(inverse.T @ penalty @ inverse)
    # the curve's straight lines and the originals' levels go unpenalised: their eigenvalues are zeros
    d = np.where(np.arange(p) < p - (k - 2), 0.0, np.clip(d, 0, None))
    axes, root = q @ vectors, inverse @ vectors
    z = axes.T @ y
    rss0 = max(float(y @ y - z @ z), 0.0)
    chosen = _choose(d, z, rss0, n, method)
    curves = []
    for smoothing in np.exp(chosen) * np.asarray(factors):
        shrink = 1 / (1 + smoothing * d)
        edf = float(shrink.sum())
        sigma2 = (rss0 + float(((1 - shrink) * z) @ ((1 - shrink) * z))) / (n - edf)
        posterior = sigma2 * np.diag(shrink)
        if robust:
            posterior = sigma2 * np.diag(shrink - shrink**2) + _noise(axes, shrink, z, y)
        covariance, values = (root @ posterior @ root.T)[:k, :k], (root @ (shrink * z))[:k]
        curve_edf = edf - data.effects.shape[1]
        curves.append(Spline(places, values, covariance, float(smoothing), curve_edf, sigma2, method))
    return curves


def _noise(axes: Floats, shrink: Floats, z: Floats, y: Floats) -> Floats:
    """Return the covariance of the shrunken coordinates that is due to noise, by HC3's residuals."""
    residuals = y - axes @ (shrink * z)
    room = 1 - (axes**2) @ shrink
    scaled = axes * np.where(room < 1e-9, 0.0, residuals / np.where(room < 1e-9, 1.0, room))[:, None]
    return np.asarray(shrink[:, None] * (scaled.T @ scaled) * shrink)


def _choose(d: Floats, z: Floats, rss0: float, n: int, method: str) -> float:
    """Minimise the criterion over the log smoothing parameter: a grid, then Brent's method around its best point."""
    wiggly = d[d > 0]
    centre = -float(np.log(wiggly).mean())
    reach = float(np.log(wiggly.max() / wiggly.min())) / 2 + 18.0

    def gcv(log_smoothing: Floats) -> Floats:
        shrink = 1 / (1 + np.exp(log_smoothing)[:, None] * d)
        rss = rss0 + (((1 - shrink) * z) ** 2).sum(axis=1)
        return np.asarray(np.log(rss) - 2 * np.log(n - shrink.sum(axis=1)))

    def reml(log_smoothing: Floats) -> Floats:
        ld = np.exp(log_smoothing)[:, None] * wiggly
        penalised = rss0 + (z[d > 0] ** 2 * ld / (1 + ld)).sum(axis=1)
        return np.asarray((n - (d.size - wiggly.size)) * np.log(penalised) + np.log1p(1 / ld).sum(axis=1))

    criterion = gcv if method == "gcv" else reml
    grid = centre + np.linspace(-reach, reach, 81)
    best = int(np.argmin(criterion(grid)))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found = optimize.minimize_scalar(
        lambda value: float(criterion(np.array([value]))[0]),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(found.x)
