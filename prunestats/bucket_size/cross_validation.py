"""Repeated cross-validation of least-squares fits, with Nadeau and Bengio's corrected interval of a difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval


def assign_folds(strata: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random folds of equal size, stratified: subnetworks of each original are spread evenly.

    Examples
    --------
    >>> strata = np.array([0, 0, 0, 0, 1, 1])
    >>> np.bincount(assign_folds(strata, 2, np.random.default_rng(0))[:4]).tolist()
    [2, 2]
    """
    shuffled = rng.permutation(strata.size)
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    fold = np.empty(strata.size, dtype=np.int64)
    fold[by_stratum] = np.arange(strata.size) % folds
    return fold


def fold_losses(basis: Floats, y: Floats, fold: NDArray[np.int64]) -> Floats:
    """Mean squared error on each fold of the least-squares fit to the other folds.

    Parameters
    ----------
    basis : ndarray, shape (n, p)
        Orthonormal columns.
    y : ndarray, shape (n,)
    fold : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (folds,)

    Notes
    -----
    Each fit solves the normal equations of all points less those of the fold, so one pass over the points serves all
    folds.

    Examples
    --------
    >>> fold_losses(np.full((4, 1), 0.5), np.array([0.0, 1.0, 2.0, 3.0]), np.array([0, 0, 1, 1])).tolist()
    [4.25, 4.25]
    """
    order = np.argsort(fold, kind="stable")
    basis, y = basis[order], y[order]
    whole = basis.T @ y
    losses = []
    for rows, values in _parts(basis, y, np.bincount(fold)):
        left = np.eye(basis.shape[1]) - rows.T @ rows
        # leaving a fold out may make columns collinear; singular values are at most 1, and below 1e-9 rounding error
        coefficients = np.linalg.pinv(left, rcond=1e-9, hermitian=True) @ (whole - rows.T @ values)
        losses.append(float(np.mean((values - rows @ coefficients) ** 2)))
    return np.array(losses)


def _parts(basis: Floats, y: Floats, sizes: NDArray[np.int64]) -> list[tuple[Floats, Floats]]:
    starts = np.cumsum(sizes)[:-1]
    return list(zip(np.split(basis, starts), np.split(y, starts), strict=True))


def corrected_interval(differences: Floats, folds: int, level: float) -> tuple[Interval, float]:
    """Nadeau and Bengio's corrected t interval and p-value of a mean difference in loss over repeated cross-validation.

    Parameters
    ----------
    differences : ndarray, shape (repeats * folds,)
        Losses of one predictor less those of another on the same folds.
    folds : int
    level : float

    Returns
    -------
    Interval, float

    Notes
    -----
    Training sets overlap, so losses of different folds are correlated and their sample variance understates that of the
    mean. The variance of the mean of J differences is (1 / J + 1 / (folds - 1)) times their sample variance, and
    Student's t has J - 1 degrees of freedom.

    References
    ----------
    C. Nadeau and Y. Bengio, Machine Learning 52 (2003), 239-281, eq. 5 and section 4; R. R. Bouckaert and E. Frank,
    PAKDD 2004, for repeated cross-validation.

    Examples
    --------
    >>> interval, p = corrected_interval(np.array([1.0, 2.0, 3.0, 2.0]), 2, 0.95)
    >>> interval.value, 0 < p < 1
    (2.0, True)
    """
    count = differences.size
    mean = float(differences.mean())
    error = float(np.sqrt((1 / count + 1 / (folds - 1)) * differences.var(ddof=1)))
    if error == 0:
        return Interval(mean, mean, mean, level), float(mean == 0)
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    return Interval(mean, mean - half, mean + half, level), float(2 * stats.t.sf(abs(mean) / error, count - 1))
