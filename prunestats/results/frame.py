"""The results frame: one row a run, made from any table, and averaged to one row a subnetwork."""

from __future__ import annotations

from collections.abc import Sequence
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
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        Whether a multiplication and its addition count as one FLOP or as two; FLOPs of the latter are halved.

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

    Warns
    -----
    UnitWarning
        For errors in per cent all below 1, or as fractions all above 0.5, and for odd counts of a counter that counts
        apart: it cannot be told whether these are what they are said to be.

    Notes
    -----
    What no number gives away is whether FLOPs are multiply-adds or twice that, and whether errors below 1 are in per
    cent: these are the caller's word.

    Examples
    --------
    >>> table = pd.DataFrame({"arch": ["a", "b"], "macs": [2.5, 3.5], "p": [0.1, 0.2], "err": [7.5, 6.0]})
    >>> frame = results_frame(table, subnetwork="arch", flops="macs", params="p", error="err",
    ...                       error_unit="percent", flops_unit="millions", params_unit="millions")
    >>> frame.to_dict("records")[0]
    {'subnetwork': 'a', 'flops': 2500000, 'params': 100000, 'error': 0.075}
    """
    check_columns(table)
    names = {"subnetwork": subnetwork, "flops": flops, "params": params, "error": error, "original": original}
    names |= {"space": space, "regime": regime, "protocol": protocol, "seed": seed, "loss": loss}
    given = {name: column for name, column in names.items() if column is not None}
    require_columns(table, [*given.values(), *_listed(widths), *_listed(layer_params)])
    _refuse_shared(given)
    convention = units.check_convention(flops_convention)
    factor = 1 / units.FLOPS_PER_MULTIPLY_ADD[convention]
    frame = pd.DataFrame({name: table[column].to_numpy() for name, column in given.items()})
    known = frame["subnetwork"].notna()
    frame["subnetwork"] = frame["subnetwork"].astype(str).astype(object).where(known, None)
    counted = units.counts(frame["flops"], "flops", flops_unit)
    frame["flops"] = units.counts(frame["flops"], "flops", flops_unit, factor)
    frame["params"] = units.counts(frame["params"], "params", params_unit)
    errors = units.numbers(frame["error"], "error")
    frame["error"] = errors / units.choice(error_unit, units.ERROR_UNITS, "error_unit")
    if loss is not None:
        frame["log_cross_entropy"] = units.log_of(frame["loss"], "loss")
    for name, columns, least in (("widths", widths, 1), ("layer_params", layer_params, 0)):
        if columns is not None:
            frame[name] = units.tuples(_rows(table, columns), name, least)
    check_results(frame)
    units.check_plausible(frame)
    units.warn_of_units(errors, error_unit, counted, convention)
    return frame


def _listed(columns: str | Sequence[str] | None) -> list[str]:
    if columns is None:
        return []
    return [columns] if isinstance(columns, str) else list(columns)


def _rows(table: pd.DataFrame, columns: str | Sequence[str]) -> list[Any]:
    rows: list[Any] = table[columns].tolist() if isinstance(columns, str) else table[list(columns)].to_numpy().tolist()
    return rows


def _refuse_shared(given: dict[str, str]) -> None:
    for name, column in given.items():
        also = [other for other, its in given.items() if its == column and other != name]
        if also:
            raise InputError(
                f"each column gives one thing; found {column!r} given as {name} and as {also[0]}: name two"
            )
