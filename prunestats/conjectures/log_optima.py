"""Effect sizes for meta-analysis: log ratio of an optimum, and its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from prunestats.errors import InputError
from prunestats.optimum.optimum import Optimum

# A round number: an interval whose sides differ by more is named in a note, since its standard error describes neither
# side well. No estimate and no test depends on it.
_ASYMMETRIC = 3.0


@dataclass(frozen=True)
class LogOptimum:
    """Log ratio of an estimated optimum with its standard error, or the reason why it is excluded.

    Parameters
    ----------
    name : str
    verdict : str
    log_ratio, se : float
        nan where it is excluded.
    refusal : str
        Why it is excluded; empty where it is not.
    lopsided : bool
        Whether its interval is asymmetric: one side more than three times as long as the other on the log scale.
    """

    name: str
    verdict: str
    log_ratio: float
    se: float
    refusal: str
    lopsided: bool = False


def log_optimum(optimum: Optimum, name: str) -> LogOptimum:
    """Log ratio of an optimum, with the standard error that its interval implies.

    Parameters
    ----------
    optimum : Optimum
    name : str
        Its name in notes.

    Returns
    -------
    LogOptimum

    Notes
    -----
    The standard error is (log high - log low) / (2 z), that of a normal interval of the same length on the log scale:
    Fieller's set and the interval of the spline's posterior draws have none of their own, and may be asymmetric. Only
    the verdict "interior" is an estimate; an optimum at an edge is censored, as it may lie beyond.
    """
    refusal = _refusal(optimum)
    if refusal:
        return LogOptimum(name, optimum.verdict, float("nan"), float("nan"), refusal)
    center, low, high = (math.log(bound) for bound in (optimum.ratio, optimum.low, optimum.high))
    se = (high - low) / (2 * float(stats.norm.isf((1 - optimum.level) / 2)))
    sides = sorted((center - low, high - center))
    return LogOptimum(name, optimum.verdict, center, se, "", sides[1] > _ASYMMETRIC * sides[0])


def log_optima(optima: Sequence[Optimum], names: Sequence[str]) -> list[LogOptimum]:
    """Log ratios and standard errors of optima of one response and one bucket size.

    Raises
    ------
    InputError
        Where they differ in response or bucket.
    """
    for field in ("response", "bucket"):
        found = sorted({str(getattr(optimum, field)) for optimum in optima})
        if len(found) > 1:
            raise InputError(
                f"optima must have one {field} to be combined; found {', '.join(found)}: find all with the same {field}"
            )
    return [log_optimum(optimum, name) for optimum, name in zip(optima, names, strict=True)]


def selection_note(estimates: Sequence[LogOptimum]) -> tuple[str, ...]:
    """Name the excluded optima and the selection bias of excluding them; nothing where all have an estimate."""
    excluded = [one for one in estimates if one.refusal]
    if not excluded:
        return ()
    named = "; ".join(f"{one.name} ({one.refusal})" for one in excluded)
    return (
        f"Excluded, {len(excluded)} of {len(estimates)} without an estimate: {named}. Conclusions hold for those that "
        "have an optimum within the sampled ratios; optima beyond them are missing, and not at random.",
    )


def asymmetry_note(estimates: Sequence[LogOptimum]) -> tuple[str, ...]:
    """Name the estimates whose interval is asymmetric on the log scale."""
    names = ", ".join(one.name for one in estimates if one.lopsided)
    if not names:
        return ()
    return (f"Asymmetric intervals, treated as symmetric intervals of the same length: {names}.",)


def share_a_ratio(optima: Sequence[Optimum]) -> bool:
    """Whether some ratio lies in the middle 80 % of the sampled ratios of every optimum's population.

    Notes
    -----
    Without one, a common optimum could not have been found: populations then differ in their optima because they
    differ in the ratios that were sampled. The middle 80 % is the range in which `find_optimum` accepts an optimum as
    interior.
    """
    return max(one.ratio_q10 for one in optima) <= min(one.ratio_q90 for one in optima)


def _refusal(optimum: Optimum) -> str:
    if optimum.verdict != "interior":
        return optimum.verdict
    if not all(math.isfinite(bound) and bound > 0 for bound in (optimum.ratio, optimum.low, optimum.high)):
        return "interior, without a bounded interval"
    return "" if optimum.high > optimum.low else "interior, with an interval of length zero"
