"""From the database to the results frame that the statistics take."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine

from prunestats.db.engine import read, read_only_engine
from prunestats.db.selection import add_names, check_names, select_runs
from prunestats.db.widths import add_widths, cost_models
from prunestats.errors import InputError

Source = Engine | str | os.PathLike[str]

COLUMNS = (
    "study",
    "original",
    "network",
    "dataset",
    "original_seed",
    "original_flops",
    "original_params",
    "original_ratio",
    "space",
    "regime",
    "draw",
    "subnetwork",
    "widths",
    "layer_params",
    "flops",
    "params",
    "flops_fraction",
    "buckets",
    "ratio",
    "protocol",
    "seed",
    "state",
    "error",
    "loss",
    "log_loss",
    "val_error",
    "test_error",
    "val_loss",
    "test_loss",
    "train_loss",
    "epochs",
    "wall_s",
    "failure",
    "host",
    "latency_ms_1",
    "latency_ms_64",
    "speedup_1",
    "speedup_64",
)
_FLOATS = ("val_error", "test_error", "val_loss", "test_loss", "train_loss", "wall_s", "epochs", *COLUMNS[-4:])
_WHOLES = ("original_flops", "original_params", "draw", "flops", "params", "seed")


def load_results(
    source: Source,
    *,
    study: str | Sequence[str] | None = None,
    original: str | Sequence[str] | None = None,
    space: str | Sequence[str] | None = None,
    regime: float | Sequence[float] | None = None,
    protocol: str | Sequence[str] | None = None,
    state: Literal["done", "failed"] | None = "done",
    split: Literal["validation", "test"] = "validation",
    bucket: int = 1,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Load runs as a results frame, one row a run in a population.

    Parameters
    ----------
    source : Engine, str or Path
        From `open_database`, or the path or URL of a database.
    study, space : str or sequence of str, optional
        Names; all when not given.
    original : str or sequence of str, optional
        Keys of originals, or names of networks.
    regime : float or sequence of float, optional
        FLOPs targets as fractions of the original's.
    protocol : str or sequence of str, optional
        Names or keys.
    state : {"done", "failed"} or None
        None loads both; failed runs have NaN where there is no metric.
    split : {"validation", "test"}
        Which split `error`, `loss` and `log_loss` are of.
    bucket : int
        Parameters a bucket, for the columns `buckets` and `ratio`.
    columns : sequence of str, optional
        Only these, in this order.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: errors are fractions, losses nats, FLOPs multiply-adds, `ratio` FLOPs a bucket,
        `wall_s` seconds, latencies milliseconds (NaN where not asked for); `widths` and `layer_params` hold tuples, or
        None where an import has none. Two protocols of one name are told apart by the beginning of their keys.

    Raises
    ------
    InputError
        For a name that is not in the database (the message says which are), or buckets that cannot be counted.
    DatabaseError
        If the database cannot be read.

    Notes
    -----
    Without `study`, a run that belongs to several studies comes once for each.

    Examples
    --------
    >>> frame = load_results("results.db", study="digits", regime=0.25)     # doctest: +SKIP
    """
    if split not in ("validation", "test"):
        raise InputError(f"split must be 'validation' or 'test'; found {split!r}")
    if state not in ("done", "failed", None):
        raise InputError(f"state must be 'done', 'failed' or None for both; found {state!r}")
    if bucket != int(bucket) or bucket < 1:
        raise InputError(f"bucket must be a whole number of parameters, 1 or more; found {bucket}")
    chosen = list(COLUMNS if columns is None else columns)
    for name in chosen:
        if name not in COLUMNS:
            raise InputError(f"expected columns of the results frame; found {name!r}: it has {', '.join(COLUMNS)}")
    filters = {"study": study, "original": original, "space": space, "regime": regime, "protocol": protocol}
    with _reading(source) as connection:
        given = {name: _listed(value) for name, value in filters.items() if value is not None}
        check_names(connection, given)
        frame = add_names(connection, select_runs(connection, given, state))
        costs = cost_models(connection, frame)
    frame = _label_protocols(_typed(frame))
    prefix = "val" if split == "validation" else "test"
    frame["error"] = frame[f"{prefix}_error"]
    frame["loss"] = frame[f"{prefix}_loss"]
    with np.errstate(divide="ignore"):
        frame["log_loss"] = np.log(frame["loss"])
    add_widths(frame, costs, bucket, "layer_params" in chosen)
    return frame[chosen]


@contextmanager
def _reading(source: Source) -> Iterator[Connection]:
    if isinstance(source, Engine):
        with read(source) as connection:
            yield connection
        return
    engine = read_only_engine(source)
    try:
        with read(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, float | int | np.number):
        return [float(value)]
    return [item if isinstance(item, str) else float(item) for item in value]


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each column its type, also where every value is missing."""
    types: dict[str, Any] = dict.fromkeys(_FLOATS, "float64") | dict.fromkeys(_WHOLES, "int64")
    types |= {"regime": "float64", "original_ratio": "float64", "flops_fraction": "float64"}
    types |= {"original_seed": "int64" if frame["original_seed"].notna().all() else "float64"}
    return frame.astype(types)


def _label_protocols(frame: pd.DataFrame) -> pd.DataFrame:
    """Tell protocols of one name apart: they are not replications of one another."""
    keys = frame[["protocol", "protocol_key"]].drop_duplicates()
    twice = set(keys["protocol"][keys["protocol"].duplicated()])
    if twice:
        ambiguous = frame["protocol"].isin(twice)
        frame.loc[ambiguous, "protocol"] += "-" + frame.loc[ambiguous, "protocol_key"].str[:8]
    return frame
