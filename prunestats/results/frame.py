"""The results frame, one row per run, built from any table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import pandas as pd

from prunestats.errors import InputError
from prunestats.metric import ERROR, Direction, Metric, with_metric
from prunestats.results import units
from prunestats.results.checks import check_columns, check_results, require_columns
from prunestats.results.known_metrics import named_metric
from prunestats.results.units import FlopsConvention, Unit

__all__ = ["results_frame"]


def results_frame(
    table: pd.DataFrame,
    *,
    subnetwork: str,
    params: str,
    flops: str | None = None,
    error: str | None = None,
    metric: str | None = None,
    metric_name: str | None = None,
    direction: Direction | None = None,
    unit: str | None = None,
    metric_range: tuple[float | None, float | None] | None = None,
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
    flops_convention: FlopsConvention = "multiply-adds",
) -> pd.DataFrame:
    """Build a results frame, one row per run, from an external table.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per run.
    subnetwork, params : str
        Columns with the key of the subnetwork and its number of parameters.
    flops : str, optional
        Column with its FLOPs. What needs them, such as the ratio, is refused without.
    error : str, optional
        Column with its error, 1 - top-1 accuracy. Either this or `metric` is required.
    metric : str, optional
        Column with another metric, such as a perplexity; `prunestats.metric.metric_of` finds it in the frame.
    metric_name : str, optional
        Name of that metric, and of its column in the frame; by default the name of its column in the table.
    direction : {"minimize", "maximize"}, optional
        Whether lower or higher values of `metric` are better. Required unless its name is known, as perplexity, mIoU,
        PSNR, BLEU and mean squared error are.
    unit : str, optional
        Unit of `metric`: "fraction" for values that are printed as percentages.
    metric_range : (float or None, float or None), optional
        Lowest and highest possible value of `metric`.
    original, space, regime, protocol, seed, loss : str, optional
        Columns with these, where the table has them; loss is cross-entropy in nats.
    widths, layer_params : str or sequence of str, optional
        A column of sequences, or one column per entry: kept filters of each group; parameters of each layer.
    error_unit : {"fraction", "percent"}
        Unit of the error column, or of a `metric` that is a fraction; the frame has fractions.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
        Units of these columns; the frame holds counts.
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        Whether a multiplication and its addition count as one FLOP or as two; FLOPs of the latter are halved.

    Returns
    -------
    pandas.DataFrame
        A results frame that `check_results` has passed, with the columns that were given; a metric has its own name.

    Raises
    ------
    InputError
        For a missing column, a metric of unknown direction, or values that are impossible in the declared units.
    ResultsError
        For what `check_results` refuses.

    Warns
    -----
    UnitWarning
        For values that are improbable in the declared units: percentages all below 1, fractions all above 0.5, or odd
        FLOPs where multiplications and additions count separately.

    Notes
    -----
    Two declarations cannot be checked from the numbers: whether FLOPs are multiply-adds or twice as many, and whether
    errors below 1 are percentages.

    Examples
    --------
    >>> table = pd.DataFrame({"arch": ["a", "b"], "macs": [2.5, 3.5], "p": [0.1, 0.2], "err": [7.5, 6.0]})
    >>> frame = results_frame(table, subnetwork="arch", flops="macs", params="p", error="err",
    ...                       error_unit="percent", flops_unit="millions", params_unit="millions")
    >>> frame.to_dict("records")[0]
    {'subnetwork': 'a', 'flops': 2500000, 'params': 100000, 'error': 0.075}

    A table of language models, without FLOPs:

    >>> models = pd.DataFrame({"model": ["a", "b"], "size": [7e9, 4e9], "ppl": [5.5, 6.25]})
    >>> results_frame(models, subnetwork="model", params="size", metric="ppl", metric_name="perplexity")
      subnetwork      params  perplexity
    0          a  7000000000        5.50
    1          b  4000000000        6.25
    """
    named = _metric(error, metric, metric_name, direction, unit, metric_range)
    names = {"subnetwork": subnetwork, "flops": flops, "params": params, named.name: error or metric}
    names |= {"original": original, "space": space, "regime": regime, "protocol": protocol, "seed": seed}
    if loss is not None:
        _refuse_two_losses(named, loss)
        names["loss"] = loss
    sequences = {"widths": widths, "layer_params": layer_params}
    given = _TableFormat(
        metric=named,
        columns={name: column for name, column in names.items() if column is not None},
        sequences={name: columns for name, columns in sequences.items() if columns is not None},
        error_unit=error_unit,
        flops_unit=flops_unit,
        params_unit=params_unit,
        flops_convention=flops_convention,
    )
    return _read(table, given)


@dataclass(frozen=True)
class _TableFormat:
    """Which columns of a table hold what, and in which units; keywords of `results_frame`."""

    metric: Metric
    columns: Mapping[str, str]
    sequences: Mapping[str, str | Sequence[str]]
    error_unit: str
    flops_unit: str
    params_unit: str
    flops_convention: str


def _read(table: pd.DataFrame, given: _TableFormat) -> pd.DataFrame:
    """Build and check the results frame, and warn of units that are improbable."""
    check_columns(table)
    require_columns(table, [*given.columns.values(), *chain.from_iterable(map(_listed, given.sequences.values()))])
    _refuse_shared(given.columns)
    convention = units.check_convention(given.flops_convention)
    factor = 1 / units.FLOPS_PER_MULTIPLY_ADD[convention]
    frame = pd.DataFrame({name: table[column].to_numpy() for name, column in given.columns.items()})
    has_key = frame["subnetwork"].notna()
    frame["subnetwork"] = frame["subnetwork"].astype(str).astype(object).where(has_key, None)
    flops_as_given = units.counts(frame["flops"], "flops", given.flops_unit) if "flops" in frame.columns else None
    if flops_as_given is not None:
        frame["flops"] = units.counts(frame["flops"], "flops", given.flops_unit, factor)
    frame["params"] = units.counts(frame["params"], "params", given.params_unit)
    name = given.metric.name
    as_given = units.numbers(frame[name], name)
    frame[name] = units.metric_values(as_given, given.metric, given.error_unit)
    if given.metric != ERROR:
        frame = with_metric(frame, given.metric)
    if "loss" in given.columns and name != "loss":
        frame["log_cross_entropy"] = units.log_of(frame["loss"], "loss")
    for name, columns in given.sequences.items():
        # a subnetwork keeps a filter of every group, but a layer may own no parameters
        frame[name] = units.tuples(_rows(table, columns), name, 1 if name == "widths" else 0)
    check_results(frame)
    units.check_plausible(frame)
    units.warn_of_units(as_given if given.metric == ERROR else None, given.error_unit, flops_as_given, convention)
    return frame


def _metric(
    error: str | None,
    column: str | None,
    name: str | None,
    direction: Direction | None,
    unit: str | None,
    bounds: tuple[float | None, float | None] | None,
) -> Metric:
    """The metric of the frame; refuse a table with an error and another metric, or with neither."""
    if error is not None and column is not None:
        raise InputError(f"expected one metric; found error={error!r} and metric={column!r}: leave one out")
    if column is not None:
        return named_metric(name or column, direction, unit, bounds)
    if error is None:
        raise InputError("expected a column with the metric; found none: pass error=COLUMN or metric=COLUMN")
    if (name, direction, unit, bounds) != (None, None, None, None):
        raise InputError(f"expected these options beside metric=; found error={error!r}: pass metric={error!r} instead")
    return ERROR


def _refuse_two_losses(metric: Metric, loss: str) -> None:
    if metric.name == "loss":
        raise InputError(f"expected one column of losses; found the metric loss and loss={loss!r}: leave one out")


def _listed(columns: str | Sequence[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _rows(table: pd.DataFrame, columns: str | Sequence[str]) -> list[Any]:
    rows: list[Any] = table[columns].tolist() if isinstance(columns, str) else table[list(columns)].to_numpy().tolist()
    return rows


def _refuse_shared(given: Mapping[str, str]) -> None:
    """Refuse a column that is given two meanings."""
    for name, column in given.items():
        also = [other for other, its in given.items() if its == column and other != name]
        if also:
            raise InputError(
                f"each column has one meaning; found {column!r} given as {name} and as {also[0]}: name two"
            )
