"""Populations of a study: stored before they are trained, then their missing runs executed and stored one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine

from prunestats.db import (
    MissingRun,
    SubnetworkRow,
    open_database,
    read,
    store_environment,
    store_outcome,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    study_progress,
    write,
)
from prunestats.errors import DatabaseError
from prunestats.runners.execution.executors import Executor
from prunestats.runners.execution.study_plan import PlannedPopulation, StudyPlan
from prunestats.runners.execution.worker import failed, run_subnetwork, run_task
from prunestats.runners.networks.weights import weights_file
from prunestats.runners.study.file import content_key


def is_complete(db: str | Path, study: str) -> bool:
    """Whether every run of a study of this name is stored."""
    try:
        engine = open_database(db, create=False)
    except DatabaseError:
        return False  # what is wrong with a database is said where it is opened for writing
    with read(engine) as connection:
        found = study_progress(connection, study)
    engine.dispose()
    return bool(found) and found[0].missing == 0


def store_populations(engine: Engine, planned: StudyPlan, study_id: int, original_ids: dict[str, int]) -> int:
    """Store regimes, spaces, populations and planned runs in one transaction; return the row id of the protocol."""
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
            sampled = population.sample
            key = population.original.task.key
            store_population(
                connection,
                study_id=study_id,
                original_id=original_ids[key],
                regime_id=regimes[population.regime],
                space_id=spaces[population.space.name],
                attempts=sampled.attempts,
                accepted=sampled.accepted,
                duplicates=sampled.duplicates,
                subnetworks=_subnetwork_rows(population),
            )
        protocol_id = store_protocol(
            connection, key=content_key(protocol.parameters), name=protocol.name, parameters=protocol.parameters
        )
        store_plan(connection, study_id=study_id, protocol_id=protocol_id, seeds=protocol.seeds)
        return protocol_id


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
    protocol_id: int,
    todo: list[MissingRun],
    folder: Path,
    pool: Callable[[], Executor],
) -> Iterator[str]:
    """Execute and store the missing runs, yielding the state of each as it is stored."""
    if not todo:
        return
    protocol = planned.study.protocol.parameters
    originals = {original.task.key: original.task for original in planned.originals}
    executor = pool()
    weights = {key: executor.share(weights_file(folder, task.key).read_bytes()) for key, task in originals.items()}
    tasks = (
        run_task(run.original_key, run.subnetwork_key, run.subnetwork_id, run.widths, protocol, run.seed)
        for run in todo
    )
    for task, result in executor.map(
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
