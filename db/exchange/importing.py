"""Import of external results in one transaction: every row of a table is stored, or none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, Engine, select

from prunestats.db.connection.address import file_of, parse_address
from prunestats.db.connection.engine import write
from prunestats.db.exchange.cell_values import converters
from prunestats.db.exchange.column_roles import Meaning, SplitName, check_meaning, find_columns
from prunestats.db.exchange.import_summary import ImportSummary, summarise
from prunestats.db.exchange.refused_rows import RefusedError, refuse_all
from prunestats.db.exchange.storing import store_runs
from prunestats.db.exchange.table_files import read_table
from prunestats.db.exchange.table_runs import check_units, parse_runs
from prunestats.db.schema import tables as schema
from prunestats.db.schema.opening import open_database
from prunestats.errors import InputError
from prunestats.results.units import FlopsConvention, Unit, check_convention

ANY_FLOPS = (1.0, 1.0)
"""Regime (target, relative tolerance) of results that were not sampled in a band: up to twice the original's FLOPs."""


@dataclass(frozen=True)
class ImportOptions:
    """Arguments of `import_results` that say how a table is read; their meaning is documented there."""

    columns: Mapping[str, str | Sequence[str]]
    original: str | None
    dataset: str | None
    study: str | None
    space: str | None
    protocol: str | None
    regimes: Sequence[float]
    tolerance: float | None
    split: SplitName | None
    flops_convention: FlopsConvention | None
    flops_unit: Unit
    params_unit: Unit
    error_unit: Literal["fraction", "percent"]
    original_flops: float | None
    original_params: float | None

    @property
    def bands(self) -> list[tuple[float, float]]:
        """Regimes as pairs of target and relative tolerance."""
        return [(float(regime), float(self.tolerance or 0)) for regime in self.regimes] or [ANY_FLOPS]

    def meaning_of(self, table: pd.DataFrame) -> Meaning:
        """Return the columns of the table by role, with their units; refuse options that contradict them."""
        found = find_columns(list(table.columns), self.columns)
        _check_options(found, self)
        convention = _convention(table, found, self.flops_convention)
        units = (self.flops_unit, self.params_unit, self.error_unit)
        meaning = Meaning(found, convention, *units, self.split)
        check_meaning(meaning)
        return meaning

    def defaults(self, meaning: Meaning, table_name: str) -> dict[str, Any]:
        """Return the values of roles for which a row has none."""
        values = {
            "original": self.original,
            "dataset": self.dataset or "not recorded",
            "study": self.study or table_name,
            "space": self.space or "outside",
            "protocol": self.protocol or "outside",
            "protocol_parameters": _protocol(meaning),
            "state": "done",
            "tolerance": self.tolerance,
            **_original_costs(meaning, self.original_flops, self.original_params),
        }
        return {role: value for role, value in values.items() if value is not None}


def import_results(
    target: Engine | str | os.PathLike[str],
    table: pd.DataFrame | str | os.PathLike[str],
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    original: str | None = None,
    dataset: str | None = None,
    study: str | None = None,
    space: str | None = None,
    protocol: str | None = None,
    regimes: Sequence[float] = (),
    tolerance: float | None = None,
    split: SplitName | None = None,
    flops_convention: FlopsConvention | None = None,
    flops_unit: Unit = "counts",
    params_unit: Unit = "counts",
    error_unit: Literal["fraction", "percent"] = "fraction",
    original_flops: float | None = None,
    original_params: float | None = None,
    skip_bad: bool = False,
    dry_run: bool = False,
) -> ImportSummary:
    """Store the results in an external table: every row, or none.

    Parameters
    ----------
    target : Engine, str or Path
        The database; it is created if it does not exist.
    table : DataFrame, str or Path
        ``.csv``, ``.json`` (records, or a dictionary of dictionaries) or ``.parquet``.
    columns : mapping, optional
        Columns by role (`prunestats.db.exchange.column_roles.ROLES`); a role that is not given takes the column of its
        name. Errors and losses may have several columns, or hold lists: one value per seed.
    original, dataset, study, space, protocol : str, optional
        Names, where the table has no column for them. The original is required; the study defaults to the name of the
        file, space and protocol to "outside".
    regimes : sequence of float, optional
        FLOPs targets as fractions of the original's: each run is put into every regime whose band contains it. By
        default all runs are put into the regime 1 ± 1, which contains everything up to twice the original's FLOPs.
    tolerance : float, optional
        Relative tolerance of the regimes.
    split : {"validation", "test"}, optional
        Split on which the roles `error`, `accuracy` and `loss` were measured. Without a validation error, the test
        error is stored as both, and the protocol records that.
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        What one FLOP is in the table; FLOPs of the latter are halved. Required, unless a column states it.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
        Units of FLOPs and of parameters.
    error_unit : {"fraction", "percent"}
        Unit of errors and accuracies.
    original_flops, original_params : float, optional
        Cost of the original, in the units and convention of the table; by default that of its largest subnetwork.
    skip_bad : bool
        Whether to leave out and report rows that cannot be stored, instead of refusing the table.
    dry_run : bool
        Whether to roll back at the end, and report what would have been stored.

    Returns
    -------
    ImportSummary

    Raises
    ------
    InputError
        For a table that cannot be read, units that contradict the values, or rows that cannot be stored; then nothing
        is stored.
    DatabaseError
        If the database cannot be used.

    Notes
    -----
    Inserts are idempotent: a run is identified by original, subnetwork, protocol and seed, so importing the same table
    again changes nothing.

    Examples
    --------
    >>> table = pd.DataFrame({"arch": ["a", "b"], "flops": [90, 80], "params": [9, 8], "acc": [92.5, 91.0]})
    >>> with TemporaryDirectory() as folder:
    ...     done = import_results(f"{folder}/results.db", table, columns={"subnetwork": "arch", "accuracy": "acc"},
    ...                           original="net", split="validation", error_unit="percent",
    ...                           flops_convention="multiply-adds")
    >>> done.new_runs, done.ranges["val_error"]
    (2, (0.075, 0.09))
    """
    options = ImportOptions(
        columns=columns or {},
        original=original,
        dataset=dataset,
        study=study,
        space=space,
        protocol=protocol,
        regimes=regimes,
        tolerance=tolerance,
        split=split,
        flops_convention=flops_convention,
        flops_unit=flops_unit,
        params_unit=params_unit,
        error_unit=error_unit,
        original_flops=original_flops,
        original_params=original_params,
    )
    return _import(target, table, options, skip_bad=skip_bad, dry_run=dry_run)


def _import(
    target: Engine | str | os.PathLike[str],
    table: pd.DataFrame | str | os.PathLike[str],
    options: ImportOptions,
    *,
    skip_bad: bool,
    dry_run: bool,
) -> ImportSummary:
    read, name, digest = _read(table)
    meaning = options.meaning_of(read)
    defaults = options.defaults(meaning, name)
    origin = f"# imported from {name}, SHA-256 {digest}\n# columns: {meaning.columns}\n"
    with _opened(target, dry_run) as engine:
        try:
            with write(engine) as connection:
                runs, refused = parse_runs(read, meaning, defaults, options.bands, _stored_costs(connection))
                doubts = check_units(runs)
                stored = store_runs(connection, runs, origin)
                refused = [*refused, *stored.conflicts]
                if refused and not (dry_run or (skip_bad and len(runs) > len(stored.conflicts))):
                    raise refuse_all(refused, len(read))
                if dry_run:
                    raise _DryRunError
        except _DryRunError:
            pass
    return summarise(name, len(read), meaning, runs, refused, stored, doubts, kept=not dry_run)


class _DryRunError(Exception):
    """Rolls back the transaction of a dry run."""


def _read(table: pd.DataFrame | str | os.PathLike[str]) -> tuple[pd.DataFrame, str, str]:
    """Return the table, its name, and the SHA-256 of its content."""
    if isinstance(table, pd.DataFrame):
        read = table.astype(object).set_axis([str(name) for name in table.columns], axis=1)
        read = read.set_axis(pd.RangeIndex(1, len(table) + 1), axis=0)
        content = repr([read.columns.tolist(), read.to_numpy().tolist()])
        return read, "table", hashlib.sha256(content.encode(errors="backslashreplace")).hexdigest()
    path = Path(table)
    read = read_table(path)
    return read, path.stem, hashlib.sha256(path.read_bytes()).hexdigest()


def _check_options(found: Mapping[str, tuple[str, ...]], options: ImportOptions) -> None:
    regimes, tolerance = options.regimes, options.tolerance
    if options.original is None and "original" not in found:
        raise InputError("expected the name of the original; found none: pass --original, or map a column to it")
    if regimes and "regime" in found:
        raise InputError(f"expected regimes once; found --regime and the column {found['regime'][0]!r}: leave one out")
    if regimes and tolerance is None:
        raise InputError(
            "expected the relative tolerance of the regimes; found none: pass --tolerance, for example 0.02"
        )
    for regime in regimes:
        if not 0 < regime <= 1:
            raise InputError(
                f"expected regimes as fractions of the original's FLOPs, up to 1; found {regime:g}: divide by 100?"
            )
    if tolerance is not None and not regimes and "regime" not in found:
        raise InputError("expected regimes with a tolerance; found no regimes: pass --regime, or map a column to it")
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise InputError(f"expected a relative tolerance between 0 and 1; found {tolerance:g}: divide by 100?")


def _convention(read: pd.DataFrame, found: Mapping[str, tuple[str, ...]], given: str | None) -> FlopsConvention:
    stated = set(read[found["flops_convention"][0]]) if "flops_convention" in found else set()
    if len(stated) == 1 and given is None:
        given = str(next(iter(stated)))
    return check_convention(given)


def _protocol(meaning: Meaning) -> dict[str, str]:
    # The key of the protocol is a hash of these words: other words would make another protocol of an earlier import.
    parameters = {"source": "results from outside"}
    if meaning.selects_by_test:
        parameters["choices look at"] = "the test split, as there is no other error"
    return parameters


def _original_costs(meaning: Meaning, flops: float | None, params: float | None) -> dict[str, Any]:
    """Return the cost of the original, converted from the units of the columns."""
    costs: dict[str, Any] = {}
    for role, value in (("original_flops", flops), ("original_params", params)):
        try:
            costs[role] = converters(meaning)[role](role, value)
        except RefusedError as refused:
            raise InputError(f"expected {refused.args[0]}; found {refused.args[1]}") from None
    return costs


def _stored_costs(connection: Connection) -> dict[str, tuple[int, int]]:
    table = schema.original
    rows = connection.execute(select(table.c.key, table.c.flops, table.c.params))
    return {key: (flops, params) for key, flops, params in rows}


@contextmanager
def _opened(target: Engine | str | os.PathLike[str], dry_run: bool) -> Iterator[Engine]:
    """Open the database; a dry run uses a temporary one where the file does not exist."""
    if isinstance(target, Engine):
        yield target
        return
    with TemporaryDirectory() as folder:
        url = parse_address(target)
        temporary = dry_run and url.get_backend_name() == "sqlite" and not file_of(url).exists()
        engine = open_database(f"{folder}/dry-run.db" if temporary else target)
        try:
            yield engine
        finally:
            engine.dispose()
