"""Latency of stored subnetworks, measured alone on the device and stored as each is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sqlalchemy import Engine

from prunestats.db import open_database, read, store_environment, stored_originals, study_progress, write
from prunestats.db.reading.best_subnetworks import StudyRuns, runs_to_select, uniform_space
from prunestats.db.reading.latencies import LatencySetting, stored_latencies, trained_subnetworks
from prunestats.db.storing.latencies import LatencyRow, store_latency
from prunestats.errors import InputError
from prunestats.noise.worth_measuring import BEST, worth_measuring
from prunestats.numeric.intervals import Interval
from prunestats.runners.deployment.bench import Bench
from prunestats.runners.deployment.machine import device_name, load_note, measuring_device
from prunestats.runners.deployment.runtimes import check_runtime
from prunestats.runners.deployment.timing import LIMIT_S, TimedBatch, Timings, time_in_turn
from prunestats.runners.networks.weights import weights_folder
from prunestats.runners.pruning.tracing import trace
from prunestats.runners.stored_original import dense_network, original_of_run
from prunestats.runners.study.file import read_study
from prunestats.runners.training.device import environment

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LatencySummary:
    """What a call of `measure_latency` measured.

    Parameters
    ----------
    study : str
    studies : tuple of str
        It, and those that refine it.
    setting : LatencySetting
        Runtime, batch, device, precision and threads.
    subnetworks : int
        Subnetworks of the study that could be measured.
    chosen : int
        Those of them that were to be measured.
    before : int
        Chosen ones whose latency was stored already.
    speedups : dict of str to Interval
        For each subnetwork that was measured now, the median ratio of the dense network's time to its own.
    wall_s : float
    notes : tuple of str
        Other work of the machine, and what else limits the measurement.
    """

    study: str
    studies: tuple[str, ...]
    setting: LatencySetting
    subnetworks: int
    chosen: int
    before: int
    speedups: dict[str, Interval]
    wall_s: float
    notes: tuple[str, ...] = ()


def measure_latency(
    study: str | Path | None,
    db: str | Path = "prunestats.db",
    *,
    runtime: str = "eager",
    batch: int = 1,
    threads: int = 1,
    precision: str = "float32",
    device: str | None = None,
    every: bool = False,
    best: int = BEST,
    again: bool = False,
    limit_s: float = LIMIT_S,
    weights: str | Path | None = None,
    progress: Progress = lambda phase, done, total: None,
    timing: Callable[..., Timings] = time_in_turn,
) -> LatencySummary:
    """Measure the latency of stored subnetworks beside their dense networks, and store it.

    Parameters
    ----------
    study : str, Path or None
        A study file, or the name of a stored study; None for the only one.
    db : str or Path
        Results database.
    runtime : str
        ``"eager"`` (PyTorch as it is), ``"compile"`` (`torch.compile`), ``"onnx"`` (onnxruntime), or
        ``"module:function"``: called as ``function(network, images)`` for the dense and the pruned network in turn, it
        returns milliseconds, as measured on a board of one's own.
    batch, threads : int
        Images in a batch, and threads of the process.
    precision : str
        ``"float32"``, and on a GPU ``"bf16"`` or ``"fp16"``; of a function, any name.
    device : str, optional
        ``"cpu"`` or ``"cuda"``, by default a GPU where there is one; of a function, the name of the board.
    every : bool
        All subnetworks; by default those of `worth_measuring`.
    best : int
        Subnetworks of each regime beside the front, and of uniform pruning.
    again : bool
        Measure again what is stored, and replace it.
    limit_s : float
        Seconds for one subnetwork, after which its timing stops in any case.
    weights : str or Path, optional
        Folder of the weights of the originals, by default beside the SQLite file.
    progress : callable
        Receives the phase ("latency"), the number done and the total.
    timing : callable
        Times two batches in turn.

    Returns
    -------
    LatencySummary

    Raises
    ------
    InputError
        If the study is not stored, or the machine or the runtime cannot measure it.
    ReproductionError
        If a network or its data are no longer those of the study.
    DatabaseError
        If the database cannot be used.

    Notes
    -----
    This process measures alone, after the runs. Dense and pruned network are timed in turn (`time_in_turn`), and
    subnetworks in a random order, so that a machine that slows down does not make larger networks look slower. Each
    latency is stored in a transaction of its own as soon as it is measured, so the same call goes on after any stop.

    Examples
    --------
    >>> done = measure_latency("digits", "results.db", runtime="onnx", batch=1)     # doctest: +SKIP
    >>> len(done.speedups), done.setting.words                                      # doctest: +SKIP
    (24, 'onnx, float32, batch of 1, 1 thread, AMD EPYC')
    """
    started = time.perf_counter()
    where = measuring_device(runtime, device)
    check_runtime(runtime, precision, where, batch=batch, threads=threads)
    named = (device or runtime) if ":" in runtime else device_name(where)
    setting = LatencySetting(runtime, batch, named, precision, threads)
    engine = open_database(db, create=False)
    try:
        runs = runs_to_select(engine, _stored_name(study))
        every_one, chosen = _chosen(engine, runs, every, best)
        todo = chosen if again else _not_stored(engine, runs, setting, chosen)
        folder = Path(weights) if weights is not None else weights_folder(engine.url.drivername, engine.url.database)
        notes, speedups = _notes(engine, runs), dict[str, Interval]()
        progress("latency", len(chosen) - len(todo), len(chosen))
        bench = partial(_bench, engine=engine, setting=setting, where=where, folder=folder, notes=notes)
        for row, timings in _measured(todo, bench, partial(timing, limit_s=limit_s)):
            _store(engine, row, setting, timings, again)
            speedups[row.subnetwork] = timings.speedup
            progress("latency", len(chosen) - len(todo) + len(speedups), len(chosen))
    finally:
        engine.dispose()
    counts = len(every_one), len(chosen), len(chosen) - len(todo)
    said = tuple(dict.fromkeys(notes))
    return LatencySummary(
        runs.facts.name, _studies(runs), setting, *counts, speedups, time.perf_counter() - started, said
    )


def _studies(runs: StudyRuns) -> tuple[str, ...]:
    return tuple(dict.fromkeys([runs.facts.name, *runs.frame["study"]]))


def _stored_name(study: str | Path | None) -> str | None:
    """Name of the study: that in a study file, or the one that is given."""
    is_file = study is not None and (isinstance(study, Path) or study.endswith(".toml"))
    return read_study(str(study)).name if is_file else None if study is None else str(study)


def _chosen(engine: Engine, runs: StudyRuns, every: bool, best: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All subnetworks of a study and of those that refine it, and those to measure, one row each."""
    with read(engine) as connection:
        found = trained_subnetworks(connection, runs.facts.name, _studies(runs))
    if found.empty:
        raise InputError(
            f"expected subnetworks that `prunestats run` trained; found none with widths in study {runs.facts.name!r}: "
            "external results are measured where their networks are"
        )
    if every:
        return found, found
    wanted = worth_measuring(runs.frame, uniform_space(runs.facts.spaces), best)
    return found, found.merge(wanted, on=["original", "subnetwork"])


def _not_stored(engine: Engine, runs: StudyRuns, setting: LatencySetting, chosen: pd.DataFrame) -> pd.DataFrame:
    with read(engine) as connection:
        stored = stored_latencies(connection, _studies(runs))
    same = stored[setting.holds(stored) & (stored["device"] == setting.device)]
    known = set(zip(same["original"], same["subnetwork"], strict=True))
    is_new = [pair not in known for pair in zip(chosen["original"], chosen["subnetwork"], strict=True)]
    return chosen[is_new]


def _notes(engine: Engine, runs: StudyRuns) -> list[str]:
    found = [load_note()]
    with read(engine) as connection:
        busy = [one.study for one in study_progress(connection) if one.running]
    if busy:
        found.append(f"study {busy[0]!r} is running: latency is measured alone on the device, so wait for its end")
    return [note for note in found if note is not None]


def _measured(
    todo: pd.DataFrame, bench_of: Callable[[Any], Bench], timing: Callable[[TimedBatch, TimedBatch], Timings]
) -> Iterator[tuple[Any, Timings]]:
    """Yield every subnetwork with its timings, original by original."""
    order = np.random.default_rng(0)
    for _, mine in todo.groupby("original", sort=True):
        rows = list(mine.itertuples(index=False))
        bench = bench_of(rows[0])
        for position in order.permutation(len(rows)):
            yield rows[position], bench.time(rows[position].widths, timing)


def _bench(
    row: Any, engine: Engine, setting: LatencySetting, where: torch.device, folder: Path, notes: list[str]
) -> Bench:
    """The dense network of a subnetwork as it is built now, with its weights where their file is there."""
    with read(engine) as connection:
        original = original_of_run(row, stored_originals(connection))
    network, example, is_trained = dense_network(original, row, folder)
    if not is_trained:
        notes.append("the weights of a dense network are not in their folder: it was measured with random ones")
    options = {name: getattr(setting, name) for name in ("runtime", "batch", "threads", "precision")}
    return Bench.of(network, trace(network, example), example, **options, where=where)


def _store(engine: Engine, row: Any, setting: LatencySetting, timings: Timings, again: bool) -> None:
    low, high = timings.quartiles
    with write(engine) as connection:
        machine = store_environment(connection, **environment())
        latency = LatencyRow(
            subnetwork_id=int(row.subnetwork_id),
            **{name: getattr(setting, name) for name in ("device", "runtime", "precision", "batch", "threads")},
            ms=timings.ms,
            ms_low=low,
            ms_high=high,
            dense_ms=timings.dense_ms,
            repeats=len(timings.pruned),
            environment_id=machine,
        )
        store_latency(connection, latency, again=again)
