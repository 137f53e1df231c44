"""Populations of a study: stored before they are trained, then their missing runs executed and stored one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row

from prunestats.db import (
    MissingRun,
    SubnetworkRow,
    backup_beside,
    forget_declaration,
    open_database,
    planned_protocols,
    read,
    remove_unused,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    stored_originals,
    stored_text,
    study_id,
    study_progress,
    write,
)
from prunestats.errors import DatabaseError, StudyChangedError
from prunestats.metric import ERROR
from prunestats.outcome import Outcome
from prunestats.runners.execution.executors import Executor
from prunestats.runners.execution.own_identity import own_training
from prunestats.runners.execution.run_folders import RunFolders
from prunestats.runners.execution.stale_workers import StaleWorkerError
from prunestats.runners.execution.study_changes import study_changes
from prunestats.runners.execution.study_plan import PlannedPopulation, StudyPlan
from prunestats.runners.execution.worker import ComputedRun, RunTask, failed, run_subnetwork, run_task
from prunestats.runners.originals import original_weights
from prunestats.runners.run_files import RunStore
from prunestats.runners.study.file import Study, content_key


@dataclass(frozen=True)
class StoredStudy:
    """A study of the database before it is run.

    Parameters
    ----------
    id : int or None
        Its row; None where there is no such study, or no database yet.
    text : str
        Text that it was stored with.
    originals : list of Row
        Originals of its populations, as `prunestats.db.stored_originals` returns them.
    is_complete : bool
        Whether all its runs are stored.
    protocols : list of mapping
        Parameters of the protocols of its planned runs.
    """

    id: int | None = None
    text: str = ""
    originals: Sequence[Row[Any]] = ()
    is_complete: bool = False
    protocols: Sequence[Mapping[str, Any]] = ()


def stored_study(db: str | Path, name: str) -> StoredStudy:
    """The stored study of a name; nothing is created."""
    try:
        engine = open_database(db, create=False)
    except DatabaseError:  # what is wrong with a database is said where it is opened for writing
        return StoredStudy()
    with read(engine) as connection:
        row, text = study_id(connection, name), stored_text(connection, name) or ""
        originals = stored_originals(connection, study=name)
        progress = study_progress(connection, name) if row is not None else []
        protocols = planned_protocols(connection, name)
    engine.dispose()
    return StoredStudy(row, text, originals, bool(progress) and progress[0].missing == 0, protocols)


def changed_study(planned: StudyPlan, stored: StoredStudy, *, replace: bool) -> int | None:
    """Row id of the stored study that is to be replaced; None where none is stored or nothing differs.

    Raises
    ------
    StudyChangedError
        If it differs, unless `replace`.
    """
    changes = [] if stored.id is None else study_changes(planned, stored.text, stored.originals, stored.protocols)
    if not changes:
        return None
    if not replace:
        raise StudyChangedError(planned.study.name, [(each.key, each.stored, each.now) for each in changes])
    return stored.id


def declare_study(connection: Connection, study: Study) -> int:
    """Store a study that is not stored yet; return its row id."""
    stored = study_id(connection, study.name)
    if stored is not None:
        return stored
    return store_study(
        connection,
        name=study.name,
        text=study.model_dump_json(),
        fingerprint=study.fingerprint,
        seed=study.seed,
        metric=None if study.measured == ERROR else study.measured.to_dict(),
    )


def store_populations(
    engine: Engine, planned: StudyPlan, original_ids: dict[str, int], replaced: int | None = None
) -> tuple[int, int]:
    """Store a study with its regimes, spaces, populations and planned runs in one transaction.

    Parameters
    ----------
    engine : Engine
    planned : StudyPlan
    original_ids : dict of str to int
        Row ids of the originals by their keys.
    replaced : int, optional
        Row id of a stored study of this name that is replaced: its runs that no study plans any longer are deleted.

    Returns
    -------
    tuple of int
        Row ids of the study and of its protocol.
    """
    protocol = planned.study.protocol
    with write(engine) as connection:
        drawn: list[int] = []
        if replaced is not None:
            # while this transaction holds the lock, so that no run of another process is in neither
            backup_beside(engine)
            drawn = forget_declaration(connection, replaced)
        study = declare_study(connection, planned.study)
        regimes = {
            regime: store_regime(connection, study_id=study, flops_fraction=regime.flops, tolerance=regime.tolerance)
            for regime in planned.study.regime_bands
        }
        spaces = {
            space.name: store_space(
                connection,
                study_id=study,
                name=space.name,
                sampler=space.sampler_name,
                parameters=space.parameters,
                law=space.law,
            )
            for space in (config.space() for config in planned.study.spaces)
        }
        for population in planned.populations:
            sampled = population.sample
            key = population.original.task.key
            store_population(
                connection,
                study_id=study,
                original_id=original_ids[key],
                regime_id=regimes[population.regime],
                space_id=spaces[population.space.name],
                attempts=sampled.attempts,
                accepted=sampled.accepted,
                duplicates=sampled.duplicates,
                subnetworks=_subnetwork_rows(population),
            )
        protocol_id = store_protocol(
            connection, key=content_key(planned.protocol), name=protocol.name, parameters=planned.protocol
        )
        store_plan(connection, study_id=study, protocol_id=protocol_id, seeds=protocol.seeds)
        remove_unused(connection, drawn)
        return study, protocol_id


def _subnetwork_rows(population: PlannedPopulation) -> list[SubnetworkRow]:
    sampled = population.sample
    return [
        SubnetworkRow(key, tuple(widths), flops, params)
        for key, widths, flops, params in zip(
            population.keys, sampled.widths.tolist(), sampled.flops.tolist(), sampled.params.tolist(), strict=True
        )
    ]


def execute_runs(
    engine: Engine,
    planned: StudyPlan,
    ids: tuple[int, int],
    todo: list[MissingRun],
    folder: Path,
    pool: Callable[[], Executor],
    folders: Callable[[], RunFolders],
) -> Iterator[tuple[RunTask, Outcome]]:
    """Execute and store the missing runs, yielding each with its outcome as it is stored.

    `ids` are the row numbers of study and protocol; `folder` has the weights of the originals.
    """
    if not todo:
        return
    own = own_training(planned.study)
    originals = {original.task.key: original.task for original in planned.originals}
    executor, beside = pool(), folders()
    store = RunStore.of_study(engine, *ids, keep=planned.study.storage.keep_weights)
    weights = {
        original.task.key: executor.share(original_weights(engine, original, folder)) for original in planned.originals
    }
    tasks = (
        run_task(run.original_key, run.subnetwork_key, run.subnetwork_id, run.widths, planned.protocol, run.seed, own)
        for run in todo
    )

    def arguments(task: RunTask) -> tuple[Any, ...]:
        limit = store.limit(task.subnetwork_id)
        return originals[task.original_key], weights[task.original_key], beside, limit

    for task, result in executor.map(run_subnetwork, tasks, arguments):
        if isinstance(result, StaleWorkerError):
            raise result  # nothing is wrong with the run, which another call makes up for
        computed = result if isinstance(result, ComputedRun) else ComputedRun(failed(_reason(result)), None)
        store.store(
            computed.outcome,
            subnetwork_id=task.subnetwork_id,
            subnetwork_key=task.subnetwork_key,
            seed=task.seed,
            environment=computed.environment,
            weights=computed.weights,
        )
        yield task, computed.outcome


def _reason(error: BaseException) -> str:
    if type(error).__name__ == "KilledWorker":
        return "its worker process died each time that it was tried (out of memory?)"
    return f"{type(error).__name__}: {error}"
