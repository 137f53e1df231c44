"""Storing and finding of originals: the dense, trained networks that subnetworks are cut from."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, select

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import expect_same, get_or_insert, short
from prunestats.db.storing.records import OriginalRow

_COMPARED = ("network", "dataset", "seed", "group_sizes", "flops", "params", "weights_sha256")
"""Columns in which an original must agree with the stored one; metrics and seconds differ between machines."""


def store_original(connection: Connection, original: OriginalRow) -> int:
    """Store an original network; return its id.

    Parameters
    ----------
    connection : Connection
        From `write`.
    original : OriginalRow

    Returns
    -------
    int

    Raises
    ------
    DatabaseError
        If another original has this key, or weights with another hash are stored for it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from prunestats.db import open_database, write
    >>> row = OriginalRow(key="net-0", network="net", dataset="digits", seed=0, flops=90, params=9)
    >>> with TemporaryDirectory() as folder:
    ...     engine = open_database(f"{folder}/results.db")
    ...     with write(engine) as connection:
    ...         ids = [store_original(connection, row) for _ in range(2)]
    ...     engine.dispose()
    >>> ids
    [1, 1]
    """
    values = {each.name: getattr(original, each.name) for each in fields(original) if each.name != "key"}
    for name in ("group_names", "group_sizes"):
        values[name] = None if values[name] is None else list(values[name])
    original_id = get_or_insert(connection, schema.original, {"key": original.key}, values)
    compared = {name: values[name] for name in _COMPARED}
    expect_same(connection, schema.original, original_id, compared, f"original {short(original.key)}")
    return original_id


def find_original(connection: Connection, key: str) -> dict[str, Any] | None:
    """Return the columns of the original with this key, or None.

    Parameters
    ----------
    connection : Connection
        From `read` or `write`.
    key : str

    Returns
    -------
    dict or None
        The fields of `OriginalRow`, with id and created_at.
    """
    row = connection.execute(select(schema.original).where(schema.original.c.key == key)).mappings().one_or_none()
    return None if row is None else dict(row)
