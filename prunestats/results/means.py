"""Means over training seeds: one row per subnetwork, which counts once though it may belong to several spaces."""

from __future__ import annotations

from typing import Any

import pandas as pd

from prunestats.errors import InputError, ResultsError
from prunestats.metric import metric_of
from prunestats.results.checks import RUN_KEY, check_finite, check_results, require_columns
from prunestats.results.pooling import refuse_mixed_runs


def distinct_runs(frame: pd.DataFrame, response: str | None) -> pd.DataFrame:
    """Distinct runs of one regime, data set and protocol, after checking the frame and the response.

    None stands for the frame's metric. The column original is added where it is missing. Raises ResultsError or
    InputError for what `check_results` or `subnetwork_means` refuses.
    """
    check_results(frame)
    response = response_column(frame, response)
    if response not in frame.columns or not pd.api.types.is_numeric_dtype(frame[response]):
        raise InputError(f"the response must be a numeric column; found no such column {response!r}: check its name")
    check_finite(frame, response)
    one_value(frame, "regime")
    refuse_mixed_runs(frame)
    runs = drop_repeats(frame)
    return runs if "original" in runs.columns else runs.assign(original="all")


def drop_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep one row of every run that a frame repeats because its subnetwork belongs to several spaces.

    Only repeats in another space are dropped: rows that agree in their space too are left for `check_results` to
    refuse.

    Examples
    --------
    >>> run = {"subnetwork": "a", "seed": 0}
    >>> drop_repeats(pd.DataFrame([run | {"space": "wide"}, run | {"space": "narrow"}]))["space"].tolist()
    ['wide']
    """
    if "space" not in frame.columns:
        return frame
    keys = [name for name in RUN_KEY if name in frame.columns and name != "space"]
    return frame[~(frame.duplicated(keys) & ~frame.duplicated([*keys, "space"]))]


def refuse_old_name(response: str) -> None:
    """Refuse the former name of the logarithm of cross-entropy, as "log loss" means cross-entropy itself elsewhere.

    Raises
    ------
    InputError

    Examples
    --------
    >>> refuse_old_name("log_loss")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    prunestats.errors.InputError: expected log_cross_entropy, ... its old name log_loss: use the new one
    """
    if response == "log_loss":
        raise InputError(
            "expected log_cross_entropy, the logarithm of cross-entropy; found its old name log_loss: use the new one"
        )


def response_column(frame: pd.DataFrame, response: str | None) -> str:
    """Name of the column to analyse: the response, or the frame's metric where none is named.

    Examples
    --------
    >>> response_column(pd.DataFrame({"error": [0.1]}), None)
    'error'
    """
    if response is not None:
        refuse_old_name(response)
        return response
    return metric_of(frame).name


def unit_means(frame: pd.DataFrame, response: str | None) -> pd.DataFrame:
    """Mean over seeds of every subnetwork of one regime; one that belongs to two spaces counts once.

    Where the numbers of seeds differ between subnetworks, the column seed_squares holds in every row the sum of squares
    within subnetworks: of the runs around their subnetwork's mean.

    Examples
    --------
    >>> run = {"subnetwork": "a", "seed": 0, "flops": 9, "params": 3, "error": 0.2}
    >>> twice = pd.DataFrame([run | {"space": "wide"}, run | {"space": "narrow"}, run | {"seed": 1, "space": "wide"}])
    >>> unit_means(twice, "error")["n_runs"].tolist()
    [2]
    """
    if response in ("flops", "params"):
        raise InputError(f"the response must be an outcome; found {response}: name one, such as error")
    response = response_column(frame, response)
    one_value(frame, "regime")
    runs = drop_repeats(frame).drop(columns="space", errors="ignore")
    means = subnetwork_means(runs, response)
    if means["n_runs"].min() < means["n_runs"].max():
        means[SEED_SQUARES] = _sum_of_squares_within(runs, response)
    return means


def _sum_of_squares_within(frame: pd.DataFrame, response: str) -> float:
    unit = [name for name in ("original", "subnetwork") if name in frame.columns]
    groups = frame.sort_values([*unit, response], kind="stable").groupby(unit, sort=True, dropna=False)[response]
    return float((groups.var(ddof=1).fillna(0.0) * (groups.size() - 1)).sum())


SEED_SQUARES = "seed_squares"


def subnetwork_means(frame: pd.DataFrame, response: str | None = None) -> pd.DataFrame:
    """Mean over seeds of every subnetwork: one row per subnetwork within original, space and regime.

    Parameters
    ----------
    frame : pandas.DataFrame
        A results frame, one row per run, of one data set and protocol.
    response : str, optional
        The numeric column to average; by default the frame's metric, error where it is marked with no other.

    Returns
    -------
    pandas.DataFrame
        Columns original, space, regime, subnetwork, flops, params, widths and layer_params (those that are present),
        `response` (mean over runs) and n_runs. Neither rows nor means depend on the order of the runs. Marked with the
        frame's metric.

    Raises
    ------
    ResultsError
        For what `check_results` refuses, a response that is missing or not finite, or several data sets or protocols.

    Notes
    -----
    Seeds replicate one subnetwork and are not independent observations of a population: the unit of every statistic
    is the subnetwork, and its expected response is estimated by the mean of its runs.

    Examples
    --------
    >>> runs = pd.DataFrame({"subnetwork": ["a", "a", "b"], "seed": [0, 1, 0], "flops": [9, 9, 8],
    ...                      "params": [3, 3, 2], "error": [0.2, 0.4, 0.1]})
    >>> means = subnetwork_means(runs)
    >>> [(row.subnetwork, round(row.error, 3), row.n_runs) for row in means.itertuples()]
    [('a', 0.3, 2), ('b', 0.1, 1)]
    """
    check_results(frame)
    response = response_column(frame, response)
    require_columns(frame, [response])
    if not pd.api.types.is_numeric_dtype(frame[response]):
        raise ResultsError(
            f"the response must be a numeric column; found {frame[response].dtype} in {response}: convert it"
        )
    check_finite(frame, response)
    refuse_mixed_runs(frame)
    keys = [name for name in _UNIT_KEY if name in frame.columns]
    kept = [
        name for name in ("flops", "params", "widths", "layer_params") if name in frame.columns and name != response
    ]
    # a fixed order of summation makes the means independent of the order of the runs to the last bit
    ordered = frame.sort_values([*keys, response], kind="stable")
    grouped = ordered.groupby(keys, sort=True, dropna=False)
    means = grouped[kept].first()
    means[response] = grouped[response].mean()
    means["n_runs"] = grouped.size()
    means.attrs = dict(frame.attrs)
    return means.reset_index()


def one_value(frame: pd.DataFrame, column: str) -> Any:
    """Single value of a column, None without the column or where the value is missing.

    Raises
    ------
    ResultsError
        Where the column holds several values.

    Examples
    --------
    >>> one_value(pd.DataFrame({"regime": [0.5, 0.5]}), "regime")
    0.5
    """
    if column not in frame.columns:
        return None
    values = frame[column].drop_duplicates().tolist()
    if len(values) > 1:
        shown = ", ".join(str(value) for value in sorted(values, key=str)[:5])
        raise ResultsError(
            f"one {column} at a time is analysed; found {len(values)} ({shown}): "
            f"select one, as in frame[frame['{column}'] == {values[0]!r}]"
        )
    value = values[0]
    return None if pd.isna(value) else value


_UNIT_KEY = ("original", "space", "regime", "subnetwork")
