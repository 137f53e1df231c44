"""The results frame: one row a run, made from any table, and averaged to one row a subnetwork."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from prunestats.checks import check_finite, check_results
from prunestats.errors import InputError, ResultsError

__all__ = ["check_results", "one_value", "results_frame", "subnetwork_means"]

Unit = Literal["counts", "thousands", "millions", "billions"]
_SCALE = {"counts": 1.0, "thousands": 1e3, "millions": 1e6, "billions": 1e9}
_UNIT_KEY = ("original", "space", "regime", "subnetwork")


def results_frame(
    table: pd.DataFrame,
    *,
    subnetwork: str,
    flops: str,
    params: str,
    error: str,
    original: str | None = None,
    space: str | None = None,
    regime: str | None = None,
    protocol: str | None = None,
    seed: str | None = None,
    loss: str | None = None,
    widths: str | Sequence[str] | None = None,
    layer_params: str | Sequence[str] | None = None,
    error_unit: Literal["fraction", "percent"] = "fraction",
    flops_unit: Unit = "counts",
    params_unit: Unit = "counts",
    flops_convention: Literal["multiply-adds", "separate"] = "multiply-adds",
) -> pd.DataFrame:
    """Map the columns of an outside table to a results frame, one row a run.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a run.
    subnetwork, flops, params, error : str
        Its columns that hold the key of the subnetwork, its cost, its parameters and its error.
    original, space, regime, protocol, seed, loss : str, optional
        Its columns that hold these, where it has them; loss is cross-entropy in nats.
    widths, layer_params : str or sequence of str, optional
        A column of sequences, or one column an entry: kept filters a group; parameters a layer.
    error_unit : {"fraction", "percent"}
        Unit of the error column; the frame holds fractions.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
        Units of these columns; the frame holds counts.
    flops_convention : {"multiply-adds", "separate"}
        Whether the counter counts a multiplication and its addition as one, or apart (then it is halved).

    Returns
    -------
    pandas.DataFrame
        A checked results frame with the columns that were given.

    Raises
    ------
    InputError
        For a column that is not there, or units that cannot be what they are said to be.
    ResultsError
        For what `check_results` refuses.

    Examples
    --------
    >>> table = pd.DataFrame({"arch": ["a", "b"], "macs": [2.5, 3.5], "p": [0.1, 0.2], "err": [7.5, 6.0]})
    >>> frame = results_frame(table, subnetwork="arch", flops="macs", params="p", error="err",
    ...                       error_unit="percent", flops_unit="millions", params_unit="millions")
    >>> frame.to_dict("records")[0]
    {'subnetwork': 'a', 'flops': 2500000, 'params': 100000, 'error': 0.075}
    """
    names = {"subnetwork": subnetwork, "flops": flops, "params": params, "error": error, "original": original}
    names |= {"space": space, "regime": regime, "protocol": protocol, "seed": seed, "loss": loss}
    given = {name: column for name, column in names.items() if column is not None}
    _require(table, [*given.values(), *_listed(widths), *_listed(layer_params)])
    frame = pd.DataFrame({name: table[column].to_numpy() for name, column in given.items()})
    frame["subnetwork"] = frame["subnetwork"].astype(str).astype(object)
    frame["flops"] = _counts(frame["flops"], "flops", flops_unit, 0.5 if flops_convention == "separate" else 1.0)
    frame["params"] = _counts(frame["params"], "params", params_unit, 1.0)
    frame["error"] = _numbers(frame["error"], "error") / (100.0 if error_unit == "percent" else 1.0)
    if loss is not None:
        frame["log_loss"] = np.log(_positive(frame["loss"], "loss"))
    for name, columns in (("widths", widths), ("layer_params", layer_params)):
        if columns is not None:
            frame[name] = _tuples(table, columns)
    _plausible_units(frame)
    return check_results(frame)


def subnetwork_means(frame: pd.DataFrame, response: str = "error") -> pd.DataFrame:
    """Average the seeds of every subnetwork: one row a subnetwork within original, space and regime.

    Parameters
    ----------
    frame : pandas.DataFrame
        A results frame, one row a run, of one protocol.
    response : str
        The numeric column that is averaged.

    Returns
    -------
    pandas.DataFrame
        Columns original, space, regime (those that are there), subnetwork, flops, params, widths and
        layer_params (where there), `response` (mean over runs) and n_runs. The order of the rows does not
        depend on the order of the runs.

    Raises
    ------
    ResultsError
        For what `check_results` refuses, a response that is missing or not finite, or several protocols.

    Notes
    -----
    Seeds are replications of one subnetwork, not independent evidence about a population: the unit of every
    statistic is the subnetwork, and its best estimate is the mean of its runs.

    Examples
    --------
    >>> runs = pd.DataFrame({"subnetwork": ["a", "a", "b"], "seed": [0, 1, 0], "flops": [9, 9, 8],
    ...                      "params": [3, 3, 2], "error": [0.2, 0.4, 0.1]})
    >>> means = subnetwork_means(runs)
    >>> [(row.subnetwork, round(row.error, 3), row.n_runs) for row in means.itertuples()]
    [('a', 0.3, 2), ('b', 0.1, 1)]
    """
    check_results(frame)
    _require(frame, [response])
    if not pd.api.types.is_numeric_dtype(frame[response]):
        raise ResultsError(
            f"the response must be a numeric column; found {frame[response].dtype} in {response}: convert it"
        )
    check_finite(frame, response)
    one_value(frame, "protocol")
    keys = [name for name in _UNIT_KEY if name in frame.columns]
    kept = [
        name for name in ("flops", "params", "widths", "layer_params") if name in frame.columns and name != response
    ]
    # summing in one fixed order makes the means independent of the order of the runs to the last bit
    ordered = frame.sort_values([*keys, response], kind="stable")
    grouped = ordered.groupby(keys, sort=True, dropna=False)
    means = grouped[kept].first()
    means[response] = grouped[response].mean()
    means["n_runs"] = grouped.size()
    return means.reset_index()


def one_value(frame: pd.DataFrame, column: str) -> Any:
    """Return the single value of a column, None without the column.

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


def _require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in table.columns:
            shown = ", ".join(map(str, table.columns[:12]))
            raise InputError(f"expected a column {column!r}; found {shown}: check the spelling")


def _listed(columns: str | Sequence[str] | None) -> list[str]:
    if columns is None:
        return []
    return [columns] if isinstance(columns, str) else list(columns)


def _tuples(table: pd.DataFrame, columns: str | Sequence[str]) -> list[tuple[int, ...]]:
    rows = table[columns].tolist() if isinstance(columns, str) else table[list(columns)].to_numpy().tolist()
    return [tuple(int(value) for value in row) for row in rows]


def _numbers(values: pd.Series[Any], name: str) -> pd.Series[float]:
    try:
        return values.astype(float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers; found {values.dtype} ({error}): convert the column") from None


def _positive(values: pd.Series[Any], name: str) -> pd.Series[float]:
    numbers = _numbers(values, name)
    if not bool((numbers > 0).all()):
        raise InputError(
            f"{name} must be above 0 to take its logarithm; found {numbers.min():g}: drop or repair those runs"
        )
    return numbers


def _counts(values: pd.Series[Any], name: str, unit: str, factor: float) -> pd.Series[Any]:
    if unit not in _SCALE:
        raise InputError(f"{name}_unit must be one of {', '.join(_SCALE)}; found {unit!r}")
    numbers = _numbers(values, name)
    if not np.isfinite(numbers).all():
        raise InputError(f"{name} must be finite; found {int((~np.isfinite(numbers)).sum())} missing: drop those rows")
    whole = np.equal(numbers, np.round(numbers))
    if unit == "counts" and not whole.all():
        raise InputError(
            f"{name} must be whole counts; found {numbers[~whole].iloc[0]:g}: in millions? pass {name}_unit='millions'"
        )
    return (numbers * _SCALE[unit] * factor).round().astype(np.int64)


def _plausible_units(frame: pd.DataFrame) -> None:
    # every weight of a convolution or a linear layer is used at least once, so FLOPs far under the parameters
    # mean two units
    small = frame["flops"] < frame["params"] / 10
    if small.any():
        row = frame[small].iloc[0]
        raise InputError(
            f"FLOPs should not be far below parameters; found {row.flops:g} FLOPs and {row.params:g} parameters in "
            f"subnetwork {row.subnetwork}: one of them in millions? pass flops_unit or params_unit"
        )
