"""Random-effects meta-regression of estimates with known standard errors, one or several in each group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval


@dataclass(frozen=True)
class MetaRegression:
    """Coefficients and heterogeneity of a random-effects meta-regression.

    Parameters
    ----------
    coefficients : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        With the Knapp-Hartung factor.
    df : ndarray, shape (p,)
        Degrees of freedom of Student's t for each coefficient.
    tau2 : Interval
        Residual variance between groups, by REML, with Viechtbauer's Q-profile interval where every group has one
        estimate, else 0 to infinity.
    tau2_within : float
        Residual variance between the estimates of one group, by REML; 0 where every group has one.
    tau2_dl : float
        DerSimonian and Laird's estimate of the total residual heterogeneity, as a check.
    i2 : float
        Share of the residual heterogeneity in the total variance.
    q, q_p : float
        Cochran's Q of the residuals, and its p-value.
    q_df : int
    factor : float
        Knapp and Hartung's factor of the covariance, the weighted residual mean square: below 1 where estimates lie
        closer to the line than their standard errors imply.
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

    def mean(self, row: Floats, level: float, *, extra_variance: float = 0.0) -> Interval:
        """t interval of the mean at a row of the design; with extra variance tau2, the plug-in prediction interval."""
        value = float(row @ self.coefficients)
        error = float(np.sqrt(row @ self.covariance @ row + extra_variance))
        half = float(stats.t.isf((1 - level) / 2, self.df.min())) * error
        return Interval(value, value - half, value + half, level)

    def coefficient(self, index: int, level: float, *, modified: bool = False) -> tuple[Interval, float]:
        """t interval of a coefficient and its p-value; `modified` raises a Knapp-Hartung factor below 1 to 1."""
        value, error = float(self.coefficients[index]), float(np.sqrt(self.covariance[index, index]))
        if modified and 0 < self.factor < 1:
            error /= np.sqrt(self.factor)
        df = float(self.df[index])
        half = float(stats.t.isf((1 - level) / 2, df)) * error
        p = float(2 * stats.t.sf(abs(value) / error, df)) if error > 0 else float(value == 0)
        return Interval(value, value - half, value + half, level), p


def meta_regression(
    y: Floats, se: Floats, design: Floats, groups: NDArray[np.int64] | None = None, *, level: float = 0.95
) -> MetaRegression:
    """Fit a random-effects meta-regression by REML, with Knapp and Hartung's covariance.

    Parameters
    ----------
    y, se : ndarray, shape (k,)
        Estimates and their standard errors, taken as known.
    design : ndarray, shape (k, p)
        Of full rank, p < k; the first column is 1.
    groups : ndarray of int, shape (k,), optional
        The group of each estimate; every estimate is a group of its own when left out.
    level : float
        Of the interval of tau2.

    Returns
    -------
    MetaRegression

    Notes
    -----
    Estimand: b in y = design b + u_group + w + e, with variances tau2, tau2_within and se^2; w is in the model only
    where a group has several estimates. The variances are estimated by REML; given them, b and its covariance are those
    of generalised least squares, scaled by the weighted residual mean square: Knapp and Hartung's. Degrees of freedom:
    k - p with one estimate a group; with several, groups less group-level columns for a moderator that is constant
    within groups, and the remaining ones for one that varies. Assumptions: normal effects, known standard errors.

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
    # imported here, so that `import prunestats` stays light
    from statsmodels.regression.linear_model import GLS

    fit = GLS(y, design, sigma=_total(se**2, parts, tau2)).fit()
    fixed = known_variances(y, se**2, design)
    q, trace = float(fixed.ssr), _trace(fixed, se**2, design)
    typical = (k - p) / trace
    heterogeneity = float(tau2.sum())
    interval = _q_profile(y, se**2, design, float(tau2[0]), level)
    if repeated:
        interval = Interval(float(tau2[0]), 0.0, float("inf"), level)
    return MetaRegression(
        coefficients=np.asarray(fit.params, dtype=float),
        covariance=np.asarray(fit.cov_params(), dtype=float),
        df=degrees(design, labels),
        tau2=interval,
        tau2_within=float(tau2[1]) if repeated else 0.0,
        tau2_dl=max(0.0, (q - (k - p)) / trace),
        i2=heterogeneity / (heterogeneity + typical),
        q=q,
        q_p=float(stats.chi2.sf(q, k - p)),
        q_df=k - p,
        factor=float(fit.scale),
    )


def reml(y: Floats, v: Floats, design: Floats, parts: list[Floats]) -> Floats:
    """REML estimates of variance components: tau2_j >= 0 in V = diag(v) + sum of tau2_j parts_j, with v known.

    Examples
    --------
    >>> reml(np.array([1.0, 2.0, 4.0]), np.full(3, 0.01), np.ones((3, 1)), [np.eye(3)]).round(6).tolist()
    [2.323333]
    """
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    scale = float(np.mean(residuals**2)) + float(v.mean())

    def loss(x: Floats) -> tuple[float, Floats]:
        value, gradient = _restricted_likelihood(y, _total(v, parts, x * scale), design, parts)
        return value, gradient * scale

    # several starts, as the likelihood of two components may have local maxima at the bounds; tolerances near rounding,
    # so that the result agrees with metafor to 1e-6
    starts = [np.full(len(parts), start) for start in (0.0, 0.01, 1.0)]
    found = [
        optimize.minimize(
            loss, start, jac=True, bounds=[(0, None)] * len(parts), options={"ftol": 1e-15, "gtol": 1e-11}
        )
        for start in starts
    ]
    best: Floats = min(found, key=lambda one: float(one.fun)).x * scale
    return best


def _restricted_likelihood(y: Floats, total: Floats, design: Floats, parts: list[Floats]) -> tuple[float, Floats]:
    """Negative restricted log likelihood, up to a constant, and its gradient."""
    inverse = np.linalg.inv(total)
    information = design.T @ inverse @ design
    projected = inverse - inverse @ design @ np.linalg.solve(information, design.T @ inverse)
    py = projected @ y
    value = (np.linalg.slogdet(total)[1] + np.linalg.slogdet(information)[1] + y @ py) / 2
    gradient = np.array([np.sum(projected * part) - py @ part @ py for part in parts]) / 2
    return float(value), gradient


def _total(v: Floats, parts: list[Floats], tau2: Floats) -> Floats:
    return np.asarray(np.diag(v) + sum(t * part for t, part in zip(tau2, parts, strict=True)))


def known_variances(y: Floats, v: Floats, design: Floats) -> Any:
    """Weighted least squares with inverse-variance weights, by statsmodels.

    Returns
    -------
    statsmodels.regression.linear_model.RegressionResults
        Its `ssr` is Cochran's Q; its covariance is Knapp and Hartung's, scaled by the weighted residual mean square.
    """
    from statsmodels.regression.linear_model import WLS

    return WLS(y, design, weights=1 / v).fit()


def _trace(fixed: Any, v: Floats, design: Floats) -> float:
    """Trace of W - W X (X'W X)^-1 X'W, the expectation of Q per unit of tau2, with W of inverse variances."""
    return float(np.sum(1 / v) - np.sum(fixed.normalized_cov_params * (design.T / v**2 @ design)))


def _q_profile(y: Floats, v: Floats, design: Floats, value: float, level: float) -> Interval:
    df = design.shape[0] - design.shape[1]
    tail = (1 - level) / 2

    def excess(quantile: float) -> Callable[[float], float]:
        return lambda tau2: float(known_variances(y, v + tau2, design).ssr) - quantile

    low, high = (_root_of_decreasing(excess(float(stats.chi2.ppf(q, df))), float(v.max())) for q in (1 - tail, tail))
    return Interval(value, min(low, value), max(high, value), level)


def _root_of_decreasing(excess: Callable[[float], float], start: float) -> float:
    """Root of a decreasing function on [0, inf); 0 where it starts below zero."""
    if excess(0.0) <= 0:
        return 0.0
    top = start
    while excess(top) > 0:
        top *= 4
    # an absolute tolerance far below any variance of a log ratio
    return float(optimize.brentq(excess, 0.0, top, xtol=1e-14))


def degrees(design: Floats, labels: NDArray[np.int64]) -> Floats:
    """Degrees of freedom of each coefficient, by nlme's rule where groups have several estimates.

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
