"""Fixed-effects regression of the log optimum on the log FLOPs fraction: does the optimum shift with the regime?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from prunestats.conjectures.log_optima import (
    LogOptimum,
    asymmetry_note,
    log_optima,
    selection_note,
    share_a_ratio,
)
from prunestats.conjectures.regime_optima import optima_of_regimes
from prunestats.errors import InputError, ResultsError
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.optimum.optimum import Optimum


@dataclass(frozen=True, repr=False)
class RegimeTrend(Result):
    """The optimum of each regime, and whether it is the same in all.

    Parameters
    ----------
    regimes : tuple of float
        FLOPs fractions, largest first.
    optima : tuple of Optimum
        One a regime.
    estimates : tuple of LogOptimum
        Their log ratios and standard errors, excluded ones too.
    slope : Interval or None
        Elasticity of the optimum: its change on the log scale per unit of log FLOPs fraction; None with fewer than two
        estimates.
    slope_p : float
        P-value of slope 0; nan without a slope.
    halving : Interval or None
        The factor by which halving the FLOPs multiplies the optimum, 0.5 ** slope.
    equality_p : float
        P-value of Cochran's Q, that all regimes with an estimate have one optimum; nan without a slope.
    line_p : float
        P-value of the residual Q, that a line in log FLOPs fits; nan with fewer than three estimates.
    notes : tuple of str
        What was excluded, and what cannot be concluded.
    n_estimates : int
        Regimes with an estimate.
    bucket : int
    response : str
    level : float
    """

    regimes: tuple[float, ...]
    optima: tuple[Optimum, ...]
    estimates: tuple[LogOptimum, ...]
    slope: Interval | None
    slope_p: float
    halving: Interval | None
    equality_p: float
    line_p: float
    notes: tuple[str, ...]
    n_estimates: int
    bucket: int
    response: str
    level: float

    def __repr__(self) -> str:
        moved = "" if self.halving is None else f", halving={self.halving}, equality_p={self.equality_p:.3g}"
        return f"RegimeTrend({self.n_estimates} of {len(self.regimes)} regimes with an optimum{moved})"


def optimum_across_regimes(
    frame: pd.DataFrame,
    *,
    bucket: int = 1,
    response: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> RegimeTrend:
    """Estimate the optimum of each regime, and test whether it shifts with the FLOPs fraction.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one data set and protocol in two regimes or more, one row a run.
    bucket, response, level
        As of `find_optimum`.
    rng : numpy.random.Generator, optional
        For the spline's posterior draws; every regime starts from a copy of it. Seeded with 0 when left out.

    Returns
    -------
    RegimeTrend

    Raises
    ------
    ResultsError
        For fewer than two regimes, runs without a regime, and what `find_optimum` refuses.

    Notes
    -----
    Estimand, model and assumptions: see `regime_trend`.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> params = rng.integers(5_000, 20_000, 400)
    >>> frame = pd.DataFrame({"subnetwork": np.arange(400).astype(str), "params": params, "regime": 0.5})
    >>> frame.loc[200:, "regime"] = 0.25
    >>> frame["flops"] = np.where(frame["regime"] == 0.5, 1_000_000, 500_000)
    >>> frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.005 * rng.standard_normal(400)
    >>> found = optimum_across_regimes(frame, rng=rng)
    >>> found.n_estimates, 0.5 in found.halving, found.equality_p < 0.001
    (2, True, True)
    """
    n = frame["regime"].nunique() if "regime" in frame.columns else 0
    if n < 2:
        raise ResultsError(
            f"a shift of the optimum needs two regimes; found {n}: load them together, or use find_optimum for one"
        )
    found = optima_of_regimes(frame, bucket=bucket, response=response, level=level, rng=rng)
    return regime_trend({regime: one for regime, one in found.items() if regime is not None}, level=level)


def regime_trend(optima: Mapping[float, Optimum], *, level: float = 0.95) -> RegimeTrend:
    """Fixed-effects regression of the log optima of several regimes on the log FLOPs fraction, with Cochran's Q.

    Parameters
    ----------
    optima : mapping of float to Optimum
        By FLOPs fraction; of one response and bucket.
    level : float

    Returns
    -------
    RegimeTrend

    Raises
    ------
    InputError
        For no optimum, fractions that are not positive, different responses or buckets, or a level outside (0, 1).

    Notes
    -----
    Estimand: the slope of the weighted least-squares line of log optimum on log FLOPs fraction over these regimes. They
    are chosen, not sampled from a population of regimes, so there is no between-regime variance to estimate: weights
    are inverse squared standard errors, see `log_optimum`, and the tests are normal and chi-squared. Assumptions: the
    standard errors are known, and the optima independent, as no subnetwork is in two regimes.

    References
    ----------
    W. G. Cochran, Biometrics 10 (1954), 101-129 (Q). L. V. Hedges and I. Olkin, Statistical Methods for Meta-Analysis
    (1985), chapter 8 (the fixed-effects line).
    """
    check_level(level)
    if not optima:
        raise InputError("a trend needs optima of regimes; found none: give those of find_optimum, one a regime")
    regimes = sorted(optima, reverse=True)
    if not regimes[-1] > 0:
        raise InputError(f"a regime must be a FLOPs fraction above 0; found {regimes[-1]:g}: half the FLOPs are 0.5")
    ordered = [optima[regime] for regime in regimes]
    estimates = log_optima(ordered, [f"{regime:g}" for regime in regimes])
    kept = np.array([not one.refusal for one in estimates])
    y, se = (np.array([getattr(one, what) for one in estimates])[kept] for what in ("log_ratio", "se"))
    x = np.log(np.array(regimes, dtype=float))[kept]
    slope, slope_p, equality_p, line_p = _fixed_effects_line(x, y, se, level)
    return RegimeTrend(
        regimes=tuple(float(regime) for regime in regimes),
        optima=tuple(ordered),
        estimates=tuple(estimates),
        slope=slope,
        slope_p=slope_p,
        halving=None if slope is None else _halving(slope),
        equality_p=equality_p,
        line_p=line_p,
        notes=_notes(estimates, [optimum for optimum, used in zip(ordered, kept, strict=True) if used]),
        n_estimates=int(kept.sum()),
        bucket=ordered[0].bucket,
        response=ordered[0].response,
        level=float(level),
    )


def _fixed_effects_line(x: Floats, y: Floats, se: Floats, level: float) -> tuple[Interval | None, float, float, float]:
    """Slope of the weighted line with known variances, its p-value, and the p-values of Q and of the residual Q."""
    nan = float("nan")
    if y.size < 2:
        return None, nan, nan, nan
    # imported here, so that `import prunestats` stays light
    from statsmodels.regression.linear_model import WLS

    # a fixed scale of 1: the variances are known, and the residuals do not estimate them anew
    fit = WLS(y, np.column_stack([np.ones(y.size), x]), weights=1 / se**2).fit(cov_type="fixed scale")
    low, high = fit.conf_int(1 - level)[1]
    line_p = float(stats.chi2.sf(fit.ssr, y.size - 2)) if y.size > 2 else nan
    equality_p = float(stats.chi2.sf(fit.centered_tss, y.size - 1))
    return Interval(float(fit.params[1]), float(low), float(high), level), float(fit.pvalues[1]), equality_p, line_p


def _halving(slope: Interval) -> Interval:
    value, low, high = (float(0.5**bound) for bound in (slope.value, slope.high, slope.low))
    return Interval(value, low, high, slope.level)


def _notes(estimates: list[LogOptimum], used: list[Optimum]) -> tuple[str, ...]:
    notes = [*selection_note(estimates), *asymmetry_note(estimates)]
    if len(used) < 2:
        notes.append(
            f"{len(used)} of {len(estimates)} regimes {'has' if len(used) == 1 else 'have'} an optimum: a test of a "
            "shift needs two, a test of linearity three."
        )
        return tuple(notes)
    if len(used) == 2:
        notes.append("Two regimes: a line fits two points exactly; a third regime would test linearity.")
    if not share_a_ratio(used):
        notes.append(
            "No ratio lies in the middle 80 % of the sampled ratios of all these regimes: a common optimum could not "
            "have been found, so the difference may come from the sampled ratios alone."
        )
    return tuple(notes)
