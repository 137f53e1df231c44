"""Does the optimum move with the regime?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from prunestats.conjectures.log_optima import LogOptimum, log_optima, lopsided_note, selection_note
from prunestats.errors import InputError, ResultsError
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.optimum.optimum import Optimum, find_optimum


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
        The same on the log scale, those without an estimate too.
    slope : Interval or None
        Change of log optimum per unit of log FLOPs fraction; None with fewer than two estimates.
    slope_p : float
        P-value that it is 0; nan without it.
    halving : Interval or None
        The factor by which half the FLOPs move the optimum.
    equality_p : float
        P-value that the optimum is the same in all regimes with an estimate (Cochran's Q); nan without a slope.
    line_p : float
        P-value that it moves along a line in log FLOPs; nan with fewer than three estimates.
    notes : tuple of str
        What was left out, and what cannot be said.
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
    response: str = "error",
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> RegimeTrend:
    """Find the optimum in each regime, and test whether it moves with the FLOPs.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one protocol in two regimes or more, one row a run.
    bucket, response, level
        As of `find_optimum`.
    rng : numpy.random.Generator, optional
        A generator seeded with 0 when left out.

    Returns
    -------
    RegimeTrend

    Raises
    ------
    ResultsError
        For fewer than two regimes, runs without one, and what `find_optimum` refuses.

    Notes
    -----
    See `regime_trend`.

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
    found = _regimes(frame)
    children = (rng or np.random.default_rng(0)).spawn(len(found))
    return regime_trend(
        {
            regime: find_optimum(
                frame[frame["regime"] == regime], bucket=bucket, response=response, level=level, rng=child
            )
            for regime, child in zip(found, children, strict=True)
        },
        level=level,
    )


def regime_trend(optima: Mapping[float, Optimum], *, level: float = 0.95) -> RegimeTrend:
    """Test whether the optima of several regimes are one, and how they move with the FLOPs fraction.

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
    Estimand: the weighted least-squares line through the log optima of these very regimes, against log FLOPs fraction.
    The regimes are chosen, not drawn from others, so there is no variance between them to estimate: weights are one
    over squared standard errors, read off the intervals, and the tests are normal and chi-squared. Subnetworks of two
    regimes are different ones, so their optima are independent.

    References
    ----------
    W. G. Cochran, Biometrics 10 (1954), 101-129 (Q). L. V. Hedges and I. Olkin, Statistical Methods for Meta-Analysis
    (1985), chapter 8 (the fixed-effects line).
    """
    check_level(level)
    if not optima:
        raise InputError("a trend needs the optima of regimes; found none: give those of find_optimum, one a regime")
    regimes = sorted(optima, reverse=True)
    if not regimes[-1] > 0:
        raise InputError(f"a regime is a FLOPs fraction above 0; found {regimes[-1]:g}")
    ordered = [optima[regime] for regime in regimes]
    every = log_optima(ordered, [f"{regime:g}" for regime in regimes])
    kept = np.array([not one.refusal for one in every])
    y, se = (np.array([getattr(one, what) for one in every])[kept] for what in ("log_ratio", "se"))
    x = np.log(np.array(regimes, dtype=float))[kept]
    slope, slope_p, equality_p, line_p = _line(x, y, se, level)
    return RegimeTrend(
        regimes=tuple(float(regime) for regime in regimes),
        optima=tuple(ordered),
        estimates=tuple(every),
        slope=slope,
        slope_p=slope_p,
        halving=None if slope is None else _halving(slope),
        equality_p=equality_p,
        line_p=line_p,
        notes=_notes(every, [optimum for optimum, used in zip(ordered, kept, strict=True) if used]),
        n_estimates=int(kept.sum()),
        bucket=ordered[0].bucket,
        response=ordered[0].response,
        level=float(level),
    )


def _regimes(frame: pd.DataFrame) -> list[float]:
    values = frame["regime"] if "regime" in frame.columns else pd.Series(dtype=float)
    if bool(values.isna().any()):
        raise ResultsError(f"regime must be there in every run; found {int(values.isna().sum())} without: drop them")
    found = sorted({float(value) for value in values}, reverse=True)
    if len(found) < 2:
        raise ResultsError(
            f"whether the optimum moves takes two regimes; found {len(found)}: load them together, or use find_optimum"
        )
    return found


def _line(x: Floats, y: Floats, se: Floats, level: float) -> tuple[Interval | None, float, float, float]:
    """Return slope, its p-value, and the p-values of equality and of the line."""
    nan = float("nan")
    if y.size < 2:
        return None, nan, nan, nan
    w = 1 / se**2
    dx, dy = x - np.average(x, weights=w), y - np.average(y, weights=w)
    information = float(w @ dx**2)
    slope = float(w @ (dx * dy)) / information
    error = information**-0.5
    half = float(stats.norm.isf((1 - level) / 2)) * error
    q = float(w @ dy**2)
    line_p = float(stats.chi2.sf(max(q - (slope / error) ** 2, 0.0), y.size - 2)) if y.size > 2 else nan
    p = float(2 * stats.norm.sf(abs(slope) / error))
    return Interval(slope, slope - half, slope + half, level), p, float(stats.chi2.sf(q, y.size - 1)), line_p


def _halving(slope: Interval) -> Interval:
    value, low, high = (float(0.5**end) for end in (slope.value, slope.high, slope.low))
    return Interval(value, low, high, slope.level)


def _notes(every: list[LogOptimum], used: list[Optimum]) -> tuple[str, ...]:
    notes = [*selection_note(every), *lopsided_note(every)]
    if len(used) < 2:
        notes.append(
            f"{len(used)} of {len(every)} regimes {'has' if len(used) == 1 else 'have'} an optimum: whether it moves "
            "takes two, and whether it moves along a line takes three."
        )
        return tuple(notes)
    if len(used) == 2:
        notes.append("Two regimes: a line through two points fits whatever the truth; a third would test it.")
    low, high = max(optimum.ratio_q10 for optimum in used), min(optimum.ratio_q90 for optimum in used)
    if low > high:
        notes.append(
            "No ratio is among the middle 80 % of the ratios in all of these regimes: one optimum for all could not "
            "have been found, so that they differ says as much about the ratios drawn."
        )
    return tuple(notes)
