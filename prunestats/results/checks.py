"""Validation of a results frame, done once before any statistic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prunestats.errors import InputError, ResultsError
from prunestats.metric import Metric, metric_of

_COSTS = ("flops", "params")
RUN_KEY = ("original", "space", "regime", "protocol", "subnetwork", "seed")


def check_results(frame: pd.DataFrame) -> pd.DataFrame:
    """Validate a results frame; statistics trust one that has passed.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per run, with at least subnetwork, params and the metric: error, or the one that the frame is marked
        with (`prunestats.metric.metric_of`). A subnetwork may belong to several spaces and regimes; its runs are then
        repeated in each. FLOPs are in all runs or in none; what needs them refuses a frame without.

    Returns
    -------
    pandas.DataFrame
        The same frame, unchanged.

    Raises
    ------
    ResultsError
        For missing columns, columns that share a name, an empty frame, text or booleans in place of numbers, a metric
        outside its range, missing or infinite values, costs that are not whole numbers of 1 or more, keys that are
        missing in some runs only, regimes outside (0, 1], duplicate runs, or a subnetwork with two costs. No row is
        dropped silently.

    Examples
    --------
    >>> check_results(pd.DataFrame({"subnetwork": ["a"], "flops": [9], "params": [3], "error": [93.1]}))
    Traceback (most recent call last):
    prunestats.errors.ResultsError: error must be a fraction in [0, 1]; found 93.1 in subnetwork a: divide by 100?
    """
    check_columns(frame)
    metrics = [one["name"] for one in frame.attrs.get("metrics", [])] or [metric_of(frame).name]
    costs = _COSTS if has_flops(frame) else ("params",)
    required = ("subnetwork", "params", *metrics)
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise ResultsError(
            f"a results frame needs the columns {', '.join(required)}; not found: {', '.join(missing)}: "
            "make one with results_frame(...) or load_results(...)"
        )
    if frame.empty:
        raise ResultsError("a results frame needs at least one run; found none: check the filters it was loaded with")
    for name in (*costs, *metrics):
        _check_numbers(frame, name)
        if name in costs or len(metrics) == 1:
            check_finite(frame, name)
    _check_keys(frame)
    for name in metrics:
        _check_metric(frame, metric_of(frame, name))
    _check_costs(frame, costs)
    _check_unique(frame, costs)
    return frame


def has_flops(frame: pd.DataFrame) -> bool:
    """Whether the subnetworks of a frame have FLOPs: a table of language models may have parameters alone.

    Examples
    --------
    >>> has_flops(pd.DataFrame({"flops": [9.0]})), has_flops(pd.DataFrame({"flops": [float("nan")]}))
    (True, False)
    """
    return "flops" in frame.columns and bool(frame["flops"].notna().any())


def require_flops(frame: pd.DataFrame, what: str) -> None:
    """Refuse a frame without FLOPs; `what` is a noun phrase for what needs them.

    Examples
    --------
    >>> require_flops(pd.DataFrame({"params": [9]}), "the ratio of FLOPs to parameters")
    Traceback (most recent call last):
    prunestats.errors.ResultsError: the ratio of FLOPs to parameters needs FLOPs; found results without: import them \
with a column of FLOPs, or use an analysis that needs none
    """
    if not has_flops(frame):
        raise ResultsError(
            f"{what} needs FLOPs; found results without: import them with a column of FLOPs, or use an analysis that "
            "needs none"
        )


def check_columns(frame: pd.DataFrame) -> None:
    """Refuse what is not a frame, and columns that share a name."""
    if not isinstance(frame, pd.DataFrame):
        raise ResultsError(f"a pandas DataFrame is needed, one row per run; found {type(frame).__name__}: convert it")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise ResultsError(f"columns must have distinct names; found {twice[0]!r} twice: rename or drop one")


def require_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a table without one of the columns."""
    for column in columns:
        if column not in table.columns:
            # twelve names fit a message of a line or two
            shown = ", ".join(map(str, table.columns[:12]))
            raise InputError(f"expected a column {column!r}; found {shown}: check the spelling")


def check_finite(frame: pd.DataFrame, name: str) -> None:
    """Refuse a column with missing or infinite numbers."""
    bad = ~np.isfinite(frame[name].to_numpy(dtype=float))
    if bad.any():
        raise ResultsError(
            f"{name} must be finite; found {int(bad.sum())} of {len(frame)} runs without a number, the first in "
            f"subnetwork {frame['subnetwork'].to_numpy()[bad][0]}: leave failed runs out, as "
            "load_results(state='done') does"
        )


def _check_numbers(frame: pd.DataFrame, name: str) -> None:
    column = frame[name]
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in ("floating", "integer", "mixed-integer-float", "decimal", "empty"):
        raise ResultsError(
            f"{name} must be numbers; found a column of type {kind}: convert it, as with pandas.to_numeric"
        )


def _check_keys(frame: pd.DataFrame) -> None:
    for name in RUN_KEY:
        if name not in frame.columns:
            continue
        absent = frame[name].isna()
        if not pd.api.types.is_numeric_dtype(frame[name]):
            absent |= frame[name] == ""
        # a column without any value counts as absent; a partly missing key would drop rows when runs are grouped
        if absent.any() and (name == "subnetwork" or not frame[name].isna().all()):
            raise ResultsError(
                f"{name} must be there in every run; found {int(absent.sum())} of {len(frame)} without: fill it in, or "
                "drop those runs"
            )
    if "regime" in frame.columns and bool(frame["regime"].notna().all()):
        _check_numbers(frame, "regime")
        regime = frame["regime"].to_numpy(dtype=float)
        outside = ~((regime > 0) & (regime <= 1))
        if outside.any():
            raise ResultsError(
                f"regime must be a fraction of the original's FLOPs in (0, 1]; found {regime[outside][0]:g}: "
                "divide by 100?"
            )


def _check_metric(frame: pd.DataFrame, metric: Metric) -> None:
    values = frame[metric.name].to_numpy(dtype=float)
    low = -np.inf if metric.low is None else metric.low
    high = np.inf if metric.high is None else metric.high
    outside = (values < low) | (values > high)
    if outside.any():
        raise ResultsError(
            f"{metric.name} must be {'a fraction ' if metric.is_fraction else ''}in [{low:g}, {high:g}]; found "
            f"{values[outside][0]:g} in subnetwork {frame['subnetwork'].to_numpy()[outside][0]}: "
            f"{'divide by 100?' if metric.is_fraction else 'check its unit and range'}"
        )


def _check_costs(frame: pd.DataFrame, costs: Sequence[str]) -> None:
    for name in costs:
        low = frame[name].to_numpy(dtype=float) < 1
        if low.any():
            raise ResultsError(
                f"{name} must be counts of 1 or more; found {frame[name].to_numpy()[low][0]:g} in subnetwork "
                f"{frame['subnetwork'].to_numpy()[low][0]}: check the unit"
            )
        broken = frame[name].to_numpy(dtype=float) % 1 != 0
        if broken.any():
            raise ResultsError(
                f"{name} must be whole counts; found {frame[name].to_numpy()[broken][0]:g} in subnetwork "
                f"{frame['subnetwork'].to_numpy()[broken][0]}: in millions? use results_frame({name}_unit='millions')"
            )


def _check_unique(frame: pd.DataFrame, costs: Sequence[str]) -> None:
    keys = [name for name in RUN_KEY if name in frame.columns]
    twice = frame.duplicated(keys)
    if twice.any():
        row = frame[twice].iloc[0]
        remedy = "drop the copies" if "seed" in frame.columns else "add a seed column, or drop the copies"
        raise ResultsError(
            f"each run ({', '.join(keys)}) must be there once; found {int(twice.sum())} repeated, the first of "
            f"subnetwork {row['subnetwork']}: {remedy}"
        )
    unit = [name for name in ("original", "subnetwork") if name in frame.columns]
    different = frame.groupby(unit, sort=False)[list(costs)].nunique().max(axis=1)
    if (different > 1).any():
        raise ResultsError(
            f"a subnetwork has one cost; found several in {different.index[different > 1][0]}: give each subnetwork "
            "its own key"
        )
