"""Optima as numbers that can be averaged: log ratio and standard error, of those that have an estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from prunestats.errors import InputError
from prunestats.optimum.optimum import Optimum

_LOPSIDED = 3.0


@dataclass(frozen=True)
class LogOptimum:
    """The estimated log ratio of an optimum, or the reason why there is none.

    Parameters
    ----------
    name : str
    verdict : str
    log_ratio, se : float
        nan where there is none.
    refusal : str
        Why it is left out; empty where it is not.
    lopsided : bool
        One side of its interval is more than three times as long as the other on the log scale.
    """

    name: str
    verdict: str
    log_ratio: float
    se: float
    refusal: str
    lopsided: bool = False


def log_optimum(optimum: Optimum, name: str) -> LogOptimum:
    """Read log ratio and standard error off an optimum.

    Parameters
    ----------
    optimum : Optimum
    name : str
        What it is called.

    Returns
    -------
    LogOptimum

    Notes
    -----
    The interval of an optimum is not built from a standard error: Fieller's set and the spline's draws may be lopsided.
    The one that is used gives a normal interval of the same length on the log scale: (log high - log low) / (2 z).
    Only the verdict "interior" is an estimate; at an edge the optimum lies there or beyond.
    """
    refusal = _refusal(optimum)
    if refusal:
        return LogOptimum(name, optimum.verdict, float("nan"), float("nan"), refusal)
    center, low, high = (math.log(end) for end in (optimum.ratio, optimum.low, optimum.high))
    se = (high - low) / (2 * float(stats.norm.isf((1 - optimum.level) / 2)))
    sides = sorted((center - low, high - center))
    return LogOptimum(name, optimum.verdict, center, se, "", sides[1] > _LOPSIDED * sides[0])


def log_optima(optima: Sequence[Optimum], names: Sequence[str]) -> list[LogOptimum]:
    """Read log ratio and standard error off optima that speak of the same thing.

    Raises
    ------
    InputError
        Where they differ in response or bucket.
    """
    for field in ("response", "bucket"):
        found = sorted({str(getattr(optimum, field)) for optimum in optima})
        if len(found) > 1:
            raise InputError(
                f"optima of one {field} are put together; found {', '.join(found)}: find them all with the same {field}"
            )
    return [log_optimum(optimum, name) for optimum, name in zip(optima, names, strict=True)]


def selection_note(every: Sequence[LogOptimum]) -> tuple[str, ...]:
    """Name what was left out, and say what leaving it out may do; nothing where all have an estimate."""
    out = [one for one in every if one.refusal]
    if not out:
        return ()
    named = "; ".join(f"{one.name} ({one.refusal})" for one in out)
    return (
        f"Left out, {len(out)} of {len(every)} without an estimate: {named}. What is said holds for those that have an "
        "optimum among the ratios drawn; those whose optimum lies beyond are missing, and not by chance.",
    )


def lopsided_note(every: Sequence[LogOptimum]) -> tuple[str, ...]:
    """Name the estimates whose interval is far from symmetric on the log scale."""
    names = ", ".join(one.name for one in every if one.lopsided)
    if not names:
        return ()
    return (f"Intervals far longer on one side than on the other, taken as symmetric of the same length: {names}.",)


def _refusal(optimum: Optimum) -> str:
    if optimum.verdict != "interior":
        return optimum.verdict
    if not all(math.isfinite(end) and end > 0 for end in (optimum.ratio, optimum.low, optimum.high)):
        return "interior, without a bounded interval"
    return "" if optimum.high > optimum.low else "interior, with an interval of no length"
