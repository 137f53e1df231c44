"""The results frame, one row per run, built from any table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import pandas as pd

from prunestats.errors import InputError
from prunestats.results import units
from prunestats.results.checks import check_columns, check_results, require_columns
from prunestats.results.units import FlopsConvention, Unit

__all__ = ["results_frame"]


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
    flops_convention: FlopsConvention = "multiply-adds",
) -> pd.DataFrame:
    """Build a results frame, one row per run, from an external table.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per run.
    subnetwork, flops, params, error : str
        Columns with the key of the subnetwork, its FLOPs, its number of parameters and its error.
    original, space, regime, protocol, seed, loss : str, optional
        Columns with these, where the table has them; loss is cross-entropy in nats.
    widths, layer_params : str or sequence of str, optional
        A column of sequences, or one column per entry: kept filters of each group; parameters of each layer.
    error_unit : {"fraction", "percent"}
        Unit of the error column; the frame has fractions.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
        Units of these columns; the frame holds counts.
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        Whether a multiplication and its addition count as one FLOP or as two; FLOPs of the latter are halved.

    Returns
    -------
    pandas.DataFrame
        A results frame that `check_results` has passed, with the columns that were given.

    Raises
    ------
    InputError
        For a missing column, or values that are impossible in the declared units.
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
    """
    names = {"subnetwork": subnetwork, "flops": flops, "params": params, "error": error, "original": original}
    names |= {"space": space, "regime": regime, "protocol": protocol, "seed": seed, "loss": loss}
    sequences = {"widths": widths, "layer_params": layer_params}
    given = _TableFormat(
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
    flops_as_given = units.counts(frame["flops"], "flops", given.flops_unit)
    frame["flops"] = units.counts(frame["flops"], "flops", given.flops_unit, factor)
    frame["params"] = units.counts(frame["params"], "params", given.params_unit)
    errors = units.numbers(frame["error"], "error")
    frame["error"] = errors / units.choice(given.error_unit, units.ERROR_UNITS, "error_unit")
    if "loss" in frame.columns:
        frame["log_cross_entropy"] = units.log_of(frame["loss"], "loss")
    for name, columns in given.sequences.items():
        # a subnetwork keeps a filter of every group, but a layer may own no parameters
        frame[name] = units.tuples(_rows(table, columns), name, 1 if name == "widths" else 0)
    check_results(frame)
    units.check_plausible(frame)
    units.warn_of_units(errors, given.error_unit, flops_as_given, convention)
    return frame


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
