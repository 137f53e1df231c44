"""Tables in CSV, JSON and parquet files, written such that reading them returns the same values."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from prunestats.errors import InputError
from prunestats.files import atomic_file

SUFFIXES = (".csv", ".json", ".parquet")
KEY_COLUMN = "key"
"""Column of the outer keys of a dictionary of dictionaries."""

_NO_PYARROW = "expected pyarrow for parquet; found it missing: pip install 'prunestats[parquet]'"


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table as Python values; the index numbers its rows from 1.

    Parameters
    ----------
    path : str or Path
        ``.csv`` (UTF-8, with a header), ``.json`` (a list of records, or a dictionary of them, whose keys become the
        column `key`) or ``.parquet``.

    Returns
    -------
    pandas.DataFrame
        Columns of dtype object; None where there is no value; the cells of a CSV file stay text.

    Raises
    ------
    InputError
        If the file cannot be read in the format of its suffix.
    """
    file = Path(path)
    read = {".csv": _read_csv, ".json": _read_json, ".parquet": _read_parquet}[check_suffix(file)]
    try:
        columns, rows = read(file)
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"expected a {check_suffix(file)} table at {str(file)!r}; found: {reason}") from None
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InputError(f"expected columns of different names in {file.name!r}; found {twice[0]!r} twice: rename one")
    if not rows:
        raise InputError(f"expected a table with rows in {file.name!r}; found none: check the file")
    return pd.DataFrame(rows, columns=pd.Index(columns), index=pd.RangeIndex(1, len(rows) + 1), dtype=object)


def write_table(path: str | os.PathLike[str], columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table atomically: an existing file is replaced as a whole, or not at all.

    Parameters
    ----------
    path : str or Path
        Its suffix gives the format: ``.csv``, ``.json`` or ``.parquet``.
    columns : mapping
        Type by name: ``text``, ``integer``, ``float``, ``boolean``, ``widths`` or ``json``.
    rows : sequence of sequences
        Python values in the order of `columns`; None is a missing value.

    Raises
    ------
    InputError
        For another suffix, or a path that cannot be written.
    """
    file = Path(path)
    write = {".csv": _write_csv, ".json": _write_json, ".parquet": _write_parquet}[check_suffix(file)]
    try:
        with atomic_file(file) as temporary:
            write(temporary, columns, rows)
    except OSError as error:
        raise InputError(f"expected to write {str(file)!r}; found: {error.strerror or error}") from None


def check_suffix(path: str | os.PathLike[str]) -> str:
    """Return the suffix in lower case; refuse one that is not in `SUFFIXES`."""
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"expected a file that ends in {', '.join(SUFFIXES)}; found {file.name!r}: rename it")
    return file.suffix.lower()


def _read_csv(file: Path) -> tuple[list[str], list[list[Any]]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        header = next(reader, [])
        rows = []
        for record in reader:
            if record and len(record) != len(header):
                raise InputError(
                    f"expected {len(header)} fields in every line of {file.name!r}; found {len(record)} in line "
                    f"{reader.line_num}: repair it"
                )
            if record:
                rows.append([value or None for value in record])
    return header, rows


def _read_json(file: Path) -> tuple[list[str], list[list[Any]]]:
    content = json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=_each_once)
    if isinstance(content, dict):
        inner = {name for record in content.values() if isinstance(record, dict) for name in record}
        key = KEY_COLUMN if KEY_COLUMN not in inner else f"outer {KEY_COLUMN}"
        records = [{key: name, **value} if isinstance(value, dict) else value for name, value in content.items()]
    else:
        records = content
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(
            f"expected a list of records or a dictionary of them in {file.name!r}; found other JSON: convert it"
        )
    columns = list(dict.fromkeys(name for record in records for name in record))
    return columns, [[record.get(name) for name in columns] for record in records]


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"expected each key of a JSON object once; found {twice[:80]!r} twice: remove one")
    return record


def _read_parquet(file: Path) -> tuple[list[str], list[list[Any]]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise InputError(_NO_PYARROW) from None
    try:
        table = parquet.read_table(file)
    except pa.ArrowInvalid as error:
        raise InputError(f"expected parquet in {file.name!r}; found: {str(error).splitlines()[0]}") from None
    values = [column.to_pylist() for column in table.columns]
    return list(table.column_names), list(map(list, zip(*values, strict=True)))


def _write_csv(file: Path, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    nested = [index for index, kind in enumerate(columns.values()) if kind in {"widths", "json"}]
    with file.open("w", encoding="utf-8", newline="") as text:
        # text is quoted: a reader must not take a name for a number or for two lines
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(columns)
        for row in rows:
            values = list(row)
            for index in nested:
                values[index] = None if values[index] is None else _json_text(values[index])
            writer.writerow([str(value).lower() if isinstance(value, bool) else value for value in values])


def _write_json(file: Path, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    with file.open("w", encoding="utf-8") as text:
        lines = (_json_text(dict(zip(columns, row, strict=True))) for row in rows)
        text.write("[" + ",".join(f"\n{line}" for line in lines) + "\n]\n")


def _write_parquet(file: Path, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise InputError(_NO_PYARROW) from None
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "json": pa.string(),
    }
    types["widths"] = pa.list_(pa.int64())
    values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    for index, kind in enumerate(columns.values()):
        if kind == "json":
            values[index] = [None if value is None else _json_text(value) for value in values[index]]
    arrays = [pa.array(column, types[kind]) for column, kind in zip(values, columns.values(), strict=True)]
    parquet.write_table(pa.table(dict(zip(columns, arrays, strict=True))), file)


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
