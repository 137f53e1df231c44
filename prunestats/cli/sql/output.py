"""Output of the rows of a query: to the terminal, a pipe or a file, as text or parquet."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from prunestats.cli.terminal import print_rows, refuse_duplicate_columns
from prunestats.errors import InputError
from prunestats.files import atomic_file

FORMS = ("table", "csv", "json", "parquet")


def form_of(form: str | None, output: Path | None) -> str:
    """Return the output format, by name or by the suffix of the file.

    Raises
    ------
    InputError
        For parquet on a terminal.
    """
    if form is None:
        ending = output.suffix.lstrip(".").lower() if output else ""
        form = ending if ending in FORMS else "table"
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise InputError("expected a file or a pipe for parquet; found a terminal: name a file with -o")
    return form


def write_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], form: str, output: Path | None) -> None:
    """Write rows in a format of `FORMS`.

    Raises
    ------
    InputError
        For columns or values that the format cannot represent, a file that cannot be written, or parquet without
        pyarrow.
    """
    if form == "parquet":
        content = parquet_bytes(columns, rows)
    elif output is None:
        print_rows(columns, rows, form)
        return
    else:
        with redirect_stdout(io.StringIO()) as text:
            print_rows(columns, rows, form)
        content = text.getvalue().encode()
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        _write(output.resolve(), content)
    except OSError as error:
        raise InputError(
            f"expected a file that can be written at {str(output)!r}; found: {error.strerror}: check the path"
        ) from error


def _write(file: Path, content: bytes) -> None:
    if file.exists() and not file.is_file():
        # a device or a pipe, such as /dev/stdout, must not be replaced by a file
        file.write_bytes(content)
        return
    with atomic_file(file) as temporary:
        temporary.write_bytes(content)


def parquet_bytes(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return rows as a parquet file."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InputError("expected pyarrow for parquet; found it missing: pip install 'prunestats[parquet]'") from None
    refuse_duplicate_columns(columns)
    values = dict(zip(columns, zip(*rows, strict=True) if rows else [()] * len(columns), strict=True))
    file = io.BytesIO()
    try:
        pq.write_table(pa.table({name: pa.array(column) for name, column in values.items()}), file)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(
            f"expected one type per column for parquet; found: {str(error).rstrip('.')}: CAST the column in the query"
        ) from None
    return file.getvalue()
