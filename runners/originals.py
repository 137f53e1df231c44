"""Originals of a study: those that are missing are trained on workers, and stored with their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row

from prunestats.db import (
    OriginalRow,
    find_original,
    open_database,
    read,
    rename_network,
    store_environment,
    store_original,
    stored_originals,
    write,
)
from prunestats.errors import DatabaseError, StudyError
from prunestats.files import write_atomically
from prunestats.runners.execution.executors import Executor
from prunestats.runners.execution.run_folders import RunFolders, original_name, remove_folder
from prunestats.runners.execution.stale_workers import StaleWorkerError
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan
from prunestats.runners.execution.worker import TrainedOriginal, train_original
from prunestats.runners.networks.weights import weights_file, weights_match, with_names
from prunestats.runners.run_files import runs_folder

Progress = Callable[[str, int, int], None]


def known_originals(db: str | Path) -> list[Row[Any]]:
    """Originals that a database holds, none where it is not there yet; nothing is created."""
    try:
        engine = open_database(db, create=False)
    except DatabaseError:  # a database that cannot be used is refused when it is opened for writing
        return []
    with read(engine) as connection:
        found = stored_originals(connection)
    engine.dispose()
    return found


def prepare_originals(
    engine: Engine,
    planned: StudyPlan,
    folder: Path,
    pool: Callable[[], Executor],
    progress: Progress,
    folders: Callable[[], RunFolders],
) -> dict[str, int]:
    """Train and store the originals that are missing; return the row ids of all originals by their keys.

    `folders` returns the folders of runs as the workers of `pool` see them; it is called after `pool`.
    """
    ids: dict[str, int] = {}
    absent = []
    for original in planned.originals:
        with read(engine) as connection:
            stored = find_original(connection, original.task.key)
        if stored is not None and weights_match(weights_file(folder, original.task.key), stored["weights_sha256"]):
            ids[original.task.key] = int(stored["id"])
            _keep_name(engine, original, stored["network"])
        else:
            absent.append((original, stored))
    if not absent:
        return ids
    total = len(planned.originals)
    executor = pool()  # before any progress is shown, so that a wrong scheduler gives only its error
    progress("originals", len(ids), total)
    by_key = {original.task.key: (original, stored) for original, stored in absent}
    tasks, beside = [original.task for original, _ in absent], folders()
    for task, result in executor.map(train_original, tasks, lambda task: (beside,)):
        original, stored = by_key[task.key]
        if isinstance(result, StaleWorkerError):
            raise result
        if isinstance(result, BaseException):
            raise StudyError(f"original {task.network}, seed {task.seed}, could not be trained: {result}")
        if stored is not None and stored["weights_sha256"] != result.sha256:
            raise DatabaseError(
                f"expected the stored weights of original {task.network}, seed {task.seed}, in {str(folder)!r}; found "
                "none, and training gave others (another machine or version?): restore the file or use a new database"
            )
        write_atomically(weights_file(folder, task.key), result.weights)
        ids[task.key] = keep_original(engine, original, result)
        remove_folder(runs_folder(engine), original_name(task.key))
        progress("originals", len(ids), total)
    return ids


def original_weights(engine: Engine, original: PlannedOriginal, folder: Path) -> bytes:
    """Weights of a stored original, under the names that its network has now."""
    with read(engine) as connection:
        stored = find_original(connection, original.task.key)
    weights, now = weights_file(folder, original.task.key).read_bytes(), original.network.fingerprint.names
    made = None if stored is None else stored["fingerprint"]
    return weights if made is None else with_names(weights, made["names"], now)


def _keep_name(engine: Engine, original: PlannedOriginal, stored: str) -> None:
    """Store the name by which a network is built now, so that its subnetworks can be exported."""
    if stored != original.task.network:
        with write(engine) as connection:
            rename_network(connection, original.task.key, original.task.network)


def keep_original(engine: Engine, original: PlannedOriginal, result: TrainedOriginal) -> int:
    """Store a trained original, whose weights are in their file; return its row id."""
    task = original.task
    with write(engine) as connection:
        return store_original(
            connection,
            OriginalRow(
                key=task.key,
                network=task.network,
                dataset=original.network.dataset,
                seed=task.seed,
                recipe=task.recipe,
                group_names=original.cost.group_names,
                group_sizes=original.cost.group_sizes,
                cost=original.cost.to_dict(),
                flops=original.flops,
                params=original.params,
                **result.metrics,
                wall_s=result.wall_s,
                weights_sha256=result.sha256,
                environment_id=store_environment(connection, **result.environment),
                fingerprint=asdict(original.network.fingerprint),
            ),
        )
