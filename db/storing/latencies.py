"""Storing of latencies: one row for a subnetwork, device, runtime, precision, batch and number of threads."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import insert_new
from prunestats.errors import DatabaseError

_IDENTITY = ("subnetwork_id", "device", "runtime", "precision", "batch", "threads")


@dataclass(frozen=True)
class LatencyRow:
    """A latency of a subnetwork, and that of its dense network measured in turn with it.

    Parameters
    ----------
    subnetwork_id : int
    device : str
        Name of the processor, GPU or board.
    runtime : str
        ``"eager"``, ``"compile"``, ``"onnx"``, or ``"module:function"``.
    precision : str
        Of weights and activations, such as ``"float32"``.
    batch, threads : int
        Images in a batch, and threads of the process.
    ms : float
        Median milliseconds of a batch.
    ms_low, ms_high : float or None
        Quartiles.
    dense_ms : float or None
        Median milliseconds of the dense network.
    repeats : int or None
        Timed batches of each of the two.
    environment_id : int or None
        Where it was measured, from `store_environment`.
    """

    subnetwork_id: int
    device: str
    runtime: str
    precision: str
    batch: int
    threads: int
    ms: float
    ms_low: float | None = None
    ms_high: float | None = None
    dense_ms: float | None = None
    repeats: int | None = None
    environment_id: int | None = None


def store_latency(connection: Connection, latency: LatencyRow, *, again: bool = False) -> bool:
    """Store a latency; return whether it is new.

    Parameters
    ----------
    connection : Connection
        From `write`.
    latency : LatencyRow
    again : bool
        Replace the one that is stored for this subnetwork and setting; by default that one is kept.

    Raises
    ------
    DatabaseError
        For milliseconds that are not positive and finite.
    """
    for name in ("ms", "dense_ms"):
        value = getattr(latency, name)
        if value is not None and not 0 < value < math.inf:
            raise DatabaseError(f"expected {name} as positive milliseconds; found {value:g}: measure it again")
    values = asdict(latency)
    if again:
        same = (schema.latency.c[name] == values[name] for name in _IDENTITY)
        connection.execute(schema.latency.delete().where(*same))
    return insert_new(connection, schema.latency, [values]) == 1
