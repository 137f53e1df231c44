"""The provenance of conclusions: what was concluded, from which rows, with which code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from prunestats.db import schema
from prunestats.db.once import content_hash, get_or_insert

if TYPE_CHECKING:
    import pandas as pd

_IDENTITY = ("study", "original", "space", "regime", "protocol", "subnetwork", "seed", "error", "loss")


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
    """Store what was concluded; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    study_id : int or None
        The study that was analysed; None for several.
    kind : str
        Which analysis: ``"optimum"``, ``"report"``, ...
    parameters : mapping
        Its arguments.
    rows_hash : str
        Hash of the rows that it looked at (`rows_hash`).
    n_rows : int
        How many those were.
    result : mapping
        What was concluded (``.to_dict()`` of a result); non-finite numbers as None.
    versions : mapping
        Versions of the code.

    Returns
    -------
    int
        The same id when the same analysis of the same rows by the same code is stored again.
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
    """Return a hash of the runs in a results frame, whatever their order.

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
