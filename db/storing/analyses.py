"""Stored analyses: their results with the rows, parameters and code versions that they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, select, true

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import content_hash, get_or_insert, unknown_name
from prunestats.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_IDENTITY = ("study", "original", "space", "regime", "protocol", "subnetwork", "seed", "error", "loss")

# New names of the fields of results that were stored under the old ones.
_RENAMED = {
    "log_loss": "log_cross_entropy",
    "x_low": "ratio_min",
    "x_high": "ratio_max",
    "x_q10": "ratio_q10",
    "x_q90": "ratio_q90",
}


@dataclass(frozen=True)
class AnalysisRow:
    """A stored analysis, without its result.

    Parameters
    ----------
    id : int
        Its number.
    created_at : datetime
        Time of storing, UTC.
    kind : str
        Name of the analysis.
    study : str or None
        None for several studies.
    parameters : dict
        Arguments of the analysis.
    rows_hash : str
        Hash of the analysed rows (`rows_hash`).
    n_rows : int
        Number of these rows.
    versions : dict
        Versions of Python and packages.
    """

    id: int
    created_at: datetime
    kind: str
    study: str | None
    parameters: dict[str, Any]
    rows_hash: str
    n_rows: int
    versions: dict[str, Any]


def list_analyses(connection: Connection, *, study: str | None = None) -> list[AnalysisRow]:
    """Return the stored analyses, oldest first.

    Parameters
    ----------
    connection : Connection
        From `read`.
    study : str, optional
        Name of one study; all by default.

    Returns
    -------
    list of AnalysisRow

    Raises
    ------
    InputError
        If there is no such study.
    """
    names = list(connection.scalars(select(schema.study.c.name).order_by(schema.study.c.id)))
    if study is not None and study not in names:
        raise unknown_name("study", study, names)
    return _analyses(connection, schema.study.c.name == study if study is not None else true())


def find_analysis(connection: Connection, number: int) -> AnalysisRow:
    """Return one analysis by its number.

    Parameters
    ----------
    connection : Connection
        From `read`.
    number : int
        As `list_analyses` returns it.

    Returns
    -------
    AnalysisRow

    Raises
    ------
    InputError
        If there is none; the message names the command that lists them.
    """
    found = _analyses(connection, schema.analysis.c.id == number)
    if not found:
        raise InputError(f"expected the number of a stored analysis; found {number}: see `prunestats analyses`")
    return found[0]


def analysis_result(connection: Connection, number: int) -> dict[str, Any]:
    """Return the stored result of an analysis, with fields under their current names."""
    query = select(schema.analysis.c.result).where(schema.analysis.c.id == number)
    return dict(_renamed(connection.execute(query).scalar_one()))


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_RENAMED.get(name, name): _renamed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part) for part in value]
    return "log_cross_entropy" if value == "log_loss" else value


def _analyses(connection: Connection, condition: ColumnElement[bool]) -> list[AnalysisRow]:
    table = schema.analysis
    columns = [table.c[name] for name in AnalysisRow.__dataclass_fields__ if name != "study"]
    query = select(*columns, schema.study.c.name.label("study")).select_from(table.outerjoin(schema.study))
    return [AnalysisRow(**row) for row in connection.execute(query.where(condition).order_by(table.c.id)).mappings()]


def store_analysis(
    connection: Connection,
    *,
    study_id: int | None,
    kind: str,
    parameters: Mapping[str, Any],
    rows_hash: str,
    n_rows: int,
    result: Mapping[str, Any],
    versions: Mapping[str, Any],
) -> int:
    """Store an analysis; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id : int or None
        The study that was analysed; None for several.
    kind : str
        Name of the analysis: ``"optimum"``, ``"report"``, ...
    parameters : mapping
        Its arguments.
    rows_hash : str
        Hash of the analysed rows (`rows_hash`).
    n_rows : int
        Number of these rows.
    result : mapping
        ``.to_dict()`` of the result; non-finite numbers as None.
    versions : mapping
        Versions of Python and packages.

    Returns
    -------
    int
        Inserts are idempotent: the same analysis of the same rows by the same code has one id.
    """
    identity = [study_id, kind, dict(parameters), rows_hash, dict(versions)]
    values = {
        "study_id": study_id,
        "kind": kind,
        "parameters": parameters,
        "rows_hash": rows_hash,
        "n_rows": n_rows,
        "result": result,
        "versions": versions,
    }
    return get_or_insert(connection, schema.analysis, {"key": content_hash(identity)}, values)


def rows_hash(frame: pd.DataFrame) -> str:
    """Return a hash of the runs in a results frame that does not depend on their order.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `load_results`.

    Returns
    -------
    str
        SHA-256, in hexadecimal digits.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"subnetwork": ["a", "b"], "seed": [0, 0], "error": [0.1, 0.2]})
    >>> rows_hash(runs) == rows_hash(runs[::-1])
    True
    """
    columns = [frame[name].tolist() for name in _IDENTITY if name in frame.columns]
    digest = hashlib.sha256()
    for row in sorted(map(repr, zip(*columns, strict=True))):
        digest.update(row.encode() + b"\n")
    return digest.hexdigest()
