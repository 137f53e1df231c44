"""Storing and finding of originals: the dense, trained networks that subnetworks are cut from."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, select, update

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import expect_same, get_or_insert, short
from prunestats.db.storing.records import OriginalRow

_COMPARED = ("dataset", "seed", "group_sizes", "flops", "params", "weights_sha256")
"""Columns in which an original must agree with the stored one; metrics and seconds differ between machines.

The network's name may differ, as a network that was renamed or moved is the same one.
"""


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


def stored_originals(connection: Connection, *, study: str | None = None) -> list[Row[Any]]:
    """Return what identifies the originals that were trained here.

    Parameters
    ----------
    connection : Connection
        From `read` or `write`.
    study : str, optional
        Only the originals of this study's populations.

    Returns
    -------
    list of Row
        In storing order: id, key, network, dataset, seed, recipe, group_sizes, flops, params, fingerprint. Imported
        originals, which have no weights, are left out.
    """
    names = ("id", "key", "network", "dataset", "seed", "recipe", "group_sizes", "flops", "params", "fingerprint")
    table = schema.original.c
    query = select(*(table[name] for name in names)).where(table.weights_sha256.is_not(None)).order_by(table.id)
    if study is not None:
        drawn = select(schema.population.c.original_id).join(schema.study).where(schema.study.c.name == study)
        query = query.where(table.id.in_(drawn))
    return list(connection.execute(query))


def rename_network(connection: Connection, key: str, network: str) -> None:
    """Store the name by which an original's network is built now, after its module was renamed or moved."""
    connection.execute(update(schema.original).where(schema.original.c.key == key).values(network=network))
