"""Metrics of runs that were handed out, told back and stored."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Mapping

from sqlalchemy import Engine

from prunestats.db import open_database, release_lease, write
from prunestats.errors import InputError, StudyError
from prunestats.files import write_atomically
from prunestats.outcome import Outcome
from prunestats.runners.asked_run import AskedRun
from prunestats.runners.execution.callbacks import Callbacks
from prunestats.runners.execution.worker import TrainedOriginal
from prunestats.runners.execution.worker import failed as failed_outcome
from prunestats.runners.networks.weights import named_bytes, safetensors_bytes, weights_file
from prunestats.runners.originals import keep_original
from prunestats.runners.run_files import RunStore
from prunestats.runners.training.device import environment
from prunestats.runners.training.own_training import Metrics, checked, columns


class RunFailedWarning(UserWarning):
    """A run that was told without the metric that counts, and is stored as failed."""


def tell(
    run: AskedRun,
    *,
    validation: Mapping[str, float] | None = None,
    test: Mapping[str, float] | None = None,
    failed: str | None = None,
) -> str:
    """Store the metrics of a run that was handed out by `ask`, or why it failed.

    Parameters
    ----------
    run : AskedRun
        Of the dense network, the weights that `run.network` has now are kept.
    validation, test : mapping of str to float, optional
        Metrics by name; the study's metric must be among those of the validation split.
    failed : str, optional
        Why the run failed, in place of metrics.

    Returns
    -------
    str
        ``"done"`` or ``"failed"``.

    Raises
    ------
    InputError
        If neither metrics nor a reason are given, or both.
    StudyError
        If the dense network failed, without which nothing can be pruned.

    Warns
    -----
    RunFailedWarning
        Where the study's metric is missing or no finite number: the run is stored as failed, with that reason.

    Examples
    --------
    >>> tell(run, validation={"miou": 0.61}, test={"miou": 0.59})     # doctest: +SKIP
    'done'
    """
    if (validation is None) == (failed is None):
        raise InputError("tell: expected metrics of the validation split, or failed='reason'; found neither or both")
    returned = {"validation": validation, **({} if test is None else {"test": test})}
    reason = failed
    metrics: Metrics = {}
    if failed is None:
        try:
            metrics = checked("tell", returned, run.handed.metric)
        except InputError as error:
            reason = str(error)
            warnings.warn(f"{reason}: the run is stored as failed", RunFailedWarning, stacklevel=2)
    if run.dense and reason is not None:
        raise StudyError(
            f"the dense network of {run.handed.original.task.network} failed ({reason}): nothing can be pruned"
        )
    engine = open_database(run.handed.db, create=False)
    try:
        if run.dense:
            _store_dense(engine, run, metrics)
        else:
            _store_run(engine, run, metrics, reason)
    finally:
        engine.dispose()
    shutil.rmtree(run.folder, ignore_errors=True)
    return "done" if reason is None else "failed"


def _store_dense(engine: Engine, run: AskedRun, metrics: Metrics) -> None:
    handed = run.handed
    seconds = time.perf_counter() - handed.started
    trained = TrainedOriginal(safetensors_bytes(run.network), columns(metrics, handed.metric), seconds, environment())
    write_atomically(weights_file(handed.weights, handed.original.task.key), trained.weights)
    keep_original(engine, handed.original, trained)
    with write(engine) as connection:
        release_lease(connection, handed.lease)


def _store_run(engine: Engine, run: AskedRun, metrics: Metrics, reason: str | None) -> None:
    handed = run.handed
    assert handed.run is not None
    store = RunStore.of_study(
        engine, handed.study_id, handed.protocol_id, keep=handed.planned.study.storage.keep_weights
    )
    outcome = _outcome(run, metrics, reason)
    store.store(
        outcome,
        subnetwork_id=handed.run.subnetwork_id,
        subnetwork_key=handed.run.subnetwork_key,
        seed=handed.run.seed,
        environment=environment(),
        weights=lambda: named_bytes(run.network.state_dict()),
    )
    with write(engine) as connection:
        release_lease(connection, handed.lease)
    Callbacks().beside(handed.planned.study).stored(handed.planned, handed.run, outcome)


def _outcome(run: AskedRun, metrics: Metrics, reason: str | None) -> Outcome:
    log = tuple(sorted(run.context.log, key=lambda one: one.epoch))
    seconds = time.perf_counter() - run.handed.started
    if reason is not None:
        return failed_outcome(reason, seconds, log)
    epochs = log[-1].epoch if log else None
    return Outcome("done", epochs=epochs, wall_s=seconds, epochs_log=log, **columns(metrics, run.handed.metric))
