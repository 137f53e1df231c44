"""The one door of all statistics: what a results frame must be."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunestats.errors import ResultsError

_REQUIRED = ("subnetwork", "flops", "params", "error")
_RUN_KEY = ("original", "space", "regime", "protocol", "subnetwork", "seed")


def check_results(frame: pd.DataFrame) -> pd.DataFrame:
    """Refuse a results frame that cannot be analysed; the one door of all statistics.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a run, with at least subnetwork, flops, params and error. One subnetwork may stand in
        several spaces and regimes, and then its runs are repeated there.

    Returns
    -------
    pandas.DataFrame
        The same frame, untouched.

    Raises
    ------
    ResultsError
        For missing columns, an empty frame, errors outside [0, 1], missing or infinite values, runs that
        are there twice, costs below one, or a subnetwork with two costs. Nothing is dropped silently.

    Examples
    --------
    >>> check_results(pd.DataFrame({"subnetwork": ["a"], "flops": [9], "params": [3], "error": [93.1]}))
    Traceback (most recent call last):
    prunestats.errors.ResultsError: error must be a fraction in [0, 1]; found 93.1 in subnetwork a: divide by 100?
    """
    missing = [name for name in _REQUIRED if name not in frame.columns]
    if missing:
        raise ResultsError(
            f"a results frame needs the columns {', '.join(_REQUIRED)}; not found: {', '.join(missing)}: "
            "make one with results_frame(...) or load_results(...)"
        )
    if frame.empty:
        raise ResultsError("a results frame needs at least one run; found none: check the filters it was loaded with")
    for name in ("flops", "params", "error"):
        check_finite(frame, name)
    _check_range(frame)
    _check_unique(frame)
    return frame


def check_finite(frame: pd.DataFrame, name: str) -> None:
    """Refuse a column with missing or infinite numbers."""
    bad = ~np.isfinite(frame[name].to_numpy(dtype=float))
    if bad.any():
        raise ResultsError(
            f"{name} must be finite; found {int(bad.sum())} of {len(frame)} runs without a number, the first in "
            f"subnetwork {frame['subnetwork'].to_numpy()[bad][0]}: leave failed runs out, as "
            "load_results(state='done') does"
        )


def _check_range(frame: pd.DataFrame) -> None:
    error = frame["error"].to_numpy(dtype=float)
    outside = (error < 0) | (error > 1)
    if outside.any():
        raise ResultsError(
            f"error must be a fraction in [0, 1]; found {error[outside][0]:g} in subnetwork "
            f"{frame['subnetwork'].to_numpy()[outside][0]}: divide by 100?"
        )
    for name in ("flops", "params"):
        low = frame[name].to_numpy(dtype=float) < 1
        if low.any():
            raise ResultsError(
                f"{name} must be counts of 1 or more; found {frame[name].to_numpy()[low][0]:g} in subnetwork "
                f"{frame['subnetwork'].to_numpy()[low][0]}: check the unit"
            )


def _check_unique(frame: pd.DataFrame) -> None:
    keys = [name for name in _RUN_KEY if name in frame.columns]
    twice = frame.duplicated(keys)
    if twice.any():
        row = frame[twice].iloc[0]
        remedy = "drop the copies" if "seed" in frame.columns else "add a seed column, or drop the copies"
        raise ResultsError(
            f"each run ({', '.join(keys)}) must be there once; found {int(twice.sum())} repeated, the first of "
            f"subnetwork {row['subnetwork']}: {remedy}"
        )
    unit = [name for name in ("original", "subnetwork") if name in frame.columns]
    costs = frame.groupby(unit, sort=False)[["flops", "params"]].nunique().max(axis=1)
    if (costs > 1).any():
        raise ResultsError(
            f"a subnetwork has one cost; found several in {costs.index[costs > 1][0]}: keys must tell subnetworks apart"
        )
