"""Leases: runs that were handed out to be trained elsewhere, and are not handed out again meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, select

from prunestats.db.connection.plain_values import now
from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import insert_new


@dataclass(frozen=True)
class Holder:
    """Who holds a lease: the name of a machine, and what identifies a process on it."""

    host: str
    process: str


def take_lease(
    connection: Connection,
    key: str,
    holder: Holder,
    *,
    seconds: float,
    is_free: Callable[[Holder], bool] = lambda holder: False,
) -> bool:
    """Take the lease of a key; return whether it was free.

    Parameters
    ----------
    connection : Connection
        From `write`.
    key : str
    holder : Holder
        Who takes it.
    seconds : float
        After which it is free again.
    is_free : callable
        Whether the lease of another holder is free before it expires, as where its process is gone.

    Returns
    -------
    bool
    """
    lease = schema.lease
    row = connection.execute(select(lease).where(lease.c.key == key)).one_or_none()
    if row is not None:
        if row.expires_at > now() and not is_free(Holder(row.host, row.process)):
            return False
        same = (lease.c.key == key, lease.c.process == row.process, lease.c.expires_at == row.expires_at)
        if connection.execute(delete(lease).where(*same)).rowcount == 0:
            return False  # another process took it in between
    expires = now() + timedelta(seconds=seconds)
    return (
        insert_new(
            connection, lease, [{"key": key, "host": holder.host, "process": holder.process, "expires_at": expires}]
        )
        == 1
    )


def release_lease(connection: Connection, key: str) -> None:
    """Give back the lease of a key, whose run is stored."""
    connection.execute(delete(schema.lease).where(schema.lease.c.key == key))
