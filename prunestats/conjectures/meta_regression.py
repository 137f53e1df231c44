"""Random-effects meta-regression of estimates with known standard errors, one or several from each group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval


@dataclass(frozen=True)
class MetaRegression:
    """A line through estimates that differ by more than their standard errors.

    Parameters
    ----------
    coefficients : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        With Knapp and Hartung's factor.
    df : ndarray, shape (p,)
        Degrees of freedom of Student's t for each coefficient.
    tau2 : Interval
        Variance between groups that the line leaves, by REML; Viechtbauer's Q-profile interval where every group gives
        one estimate, else 0 to infinity.
    tau2_within : float
        Variance between the estimates of one group, by REML; 0 where every group gives one.
    tau2_dl : float
        DerSimonian and Laird's estimate of all variance beyond the standard errors, as a check.
    i2 : float
        Share of such variance in the total.
    q, q_p : float
        Cochran's Q of what the line leaves, and its p-value.
    q_df : int
    factor : float
        Knapp and Hartung's, which the covariance is multiplied by: below 1 where estimates lie nearer to the line than
        their standard errors let expect.
    """

    coefficients: Floats
    covariance: Floats
    df: Floats
    tau2: Interval
    tau2_within: float
    tau2_dl: float
    i2: float
    q: float
    q_p: float
    q_df: int
    factor: float

    def mean(self, row: Floats, level: float, *, more: float = 0.0) -> Interval:
        """Return the mean at a row of the design, with `more` variance besides its own in the interval."""
        value = float(row @ self.coefficients)
        error = float(np.sqrt(row @ self.covariance @ row + more))
        half = float(stats.t.isf((1 - level) / 2, self.df.min())) * error
        return Interval(value, value - half, value + half, level)

    def coefficient(self, index: int, level: float, *, careful: bool = False) -> tuple[Interval, float]:
        """Return a coefficient with its interval and the p-value that it is 0; `careful` takes no factor below 1."""
        value, error = float(self.coefficients[index]), float(np.sqrt(self.covariance[index, index]))
        if careful and 0 < self.factor < 1:
            error /= np.sqrt(self.factor)
        df = float(self.df[index])
        half = float(stats.t.isf((1 - level) / 2, df)) * error
        p = float(2 * stats.t.sf(abs(value) / error, df)) if error > 0 else float(value == 0)
        return Interval(value, value - half, value + half, level), p


def meta_regression(
    y: Floats, se: Floats, design: Floats, groups: NDArray[np.int64] | None = None, *, level: float = 0.95
) -> MetaRegression:
    """Regress estimates on moderators, with a random effect for each group.

    Parameters
    ----------
    y, se : ndarray, shape (k,)
        Estimates and their standard errors, which count as known.
    design : ndarray, shape (k, p)
        Of full rank, p < k; the first column is 1.
    groups : ndarray of int, shape (k,), optional
        The group of each estimate; each its own when left out.
    level : float
        Of the interval of tau2.

    Returns
    -------
    MetaRegression

    Notes
    -----
    Model: y = design b + u_group + w + e, with variances tau2, tau2_within and se^2. Both are estimated by REML; the
    second is there only where a group gives several estimates. The covariance of b is multiplied by the weighted
    residual mean square. Degrees of freedom are k - p with one estimate a group; with several, a moderator that is
    constant within groups has groups less such columns, one that varies has what is left.

    References
    ----------
    G. Knapp and J. Hartung, Statist. Med. 22 (2003), 2693-2710, eq. 8 and 12. W. Viechtbauer, Statist. Med. 26
    (2007), 37-52 (Q-profile). S. W. Raudenbush, in The Handbook of Research Synthesis, 2nd ed. (2009), chapter 16 (DL
    with moderators). J. P. T. Higgins, S. G. Thompson and D. J. Spiegelhalter, J. Roy. Statist. Soc. A 172 (2009),
    137-159 (prediction). I^2 is of W. Viechtbauer, J. Statist. Software 36 (2010).

    Examples
    --------
    >>> fit = meta_regression(np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.1, 0.1]), np.ones((3, 1)))
    >>> fit.coefficients.round(3).tolist(), round(fit.tau2.value, 3)
    ([2.333], 2.323)
    """
    labels = np.arange(y.size) if groups is None else np.unique(groups, return_inverse=True)[1]
    repeated = bool(labels.max() + 1 < y.size)
    same = (labels[:, None] == labels).astype(float)
    parts = [same, np.eye(y.size)] if repeated else [same]
    tau2 = reml(y, se**2, design, parts)
    k, p = design.shape
    root, coefficients = _generalised(y, _total(se**2, parts, tau2), design)
    factor = float(((root @ (y - design @ coefficients)) ** 2).sum()) / (k - p)
    weighted = root @ design
    q, projected = _fixed(y, se**2, design)
    trace = float(np.trace(projected))
    typical = (k - p) / trace
    extra = float(tau2.sum())
    interval = _q_profile(y, se**2, design, float(tau2[0]), level)
    if repeated:
        interval = Interval(float(tau2[0]), 0.0, float("inf"), level)
    return MetaRegression(
        coefficients=coefficients,
        covariance=factor * np.linalg.inv(weighted.T @ weighted),
        df=degrees(design, labels),
        tau2=interval,
        tau2_within=float(tau2[1]) if repeated else 0.0,
        tau2_dl=max(0.0, (q - (k - p)) / trace),
        i2=extra / (extra + typical),
        q=q,
        q_p=float(stats.chi2.sf(q, k - p)),
        q_df=k - p,
        factor=factor,
    )


def reml(y: Floats, v: Floats, design: Floats, parts: list[Floats]) -> Floats:
    """Maximise the restricted likelihood of V = diag(v) + sum of tau2_j parts_j over tau2_j >= 0.

    Examples
    --------
    >>> reml(np.array([1.0, 2.0, 4.0]), np.full(3, 0.01), np.ones((3, 1)), [np.eye(3)]).round(6).tolist()
    [2.323333]
    """
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    scale = float(np.mean(residuals**2)) + float(v.mean())

    def loss(x: Floats) -> tuple[float, Floats]:
        value, gradient = _restricted(y, _total(v, parts, x * scale), design, parts)
        return value, gradient * scale

    starts = [np.full(len(parts), start) for start in (0.0, 0.01, 1.0)]
    found = [
        optimize.minimize(
            loss, start, jac=True, bounds=[(0, None)] * len(parts), options={"ftol": 1e-15, "gtol": 1e-11}
        )
        for start in starts
    ]
    best: Floats = min(found, key=lambda one: float(one.fun)).x * scale
    return best


def _restricted(y: Floats, total: Floats, design: Floats, parts: list[Floats]) -> tuple[float, Floats]:
    """Return minus the restricted log likelihood and its gradient."""
    inverse = np.linalg.inv(total)
    information = design.T @ inverse @ design
    projected = inverse - inverse @ design @ np.linalg.solve(information, design.T @ inverse)
    py = projected @ y
    value = (np.linalg.slogdet(total)[1] + np.linalg.slogdet(information)[1] + y @ py) / 2
    gradient = np.array([np.sum(projected * part) - py @ part @ py for part in parts]) / 2
    return float(value), gradient


def _total(v: Floats, parts: list[Floats], tau2: Floats) -> Floats:
    return np.asarray(np.diag(v) + sum(t * part for t, part in zip(tau2, parts, strict=True)))


def _generalised(y: Floats, total: Floats, design: Floats) -> tuple[Floats, Floats]:
    """Return the root of the inverse of V and the generalised least-squares coefficients."""
    root = np.linalg.inv(np.linalg.cholesky(total))
    coefficients = np.linalg.lstsq(root @ design, root @ y, rcond=None)[0]
    return np.asarray(root, dtype=float), np.asarray(coefficients, dtype=float)


def _fixed(y: Floats, v: Floats, design: Floats) -> tuple[float, Floats]:
    """Return Cochran's Q and the matrix of its quadratic form."""
    weights = np.diag(1 / v)
    projected = weights - weights @ design @ np.linalg.solve(design.T @ weights @ design, design.T @ weights)
    return float(y @ projected @ y), projected


def _q_profile(y: Floats, v: Floats, design: Floats, value: float, level: float) -> Interval:
    df = design.shape[0] - design.shape[1]
    tail = (1 - level) / 2

    def excess(quantile: float) -> Callable[[float], float]:
        return lambda tau2: _fixed(y, v + tau2, design)[0] - quantile

    low, high = (_falls_to_zero(excess(float(stats.chi2.ppf(q, df))), float(v.max())) for q in (1 - tail, tail))
    return Interval(value, min(low, value), max(high, value), level)


def _falls_to_zero(excess: Callable[[float], float], start: float) -> float:
    """Return where a falling function is zero, 0 where it begins below."""
    if excess(0.0) <= 0:
        return 0.0
    top = start
    while excess(top) > 0:
        top *= 4
    return float(optimize.brentq(excess, 0.0, top, xtol=1e-14))


def degrees(design: Floats, labels: NDArray[np.int64]) -> Floats:
    """Return the degrees of freedom of each coefficient, as nlme counts them where groups give several estimates.

    References
    ----------
    J. C. Pinheiro and D. M. Bates, Mixed-Effects Models in S and S-PLUS (2000), section 2.4.2.

    Examples
    --------
    >>> degrees(np.column_stack([np.ones(6), [0, 1, 0, 1, 0, 1]]), np.array([0, 0, 1, 1, 2, 2])).tolist()
    [2.0, 2.0]
    """
    k, p = design.shape
    n = int(labels.max()) + 1
    if n == k:
        return np.full(p, float(k - p))
    first = np.array([np.flatnonzero(labels == label)[0] for label in range(n)])
    constant = (design == design[first[labels]]).all(axis=0)
    between = n - int(constant.sum())
    return np.where(constant, float(between), float(k - n - int((~constant).sum())))
