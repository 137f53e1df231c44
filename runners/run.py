"""Running a study: originals and subnetworks are trained on workers, and stored by this process alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine

from prunestats.db import (
    OriginalRow,
    find_original,
    missing_runs,
    open_database,
    read,
    store_environment,
    store_original,
    store_study,
    write,
)
from prunestats.errors import DatabaseError, StudyError
from prunestats.files import write_atomically
from prunestats.runners.execution.executors import Executor, lazy_executor
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan, network_depth, plan_study
from prunestats.runners.execution.trial import try_originals
from prunestats.runners.execution.worker import TrainedOriginal, train_original
from prunestats.runners.networks.weights import weights_file, weights_folder, weights_match
from prunestats.runners.populations import execute_runs, is_complete, store_populations
from prunestats.runners.study.file import Study, read_study

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
    """

    study: str
    runs: int
    done_before: int
    done_now: int
    failed_now: int
    missing: int
    wall_s: float


@dataclass(frozen=True)
class Execution:
    """Where runs are computed, where the weights of originals are kept, and who receives the progress.

    Parameters
    ----------
    workers, scheduler, weights, progress
        As in `run_study`.
    """

    workers: int | None
    scheduler: str | None
    weights: str | Path | None
    progress: Progress

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
    weights: str | Path | None = None,
    progress: Progress = lambda phase, done, total: None,
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
    weights : str or Path, optional
        Folder for the weights of the originals, by default beside the SQLite file.
    progress : callable
        Receives the phase ("originals" or "runs"), the number done and the total.

    Returns
    -------
    RunSummary

    Raises
    ------
    StudyError, InputError
        If the study is not valid; raised before anything is trained.
    TrialError
        If a network fails in one training step; raised before anything is stored.
    DatabaseError
        If the database cannot be used, or holds another study of this name.

    Notes
    -----
    A run is identified by its subnetwork, protocol and seed, and inserts are idempotent. Each run is stored in its own
    transaction as soon as it ends, so a study may be stopped at any moment and resumed by the same call.

    Examples
    --------
    >>> summary = run_study("study.toml", "results.db", workers=4)     # doctest: +SKIP
    >>> summary.runs, summary.missing                                  # doctest: +SKIP
    (720, 0)
    """
    started = time.perf_counter()
    planned = plan_study(study if isinstance(study, Study) else read_study(study))
    execution = Execution(workers, scheduler, weights, progress)
    with lazy_executor(workers, scheduler, layers=network_depth(planned.originals)) as pool:
        summary = run_plan(planned, db, pool, execution, max_runs=max_runs)
    return replace(summary, wall_s=time.perf_counter() - started)


def run_plan(
    planned: StudyPlan,
    db: str | Path,
    pool: Callable[[], Executor],
    execution: Execution,
    *,
    max_runs: int | None = None,
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
    """
    started = time.perf_counter()
    if not is_complete(db, planned.study.name):
        try_originals(planned)  # before anything is stored
    engine = open_database(db, create=True)
    folder = execution.weights_folder(engine)
    with write(engine) as connection:
        study_id = store_study(
            connection,
            name=planned.study.name,
            text=planned.study.model_dump_json(),
            fingerprint=planned.study.fingerprint,
            seed=planned.study.seed,
        )
    original_ids = _prepare_originals(engine, planned, folder, pool, execution.progress)
    protocol_id = store_populations(engine, planned, study_id, original_ids)
    with read(engine) as connection:
        missing = missing_runs(
            connection, study_id=study_id, protocol_id=protocol_id, seeds=planned.study.protocol.seeds
        )
    total = planned.n_runs
    before = total - len(missing)
    todo = missing if max_runs is None else missing[:max_runs]
    done = broken = 0
    execution.progress("runs", before, total)
    for state in execute_runs(engine, planned, protocol_id, todo, folder, pool):
        done, broken = done + (state == "done"), broken + (state == "failed")
        execution.progress("runs", before + done + broken, total)
    engine.dispose()
    left = len(missing) - done - broken
    return RunSummary(planned.study.name, total, before, done, broken, left, time.perf_counter() - started)


def _prepare_originals(
    engine: Engine, planned: StudyPlan, folder: Path, pool: Callable[[], Executor], progress: Progress
) -> dict[str, int]:
    """Train and store the originals that are missing; return the row ids of all originals by their keys."""
    ids: dict[str, int] = {}
    absent = []
    for original in planned.originals:
        with read(engine) as connection:
            stored = find_original(connection, original.task.key)
        if stored is not None and weights_match(weights_file(folder, original.task.key), stored["weights_sha256"]):
            ids[original.task.key] = int(stored["id"])
        else:
            absent.append((original, stored))
    if not absent:
        return ids
    total = len(planned.originals)
    executor = pool()  # before any progress is shown, so that a wrong scheduler gives only its error
    progress("originals", len(ids), total)
    by_key = {original.task.key: (original, stored) for original, stored in absent}
    for task, result in executor.map(train_original, [original.task for original, _ in absent], lambda task: ()):
        original, stored = by_key[task.key]
        if isinstance(result, BaseException):
            raise StudyError(f"original {task.network}, seed {task.seed}, could not be trained: {result}")
        if stored is not None and stored["weights_sha256"] != result.sha256:
            raise DatabaseError(
                f"expected the stored weights of original {task.network}, seed {task.seed}, in {str(folder)!r}; found "
                "none, and training gave others (another machine or version?): restore the file or use a new database"
            )
        write_atomically(weights_file(folder, task.key), result.weights)
        ids[task.key] = _store_original(engine, planned, original, result)
        progress("originals", len(ids), total)
    return ids


def _store_original(engine: Engine, planned: StudyPlan, original: PlannedOriginal, result: TrainedOriginal) -> int:
    task = original.task
    with write(engine) as connection:
        return store_original(
            connection,
            OriginalRow(
                key=task.key,
                network=task.network,
                dataset=f"{planned.study.data.name}-{planned.data.digest[:8]}",
                seed=task.seed,
                recipe=task.recipe,
                group_names=original.cost.group_names,
                group_sizes=original.cost.group_sizes,
                cost=original.cost.to_dict(),
                flops=original.flops,
                params=original.params,
                val_error=result.val_error,
                test_error=result.test_error,
                val_loss=result.val_loss,
                test_loss=result.test_loss,
                wall_s=result.wall_s,
                weights_sha256=result.sha256,
                environment_id=store_environment(connection, **result.environment),
            ),
        )
