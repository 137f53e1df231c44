"""Loading of the results frame, from which every statistic starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine

from prunestats.cost.buckets import check_bucket
from prunestats.db.reading.column_types import Begin, Fetch
from prunestats.db.reading.costs import add_widths, cost_models
from prunestats.db.reading.fetch import reading
from prunestats.db.reading.joining import Level, Runs, join_runs
from prunestats.db.reading.own_metrics import add_own_metrics, columns_with_metrics, mark_metrics, study_metrics
from prunestats.db.reading.selection import check_names, select_members
from prunestats.db.schema.opening import read_only_engine
from prunestats.db.schema.tables import OPTIONAL_METRICS
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
    "log_cross_entropy",
    "val_error",
    "test_error",
    "val_loss",
    "test_loss",
    "train_loss",
    "epochs",
    "wall_s",
    "failure",
    "host",
    *OPTIONAL_METRICS,
)


def load_results(
    source: Source,
    *,
    study: str | Sequence[str] | None = None,
    original: str | Sequence[str] | None = None,
    dataset: str | Sequence[str] | None = None,
    space: str | Sequence[str] | None = None,
    regime: float | Sequence[float] | None = None,
    protocol: str | Sequence[str] | None = None,
    state: Literal["done", "failed"] | None = "done",
    split: Literal["validation", "test"] = "validation",
    bucket: int = 1,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Load runs as a results frame, one row per run and population.

    Parameters
    ----------
    source : Engine, str or Path
        From `open_database`, or the path or URL of a database.
    study, space : str or sequence of str, optional
        Names; all by default.
    original : str or sequence of str, optional
        Keys of originals, or names of networks.
    dataset : str or sequence of str, optional
        Names of data sets, with the hash of their contents as in the column `dataset`.
    regime : float or sequence of float, optional
        FLOPs targets as fractions of the original's.
    protocol : str or sequence of str, optional
        Names or keys.
    state : {"done", "failed"} or None
        None loads both; missing metrics of failed runs are NaN.
    split : {"validation", "test"}
        Split of the columns `error`, `loss` and `log_cross_entropy`, or of the study's own metrics.
    bucket : int
        Parameters per bucket, for the columns `buckets` and `ratio`.
    columns : sequence of str, optional
        Columns to return, in this order; all of `COLUMNS` by default. `error` stands for the study's metric.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: errors are fractions, losses nats, FLOPs multiply-adds, `ratio` FLOPs per bucket,
        `wall_s` seconds, latencies milliseconds; latencies and proxies are NaN where the protocol does not measure
        them. `widths` and `layer_params` hold tuples, or None where an import has none. Names of protocols that are
        not unique are followed by the first characters of their keys. Runs of a study with a metric of its own have
        that metric, under its name and in its unit, and the others that its training returned, in place of `error`,
        `loss` and `log_cross_entropy`; `metric_of` tells its direction.

    Raises
    ------
    InputError
        For a name that is not in the database (the message lists those that are), or buckets that cannot be counted.
    DatabaseError
        If the database cannot be read.

    Notes
    -----
    Without `study`, a run that belongs to several studies comes once per study.

    Examples
    --------
    >>> frame = load_results("results.db", study="digits", regime=0.25)     # doctest: +SKIP
    """
    if split not in ("validation", "test"):
        raise InputError(f"split must be 'validation' or 'test'; found {split!r}: pass one of these")
    if state not in ("done", "failed", None):
        raise InputError(f"state must be 'done', 'failed' or None for both; found {state!r}: pass one of these")
    check_bucket(bucket)
    chosen = list(COLUMNS if columns is None else columns)
    filters = {
        **{"study": study, "original": original, "dataset": dataset},
        **{"space": space, "regime": regime, "protocol": protocol},
    }
    given = {name: _listed(value) for name, value in filters.items() if value is not None}
    needs_widths = bucket > 1 or bool({"widths", "layer_params"} & set(chosen))
    with _reading(source) as (connection, fetch, begin):
        check_names(connection, given)
        selected = select_members(fetch, given, state, widths=needs_widths)
        populations, members, of_population = selected.populations, selected.members, selected.of_population
        originals = populations["original_id"].to_numpy()
        costs = cost_models(fetch, originals) if needs_widths else {}
        runs = begin(selected.runs, selected.run_types)
        add_widths(members, originals[of_population], costs, bucket, "layer_params" in chosen)
        members["flops_fraction"] = (
            members["flops"].to_numpy() / populations["original_flops"].to_numpy()[of_population]
        )
        found = join_runs(selected, runs())
    _derive(found, "val" if split == "validation" else "test")
    metrics = study_metrics(populations)
    others = add_own_metrics(found.runs.frame, metrics, split)
    chosen = columns_with_metrics(chosen, metrics, others, known=COLUMNS)
    with ThreadPoolExecutor() as pool:
        frame = pd.DataFrame(dict(zip(chosen, pool.map(partial(_column, found), chosen), strict=True)), copy=False)
    return mark_metrics(frame, metrics)


@contextmanager
def _reading(source: Source) -> Iterator[tuple[Connection, Fetch, Begin]]:
    if isinstance(source, Engine):
        with reading(source) as found:
            yield found
        return
    engine = read_only_engine(source)
    try:
        with reading(engine) as found:
            yield found
    finally:
        engine.dispose()


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, float | int | np.number):
        return [float(value)]
    return [item if isinstance(item, str) else float(item) for item in value]


def _derive(found: Runs, prefix: str) -> None:
    """Add derived columns to the frames in which each value stands once, before they are expanded to runs."""
    populations, runs = found.populations.frame, found.runs.frame
    populations["original_ratio"] = populations["original_flops"] / populations["original_params"]
    runs["error"] = runs[f"{prefix}_error"]
    runs["loss"] = runs[f"{prefix}_loss"]
    with np.errstate(divide="ignore"):
        runs["log_cross_entropy"] = np.log(runs["loss"])
    _label_protocols(found.protocols)


def _label_protocols(protocols: Level) -> None:
    """Give protocols of one name different names: their runs are not replications of one another."""
    used = protocols.frame.iloc[np.unique(protocols.rows)]
    twice = used["protocol"][used["protocol"].duplicated()]
    ambiguous = protocols.frame["protocol"].isin(twice)
    protocols.frame["protocol"] = protocols.frame["protocol"].mask(ambiguous, protocols.frame["labelled"])


def _column(found: Runs, name: str) -> Any:
    for level in (found.populations, found.members, found.protocols, found.environments, found.runs):
        if name in level.frame.columns:
            return level.per_run(name)
    raise KeyError(name)
