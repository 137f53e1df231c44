"""Least squares with a heteroscedasticity-consistent covariance (HC3), on points grouped by original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, stats

from prunestats.numeric.arrays import Floats


@dataclass(frozen=True)
class Points:
    """Subnetworks as points (x, y), with the original of each as fixed effects.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Log of the ratio of FLOPs to parameter buckets.
    y : ndarray, shape (n,)
        The response, averaged over seeds.
    effects : ndarray, shape (n, originals - 1)
        Indicators of all originals but the first, each less its mean: at effects of zero a fitted curve is the average
        of the originals' curves, weighted by their numbers of subnetworks.
    weights : ndarray, shape (n,), or None
        Precision of each y divided by the mean precision; None where all are equal.
    originals : tuple of str
        Names of the originals that `effects` stand for, column by column.
    """

    x: Floats
    y: Floats
    effects: Floats
    weights: Floats | None = None
    originals: tuple[str, ...] = ()

    @cached_property
    def x_middle(self) -> tuple[float, float]:
        """The 10 % and 90 % quantiles of x, which bound the middle 80 % of the subnetworks."""
        low, high = np.quantile(self.x, [0.1, 0.9])
        return float(low), float(high)

    def columns(self, *terms: Floats) -> Floats:
        """Return the unweighted design matrix: 1, `terms`, effects."""
        return np.column_stack([np.ones_like(self.x), *terms, self.effects])

    def design(self, *terms: Floats) -> Floats:
        """Return the design matrix with each row multiplied by the square root of its weight."""
        return self.weigh(self.columns(*terms))

    @property
    def target(self) -> Floats:
        """The response with each entry multiplied by the square root of its weight."""
        return self.weigh(self.y)

    def weigh(self, rows: Floats) -> Floats:
        """Multiply the rows of a matrix, or the entries of a vector, by the square roots of the weights."""
        if self.weights is None:
            return rows
        root = np.sqrt(self.weights)
        return rows * (root if rows.ndim == 1 else root[:, None])


@dataclass(frozen=True)
class LinearFit:
    """A least-squares fit.

    Parameters
    ----------
    coefficients : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        HC3 covariance of `coefficients`.
    rss : float
        Residual sum of squares.
    df : int
        Residual degrees of freedom, n - p.
    """

    coefficients: Floats
    covariance: Floats
    rss: float
    df: int

    def t(self, index: int) -> float:
        """Return the t statistic of a coefficient."""
        variance = float(self.covariance[index, index])
        value = float(self.coefficients[index])
        if variance > 0:
            return value / float(np.sqrt(variance))
        return float(np.copysign(np.inf, value)) if value else 0.0

    def p(self, index: int) -> float:
        """Return the two-sided p-value of a coefficient by Student's t with `df` degrees of freedom."""
        return float(2 * stats.t.sf(abs(self.t(index)), self.df))


def points(x: ArrayLike, y: ArrayLike, originals: Sequence[object] | NDArray[np.generic] | None = None) -> Points:
    """Return x, y and the fixed effects of the originals as `Points`.

    Examples
    --------
    >>> points([1.0, 2.0, 3.0], [1.0, 4.0, 9.0], ["a", "a", "b"]).effects.round(3).tolist()
    [[-0.333], [-0.333], [0.667]]
    """
    xs = np.asarray(x, dtype=float)
    if originals is None:
        return Points(xs, np.asarray(y, dtype=float), np.empty((xs.size, 0)))
    names, codes = np.unique(np.asarray(originals).astype(str), return_inverse=True)
    indicators = (codes[:, None] == np.arange(1, names.size)).astype(float)
    effects = indicators - indicators.mean(axis=0)
    return Points(xs, np.asarray(y, dtype=float), effects, originals=tuple(names[1:].tolist()))


def full_rank(design: Floats) -> bool:
    """Whether the columns are linearly independent, each scaled to norm 1.

    Notes
    -----
    Singular values below 1e-9 count as zero: rounding leaves 1e-15 of a dependent column, and where less than 1e-9 of
    a column is independent of the others, fewer than half of the digits of its coefficient are right.

    Examples
    --------
    >>> full_rank(np.column_stack([np.ones(3), np.full(3, 2.0)]))
    False
    """
    norms = np.linalg.norm(design, axis=0)
    if design.shape[0] < design.shape[1] or not (norms > 0).all():
        return False
    return bool(np.linalg.matrix_rank(design / norms, tol=1e-9) == design.shape[1])


def least_squares(design: Floats, y: Floats) -> LinearFit:
    """Ordinary least squares with the HC3 covariance.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Of full rank, n > p.
    y : ndarray, shape (n,)

    Returns
    -------
    LinearFit

    Notes
    -----
    HC3 divides each residual by 1 - leverage. A point with leverage 1, the only subnetwork of an original say, is
    fitted exactly by a parameter of its own: its scaled residual is 0 / 0, and it is left out of the covariance. A
    leverage within 1e-9 of 1 counts as 1: rounding errors are near 1e-15, other leverages far below. Elsewhere
    `statsmodels.api.OLS` with HC3 gives the same; docs/decisions/0011-statsmodels-and-closed-forms.md says why it is
    not called here.

    References
    ----------
    J. G. MacKinnon and H. White, J. Econometrics 29 (1985), 305-325, in the form of J. S. Long and
    L. H. Ervin, Amer. Statist. 54 (2000), 217-224.

    Examples
    --------
    >>> fit = least_squares(np.column_stack([np.ones(4), np.arange(4.0)]), np.array([0.0, 1.0, 2.0, 4.0]))
    >>> fit.coefficients.round(2).tolist()
    [-0.2, 1.3]
    """
    n, p = design.shape
    q, r = np.linalg.qr(design)
    coefficients = linalg.solve_triangular(r, q.T @ y)
    residuals = y - design @ coefficients
    complement = 1 - np.einsum("ij,ij->i", q, q)
    exact = complement < 1e-9
    scaled = np.where(exact, 0.0, residuals / np.where(exact, 1.0, complement))
    projected = q * scaled[:, None]
    inverse = linalg.solve_triangular(r, np.eye(p))
    covariance = inverse @ (projected.T @ projected) @ inverse.T
    return LinearFit(coefficients, covariance, float(residuals @ residuals), n - p)


def wald(fit: LinearFit, indices: Sequence[int]) -> tuple[float, float]:
    """Wald test that several coefficients are all zero.

    Returns
    -------
    f, p : float
        Wald statistic divided by the number q of coefficients, and its p-value by F(q, df).

    Examples
    --------
    >>> x = np.arange(6.0)
    >>> fit = least_squares(np.column_stack([np.ones(6), x]), x + np.array([0.1, -0.1, 0.2, -0.2, 0.1, -0.1]))
    >>> f, p = wald(fit, [1])
    >>> bool(np.isclose(f, fit.t(1) ** 2))
    True
    """
    chosen = list(indices)
    b = fit.coefficients[chosen]
    v = fit.covariance[np.ix_(chosen, chosen)]
    scale = np.sqrt(np.diag(v))
    if not (scale > 0).all():
        return (float("inf"), 0.0) if np.any(b != 0) else (0.0, 1.0)
    standard = b / scale
    f = float(standard @ np.linalg.lstsq(v / np.outer(scale, scale), standard, rcond=None)[0]) / len(chosen)
    return f, float(stats.f.sf(f, len(chosen), fit.df))


def correlation(a: Floats, b: Floats) -> float:
    """Return Pearson's correlation, nan where either is constant.

    Examples
    --------
    >>> correlation(np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    nan
    """
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan")


def orthonormal(columns: Floats) -> Floats:
    """Return an orthonormal basis of the column space.

    Notes
    -----
    A pivot below 1e-7, columns being scaled to norm 1, counts as zero: centred logarithms of costs within 0.1 % carry
    relative rounding errors near 1e-12, and the margin lets the terms of still narrower bands count as dependent.

    Examples
    --------
    >>> orthonormal(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0], [1.0, 2.0, 5.0]])).shape
    (3, 2)
    """
    norms = np.linalg.norm(columns, axis=0)
    q, r, _ = linalg.qr(columns[:, norms > 0] / norms[norms > 0], mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(r)) > 1e-7).sum())
    return np.asarray(q[:, :rank], dtype=float)
