"""Running a study: the one module of the runners that opens the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from prunestats.db import (
    MissingRun,
    OriginalRow,
    SubnetworkRow,
    find_original,
    missing_runs,
    open_database,
    read,
    store_environment,
    store_original,
    store_outcome,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    write,
)
from prunestats.errors import DatabaseError, StudyError
from prunestats.files import write_atomically
from prunestats.runners.execution.executors import Executor, executor
from prunestats.runners.execution.study_plan import Plan, PlannedOriginal, PlannedPopulation, plan
from prunestats.runners.execution.worker import TrainedOriginal, failed, run_subnetwork, run_task, train_original
from prunestats.runners.networks.weights import weights_file, weights_folder, weights_match
from prunestats.runners.study.file import Study, content_key, read_study

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RunSummary:
    """What a call of `run_study` found and did.

    Parameters
    ----------
    study : str
        Name of the study.
    runs : int
        Runs that the study consists of.
    done_before, done_now, failed_now : int
        Runs that were stored already, and that this call added.
    missing : int
        Runs still to do.
    wall_s : float
    """

    study: str
    runs: int
    done_before: int
    done_now: int
    failed_now: int
    missing: int
    wall_s: float


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
    """Run what is missing of a study and store it: every architecture and metric as rows.

    Parameters
    ----------
    study : str, Path or Study
        A study file, or a study that was read from one.
    db : str or Path
        A SQLite file, made if it is not there, or the URL of a database.
    workers : int, optional
        One-thread worker processes, by default one a GPU or else one a core; 0 runs inline. With worker processes,
        call this under ``if __name__ == "__main__":``, as always in Python.
    scheduler : str, optional
        Address of a Dask scheduler to be used instead, or the file that it wrote with ``--scheduler-file``.
    max_runs : int, optional
        Stop after this many runs.
    weights : str or Path, optional
        Folder for the weights of the originals, by default beside the SQLite file.
    progress : callable
        Receives the phase ("originals" or "runs"), how many are done, and how many there are.

    Returns
    -------
    RunSummary

    Raises
    ------
    StudyError, InputError
        If the study cannot be run as written, before anything is trained.
    DatabaseError
        If the database cannot be used, or holds another study of this name.

    Notes
    -----
    A run is identified by its subnetwork, protocol and seed. Each is stored in a transaction of its own as soon as it
    ends, so that a study may be stopped at any moment and called again: what is stored is not computed again.
    """
    started = time.perf_counter()
    planned = plan(study if isinstance(study, Study) else read_study(study))
    engine = open_database(db, create=True)
    folder = Path(weights) if weights is not None else weights_folder(engine.url.drivername, engine.url.database)
    with write(engine) as connection:
        study_id = store_study(
            connection,
            name=planned.study.name,
            text=planned.study.model_dump_json(),
            fingerprint=planned.study.fingerprint,
            seed=planned.study.seed,
        )
    with ExitStack() as stack:

        @cache
        def processes() -> Executor:
            return stack.enter_context(executor(workers, scheduler, layers=planned.depth))

        original_ids = _prepare_originals(engine, planned, folder, processes, progress)
        protocol_id = _store_populations(engine, planned, study_id, original_ids)
        with read(engine) as connection:
            missing = missing_runs(
                connection, study_id=study_id, protocol_id=protocol_id, seeds=planned.study.protocol.seeds
            )
        total = planned.n_runs
        before = total - len(missing)
        todo = missing if max_runs is None else missing[:max_runs]
        done = broken = 0
        progress("runs", before, total)
        for state in _execute(engine, planned, protocol_id, todo, folder, processes):
            done, broken = done + (state == "done"), broken + (state == "failed")
            progress("runs", before + done + broken, total)
    engine.dispose()
    left = len(missing) - done - broken
    return RunSummary(planned.study.name, total, before, done, broken, left, time.perf_counter() - started)


def _prepare_originals(
    engine: Engine, planned: Plan, folder: Path, processes: Callable[[], Executor], progress: Progress
) -> dict[str, int]:
    """Train the originals that are not there yet; return every original's row id by its key."""
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
    pool = processes()
    progress("originals", len(ids), total)
    by_key = {original.task.key: (original, stored) for original, stored in absent}
    tasks = [original.task for original, _ in absent]
    for task, result in pool.map(train_original, tasks, lambda task: ()):
        original, stored = by_key[task.key]
        if isinstance(result, BaseException):
            raise StudyError(f"original {task.network}, seed {task.seed}, could not be trained: {result}")
        if stored is not None and stored["weights_sha256"] != result.sha256:
            raise DatabaseError(
                f"the weights of original {task.network}, seed {task.seed}, are not in {str(folder)!r} as stored, and "
                "training gave others (another machine or version?): restore the file or begin a new database"
            )
        write_atomically(weights_file(folder, task.key), result.weights)
        ids[task.key] = _store_original(engine, planned, original, result)
        progress("originals", len(ids), total)
    return ids


def _store_original(engine: Engine, planned: Plan, original: PlannedOriginal, result: TrainedOriginal) -> int:
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


def _store_populations(engine: Engine, planned: Plan, study_id: int, original_ids: dict[str, int]) -> int:
    """Store regimes, spaces, populations and the runs asked for; return the id of the protocol."""
    protocol = planned.study.protocol
    with write(engine) as connection:
        regimes = {
            regime: store_regime(connection, study_id=study_id, flops_fraction=regime.flops, tolerance=regime.tolerance)
            for regime in planned.study.regime_bands
        }
        spaces = {
            space.name: store_space(
                connection,
                study_id=study_id,
                name=space.name,
                sampler=space.sampler_name,
                parameters=space.parameters,
                law=space.law,
            )
            for space in (config.space() for config in planned.study.spaces)
        }
        for population in planned.populations:
            drawn = population.sample
            key = population.original.task.key
            store_population(
                connection,
                study_id=study_id,
                original_id=original_ids[key],
                regime_id=regimes[population.regime],
                space_id=spaces[population.space.name],
                attempts=drawn.attempts,
                accepted=drawn.accepted,
                duplicates=drawn.duplicates,
                subnetworks=_subnetwork_rows(population),
            )
        protocol_id = store_protocol(
            connection, key=content_key(protocol.parameters), name=protocol.name, parameters=protocol.parameters
        )
        store_plan(connection, study_id=study_id, protocol_id=protocol_id, seeds=protocol.seeds)
        return protocol_id


def _subnetwork_rows(population: PlannedPopulation) -> list[SubnetworkRow]:
    drawn = population.sample
    return [
        SubnetworkRow(key, tuple(widths), flops, params)
        for key, widths, flops, params in zip(
            population.keys, drawn.widths.tolist(), drawn.flops.tolist(), drawn.params.tolist(), strict=True
        )
    ]


def _execute(
    engine: Engine,
    planned: Plan,
    protocol_id: int,
    todo: list[MissingRun],
    folder: Path,
    processes: Callable[[], Executor],
) -> Iterator[str]:
    """Run and store what is missing, yielding the state of each run as it is stored."""
    if not todo:
        return
    protocol = planned.study.protocol.parameters
    originals = {original.task.key: original.task for original in planned.originals}
    pool = processes()
    weights = {key: pool.share(weights_file(folder, task.key).read_bytes()) for key, task in originals.items()}
    tasks = (
        run_task(run.original_key, run.subnetwork_key, run.subnetwork_id, run.widths, protocol, run.seed)
        for run in todo
    )
    for task, result in pool.map(
        run_subnetwork, tasks, lambda task: (originals[task.original_key], weights[task.original_key])
    ):
        outcome, where = result if isinstance(result, tuple) else (failed(_reason(result)), None)
        with write(engine) as connection:
            store_outcome(
                connection,
                subnetwork_id=task.subnetwork_id,
                protocol_id=protocol_id,
                seed=task.seed,
                environment_id=None if where is None else store_environment(connection, **where),
                outcome=outcome,
            )
        yield outcome.state


def _reason(error: BaseException) -> str:
    if type(error).__name__ == "KilledWorker":
        return "its worker process died each time that it was tried (out of memory?)"
    return f"{type(error).__name__}: {error}"
