"""Running a study: originals and subnetworks are trained on workers, and stored by this process alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row

from prunestats.db import missing_runs, open_database, read, stored_originals, write
from prunestats.errors import StudyError
from prunestats.runners.execution.callbacks import Callback, Callbacks
from prunestats.runners.execution.executors import Executor, lazy_executor
from prunestats.runners.execution.study_plan import StudyPlan, network_depth, plan_study
from prunestats.runners.execution.trial import try_originals
from prunestats.runners.networks.weights import weights_folder
from prunestats.runners.originals import known_originals, prepare_originals
from prunestats.runners.populations import changed_study, declare_study, execute_runs, store_populations, stored_study
from prunestats.runners.run_files import clean_files, runs_folder, seen_folders
from prunestats.runners.study.file import Study, read_study
from prunestats.runners.study.tables import ASK

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RunSummary:
    """Numbers of runs of a study before and after a call of `run_study`.

    Parameters
    ----------
    study : str
        Name of the study.
    runs : int
        Runs of the study.
    done_before, done_now, failed_now : int
        Runs stored before the call, and done and failed runs that the call added.
    missing : int
        Runs that are not stored yet.
    wall_s : float
        Seconds that the call took.
    notes : tuple of str
        Originals that were found by name alone, as they were stored before networks had fingerprints.
    """

    study: str
    runs: int
    done_before: int
    done_now: int
    failed_now: int
    missing: int
    wall_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Execution:
    """Where runs are computed, where the weights of originals are kept, and who receives the progress.

    Parameters
    ----------
    workers, scheduler, weights, progress, announce
        As in `run_study`.
    callbacks : Callbacks
        Functions that are called with every run, beside those that the study names.
    """

    workers: int | None
    scheduler: str | None
    weights: str | Path | None
    progress: Progress
    announce: Callable[[str], None] = lambda sentence: None
    callbacks: Callbacks = field(default_factory=Callbacks)

    def weights_folder(self, engine: Engine) -> Path:
        """Folder of the weights of the originals, by default beside the SQLite file."""
        if self.weights is not None:
            return Path(self.weights)
        return weights_folder(engine.url.drivername, engine.url.database)


def run_study(
    study: str | Path | Study,
    db: str | Path = "prunestats.db",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    max_runs: int | None = None,
    replace: bool = False,
    weights: str | Path | None = None,
    progress: Progress = lambda phase, done, total: None,
    announce: Callable[[str], None] = lambda sentence: None,
    on_run: Callback | None = None,
    on_epoch: Callback | None = None,
) -> RunSummary:
    """Execute the missing runs of a study and store every subnetwork and metric in the database.

    Parameters
    ----------
    study : str, Path or Study
        A study file, or a study that was read from one.
    db : str or Path
        A SQLite file, created if it does not exist, or the URL of a database.
    workers : int, optional
        Single-threaded worker processes, by default one a GPU, or else one a core; 0 runs inline. With worker
        processes, call this under ``if __name__ == "__main__":``, as they import the main module.
    scheduler : str, optional
        Address of a Dask scheduler to use instead, or the file that it wrote with ``--scheduler-file``.
    max_runs : int, optional
        Stop after this many runs.
    replace : bool
        Replace a stored study of this name that differs: its runs that no study plans any longer are deleted, after a
        backup of a SQLite file beside it.
    weights : str or Path, optional
        Folder for the weights of the originals, by default beside the SQLite file.
    progress : callable
        Receives the phase ("originals" or "runs"), the number done and the total.
    announce : callable
        Receives what is said before the runs, in sentences: the size of kept weights on disk, and whether an
        interrupted run can go on inside.
    on_run, on_epoch : callable, optional
        Called in this process with a dictionary for every run after it is stored, and before it for each of its epochs,
        beside those that the study's ``[callbacks]`` names. An error that one raises is a warning, once.

    Returns
    -------
    RunSummary

    Raises
    ------
    StudyError, InputError
        If the study is not valid; raised before anything is trained.
    StudyChangedError
        If the database holds another study of this name, or one of another network or other data, unless `replace`.
    TrialError
        If a network fails in one training step; raised before anything is stored.
    DatabaseError
        If the database cannot be used.

    Notes
    -----
    A run is identified by its subnetwork, protocol and seed, and inserts are idempotent. An original is identified by
    what its network computes, not by the name or the file of the network, and by data, recipe and seed. Each run is
    stored in its own transaction as soon as it ends, so a study may be stopped at any moment and resumed by the same
    call. A run that takes longer than `checkpoint_every_s` goes on inside. The weights of the best `keep_weights` runs
    of each population are kept as files beside the database.

    Examples
    --------
    >>> summary = run_study("study.toml", "results.db", workers=4)     # doctest: +SKIP
    >>> summary.runs, summary.missing                                  # doctest: +SKIP
    (720, 0)
    """
    started = time.perf_counter()
    content = study if isinstance(study, Study) else read_study(study)
    planned = plan_study(content, known_originals(db))
    execution = Execution(workers, scheduler, weights, progress, announce, Callbacks.given(on_run, on_epoch))
    with lazy_executor(workers, scheduler, layers=network_depth(planned.originals)) as pool:
        summary = run_plan(planned, db, pool, execution, max_runs=max_runs, replace=replace)
    return dataclasses.replace(summary, wall_s=time.perf_counter() - started)


def run_plan(
    planned: StudyPlan,
    db: str | Path,
    pool: Callable[[], Executor],
    execution: Execution,
    *,
    max_runs: int | None = None,
    replace: bool = False,
) -> RunSummary:
    """Execute the missing runs of a planned study on an executor that several studies may share.

    Parameters
    ----------
    planned : StudyPlan
    db : str or Path
    pool : callable
        Returns the executor; called only where something is missing.
    execution : Execution
    max_runs : int, optional
        Stop after this many runs.
    replace : bool
        As in `run_study`.

    Raises
    ------
    StudyChangedError
        If the stored study of this name differs, unless `replace`.
    """
    started = time.perf_counter()
    if planned.study.protocol.train == ASK:
        raise StudyError(
            "expected a recipe in [protocol], or train = 'module:function'; found neither, so that its runs are asked "
            "for in Python: for run in prunestats.ask(...)"
        )
    callbacks = execution.callbacks.beside(planned.study)
    stored = stored_study(db, planned.study.name)
    replaced = changed_study(planned, stored, replace=replace)
    if not stored.is_complete or replaced is not None:
        try_originals(planned, only_short=True)
        execution.announce(planned.storage_sentence)
    engine = open_database(db, create=True)
    folder = execution.weights_folder(engine)
    if replaced is None:
        # before the first run, so that the study's hash is older than its results
        with write(engine) as connection:
            declare_study(connection, planned.study)
    folders = seen_folders(engine, planned.study.storage.checkpoint_every_s, pool, execution.announce)
    original_ids = prepare_originals(engine, planned, folder, pool, execution.progress, folders)
    study_id, protocol_id = store_populations(engine, planned, original_ids, replaced)
    with read(engine) as connection:
        originals = stored_originals(connection, study=planned.study.name)
        missing = missing_runs(
            connection, study_id=study_id, protocol_id=protocol_id, seeds=planned.study.protocol.seeds
        )
    total = planned.n_runs
    before = total - len(missing)
    todo = missing if max_runs is None else missing[:max_runs]
    clean_files(engine)
    done = broken = 0
    execution.progress("runs", before, total)
    for task, outcome in execute_runs(engine, planned, (study_id, protocol_id), todo, folder, pool, folders):
        callbacks.stored(planned, task, outcome)
        done, broken = done + (outcome.state == "done"), broken + (outcome.state == "failed")
        execution.progress("runs", before + done + broken, total)
    with suppress(OSError):
        runs_folder(engine).rmdir()  # which is possible where it is empty
    engine.dispose()
    left = len(missing) - done - broken
    notes = _unverified(originals)
    return RunSummary(planned.study.name, total, before, done, broken, left, time.perf_counter() - started, notes)


def _unverified(originals: Sequence[Row[Any]]) -> tuple[str, ...]:
    names = sorted({row.network for row in originals if row.fingerprint is None})
    return tuple(
        f"network {name!r} is not fingerprinted: its results were stored by an earlier version and are found by its "
        "name, whatever it computes now"
        for name in names
    )
