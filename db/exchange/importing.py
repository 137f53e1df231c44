"""Import of external results in one transaction: every row of a table is stored, or none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pandas as pd
from sqlalchemy import Connection, Engine, select

from prunestats.db.connection.address import file_of, parse_address
from prunestats.db.connection.engine import write
from prunestats.db.exchange.column_roles import SplitName
from prunestats.db.exchange.digit_widths import check_order
from prunestats.db.exchange.import_options import ImportOptions
from prunestats.db.exchange.import_summary import ImportSummary, assumed_costs, summarise
from prunestats.db.exchange.plausible_units import check_units
from prunestats.db.exchange.refused_rows import refuse_all
from prunestats.db.exchange.storing import store_runs
from prunestats.db.exchange.table_files import read_table
from prunestats.db.exchange.table_runs import parse_runs
from prunestats.db.schema import tables as schema
from prunestats.db.schema.opening import open_database
from prunestats.metric import Direction
from prunestats.results.known_metrics import named_metric
from prunestats.results.units import FlopsConvention, Unit


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
    any_fraction: bool = False,
    widths_digits: str | None = None,
    digit_widths: Mapping[str, float] | None = None,
    original_widths: Sequence[int] | None = None,
    metric: str = "error",
    direction: Direction | None = None,
    unit: str | None = None,
    metric_range: tuple[float | None, float | None] | None = None,
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
        name. Metrics and losses may have several columns, or hold lists: one value per seed.
    original, dataset, study, space, protocol : str, optional
        Names, where the table has no column for them. The original is required; the study defaults to the name of the
        file, space and protocol to "outside". With another metric than the error, the original defaults to the name of
        the file, too.
    regimes : sequence of float, optional
        FLOPs targets as fractions of the original's: each run is put into every regime whose band contains it. By
        default all runs are put into the regime 1 ± 1, which contains everything up to twice the original's FLOPs.
    tolerance : float, optional
        Relative tolerance of the regimes.
    split : {"validation", "test"}, optional
        Split on which the roles `error`, `accuracy` and `loss`, or that of the metric's name, were measured. Without a
        validation metric, that of the test split is stored as both, and the protocol records that. With another metric
        than the error, the default is the test split.
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        What one FLOP is in the table; FLOPs of the latter are halved. Required, unless a column states it or the table
        has no FLOPs.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
        Units of FLOPs and of parameters.
    error_unit : {"fraction", "percent"}
        Unit of errors and accuracies, and of another metric that is a fraction.
    original_flops, original_params : float, optional
        Cost of the original, in the units and convention of the table; by default that of its largest subnetwork.
    any_fraction : bool
        Whether FLOPs and parameters may be any fraction of the original's; by default fractions outside 0.001 to 1.5
        are refused, as they suggest another unit.
    widths_digits : str, optional
        Column whose digits are the widths, one digit per group of filters: "4412". It is the key of a subnetwork, too,
        unless another column is.
    digit_widths : mapping of str to float, optional
        What a digit stands for: with `original_widths` a fraction of the original's filters, else filters.
    original_widths : sequence of int, optional
        Filters of the original in each group, in the order of the digits.
    metric : str
        Name of the metric. With another than "error" the roles are its name, for the split that `split` names, and its
        name after ``val_`` and ``test_``; and a table needs no FLOPs.
    direction : {"minimize", "maximize"}, optional
        Whether lower or higher values of the metric are better; required unless its name is known
        (`prunestats.results.known_metrics.KNOWN`).
    unit : str, optional
        Unit of the metric: "fraction" for values that are printed as percentages.
    metric_range : (float or None, float or None), optional
        Lowest and highest possible value of the metric; rows with others are refused.
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
        any_fraction=any_fraction,
        widths_digits=widths_digits,
        digit_widths=digit_widths,
        original_widths=original_widths,
        metric=named_metric(metric, direction, unit, metric_range),
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
                known = _stored_costs(connection)
                bands, any_fraction = options.bands, options.any_fraction
                runs, refused = parse_runs(read, meaning, defaults, bands, known, any_fraction=any_fraction)
                doubts = check_units(runs)
                if meaning.digits is not None:
                    check_order(runs)
                stored = store_runs(connection, runs, origin)
                refused = [*refused, *stored.conflicts]
                if refused and not (dry_run or (skip_bad and len(runs) > len(stored.conflicts))):
                    raise refuse_all(refused, len(read))
                if dry_run:
                    raise _DryRunError
        except _DryRunError:
            pass
    assumed = assumed_costs(runs, {*meaning.columns, *defaults}, known)
    return summarise(name, len(read), meaning, runs, refused, stored, doubts, assumed, kept=not dry_run)


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


def _stored_costs(connection: Connection) -> dict[str, tuple[int | None, int]]:
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
