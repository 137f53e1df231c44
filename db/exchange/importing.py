"""Results from outside, stored as if they had been run here: all of a table, or nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, Engine, select

from prunestats.db.connection.address import file_of, parse_address
from prunestats.db.connection.engine import write
from prunestats.db.exchange.cell_values import converters
from prunestats.db.exchange.column_roles import Convention, Meaning, Split, Unit, check_meaning, find_columns
from prunestats.db.exchange.import_summary import ImportSummary, summarise
from prunestats.db.exchange.refused_rows import RefusedError, refuse_all
from prunestats.db.exchange.storing import store_runs
from prunestats.db.exchange.table_files import read_table
from prunestats.db.exchange.table_runs import check_units, runs_of
from prunestats.db.schema import tables as schema
from prunestats.db.schema.opening import open_database
from prunestats.errors import InputError

# everything up to twice the original's FLOPs: results that were not drawn in a band
ANY_FLOPS = (1.0, 1.0)


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
    split: Split | None = None,
    flops_convention: Convention | None = None,
    flops_unit: Unit = "counts",
    params_unit: Unit = "counts",
    error_unit: Literal["fraction", "percent"] = "fraction",
    original_flops: float | None = None,
    original_params: float | None = None,
    skip_bad: bool = False,
    dry_run: bool = False,
) -> ImportSummary:
    """Store the results in a table from outside: every row, or nothing.

    Parameters
    ----------
    target : Engine, str or Path
        The database; it is created where there is none.
    table : DataFrame, str or Path
        ``.csv``, ``.json`` (records, or a dictionary of dictionaries) or ``.parquet``.
    columns : mapping, optional
        Columns by role (`prunestats.db.exchange.column_roles.ROLES`); a role without one is taken from the column of
        its name. An error or a loss may have several columns, or hold lists: a value a seed.
    original, dataset, study, space, protocol : str, optional
        Names, where the table has no column for them. The original is needed; the study is by default called as the
        file.
    regimes : sequence of float, optional
        FLOPs targets as fractions of the original's: each run goes to those in whose band it is. By default all go to
        the regime 1 ± 1, which holds everything up to twice the original's FLOPs.
    tolerance : float, optional
        Relative tolerance of the regimes.
    split : {"validation", "test"}, optional
        Which split the roles `error`, `accuracy` and `loss` are of. Where there is no validation error the test error
        takes its place, and the protocol says so.
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        What the table's FLOPs count; the latter are halved.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
    error_unit : {"fraction", "percent"}
    original_flops, original_params : float, optional
        Of the original, in the unit and by the convention of the table; by default those of its largest subnetwork.
    skip_bad : bool
        Whether to leave out, and report, rows that cannot be stored, instead of refusing the table.
    dry_run : bool
        Whether to undo everything at the end, and report what would have happened.

    Returns
    -------
    ImportSummary

    Raises
    ------
    InputError
        For a table that cannot be understood, units that cannot be what they are said to be, or rows that cannot be
        stored; nothing is stored then.
    DatabaseError
        If the database refuses.

    Notes
    -----
    Importing the same table again changes nothing: a run is its original, subnetwork, protocol and seed.

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
    read, name, digest = _read(table)
    found = find_columns(list(read.columns), columns or {})
    _check_arguments(found, original, regimes, tolerance)
    meaning = Meaning(found, _convention(read, found, flops_convention), flops_unit, params_unit, error_unit, split)
    check_meaning(meaning)
    defaults = {
        "original": original,
        "dataset": dataset or "not recorded",
        "study": study or name,
        "space": space or "outside",
        "protocol": protocol or "outside",
        "protocol_parameters": _protocol(meaning),
        "state": "done",
        "tolerance": tolerance,
        **_sizes(meaning, original_flops, original_params),
    }
    given = {role: value for role, value in defaults.items() if value is not None}
    bands = [(float(regime), float(tolerance or 0)) for regime in regimes] or [ANY_FLOPS]
    text = f"# imported from {name}, SHA-256 {digest}\n# columns: {found}\n"
    with _opened(target, dry_run) as engine:
        try:
            with write(engine) as connection:
                runs, refused = runs_of(read, meaning, given, bands, _costs(connection))
                doubts = check_units(runs)
                stored = store_runs(connection, runs, text)
                refused = [*refused, *stored.clashes]
                if refused and not (dry_run or (skip_bad and len(runs) > len(stored.clashes))):
                    raise refuse_all(refused, len(read))
                if dry_run:
                    raise _DryRunError
        except _DryRunError:
            pass
    return summarise(name, len(read), meaning, runs, refused, stored, doubts, kept=not dry_run)


class _DryRunError(Exception):
    """The end of a dry run."""


def _read(table: pd.DataFrame | str | os.PathLike[str]) -> tuple[pd.DataFrame, str, str]:
    """The table, its name, and a hash of it."""
    if isinstance(table, pd.DataFrame):
        read = table.astype(object).set_axis([str(name) for name in table.columns], axis=1)
        read = read.set_axis(pd.RangeIndex(1, len(table) + 1), axis=0)
        content = repr([read.columns.tolist(), read.to_numpy().tolist()])
        return read, "table", hashlib.sha256(content.encode(errors="backslashreplace")).hexdigest()
    path = Path(table)
    read = read_table(path)
    return read, path.stem, hashlib.sha256(path.read_bytes()).hexdigest()


def _check_arguments(
    found: Mapping[str, tuple[str, ...]], original: str | None, regimes: Sequence[float], tolerance: float | None
) -> None:
    if original is None and "original" not in found:
        raise InputError("expected the name of the original; found none: pass --original, or map a column to it")
    if regimes and "regime" in found:
        raise InputError(f"expected regimes once; found --regime and the column {found['regime'][0]!r}: leave one out")
    if regimes and tolerance is None:
        raise InputError("expected the relative tolerance of the regimes; found none: pass --tolerance, as 0.02")
    for regime in regimes:
        if not 0 < regime <= 1:
            raise InputError(f"expected regimes as fractions of the original's FLOPs, up to 1; found {regime:g}")
    if tolerance is not None and not regimes and "regime" not in found:
        raise InputError("expected a tolerance of regimes; found no regimes: pass --regime, or map a column to it")
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise InputError(f"expected a relative tolerance between 0 and 1; found {tolerance:g}")


def _convention(read: pd.DataFrame, found: Mapping[str, tuple[str, ...]], given: str | None) -> Convention:
    stated = set(read[found["flops_convention"][0]]) if "flops_convention" in found else set()
    if len(stated) == 1 and given is None:
        given = str(next(iter(stated)))
    if given == "multiply-adds":
        return "multiply-adds"
    if given == "multiplications-and-additions":
        return "multiplications-and-additions"
    raise InputError(
        f"expected what one FLOP is; found {given or 'nothing'}: say --flops-convention multiply-adds, or "
        "multiplications-and-additions, which is halved"
    )


def _protocol(meaning: Meaning) -> dict[str, str]:
    said = {"source": "results from outside"}
    if meaning.test_chooses:
        said["choices look at"] = "the test split, as there is no other error"
    return said


def _sizes(meaning: Meaning, flops: float | None, params: float | None) -> dict[str, Any]:
    """The original's cost, counted as the columns are."""
    sizes: dict[str, Any] = {}
    for role, value in (("original_flops", flops), ("original_params", params)):
        try:
            sizes[role] = converters(meaning)[role](role, value)
        except RefusedError as refused:
            raise InputError(f"expected {refused.args[0]}; found {refused.args[1]}") from None
    return sizes


def _costs(connection: Connection) -> dict[str, tuple[int, int]]:
    table = schema.original
    rows = connection.execute(select(table.c.key, table.c.flops, table.c.params))
    return {key: (flops, params) for key, flops, params in rows}


@contextmanager
def _opened(target: Engine | str | os.PathLike[str], dry_run: bool) -> Iterator[Engine]:
    """The database; a dry run makes none that is not there."""
    if isinstance(target, Engine):
        yield target
        return
    with TemporaryDirectory() as folder:
        url = parse_address(target)
        nowhere = dry_run and url.get_backend_name() == "sqlite" and not file_of(url).exists()
        engine = open_database(f"{folder}/dry-run.db" if nowhere else target)
        try:
            yield engine
        finally:
            engine.dispose()
