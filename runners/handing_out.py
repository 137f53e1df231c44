"""Runs of a study handed out one by one, to be trained by a loop of the user's own."""

from __future__ import annotations

import socket
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Engine

from prunestats.db import (
    Holder,
    MissingRun,
    find_original,
    has_run,
    missing_runs,
    open_database,
    read,
    take_lease,
    write,
)
from prunestats.errors import StudyError
from prunestats.runners.asked_run import AskedRun, Handed
from prunestats.runners.data.datasets import Data
from prunestats.runners.data.no_data import load_any
from prunestats.runners.execution.executors import lazy_executor
from prunestats.runners.execution.lease_holder import is_gone, this_process
from prunestats.runners.execution.own_runs import OwnRun, own_data, own_seed, pruned_network
from prunestats.runners.execution.run_folders import RunFolders, original_name, run_name
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan, plan_study
from prunestats.runners.execution.worker import prepare_original, training_key
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.weights import weights_file, weights_folder, weights_match
from prunestats.runners.originals import known_originals, original_weights, prepare_originals
from prunestats.runners.populations import changed_study, declare_study, store_populations, stored_study
from prunestats.runners.run_files import clean_files, runs_folder
from prunestats.runners.study.file import Study, content_key, read_study
from prunestats.runners.study.tables import ASK
from prunestats.runners.training.device import device
from prunestats.runners.training.own_training import Context, OwnTraining
from prunestats.runners.training.seeds import derived_rng, torch_seed

# Seconds between two looks whether another process has told its dense network.
_POLL_S = 1.0


def ask(
    study: str | Path | Study,
    db: str | Path = "prunestats.db",
    *,
    lease_s: float = 3600.0,
    max_runs: int | None = None,
    weights: str | Path | None = None,
) -> Iterator[AskedRun]:
    """Hand out the missing runs of a study one by one, to be trained here and told back by `tell`.

    Parameters
    ----------
    study : str, Path or Study
        A study file with ``[metric]``, whose ``[protocol]`` names no recipe. A ``train`` that it names is not called
        for subnetworks.
    db : str or Path
        A SQLite file, created if it does not exist, or the URL of a database.
    lease_s : float
        Seconds for which a run is not handed out again, unless the process that asked for it is gone before; on another
        machine, only after these seconds.
    max_runs : int, optional
        Hand out at most this many.
    weights : str or Path, optional
        Folder for the weights of the dense networks, by default beside the SQLite file.

    Yields
    ------
    AskedRun
        First the dense networks, where they have neither a checkpoint nor a ``train``; then the subnetworks. A run that
        is not told is handed out again by a later call.

    Raises
    ------
    StudyError, InputError
        If the study is not valid, or names a recipe of our own.
    StudyChangedError
        If the database holds another study of this name.

    Notes
    -----
    Several processes may ask at once: each run is leased to one of them. While another process trains the dense
    network, this one waits. A new call in the same thread hands out again what an earlier call there handed out and was
    not told, as after an interrupted cell of a notebook.

    Examples
    --------
    >>> for run in ask("study.toml", "results.db"):                          # doctest: +SKIP
    ...     train_my_way(run.network, seed=run.seed)
    ...     tell(run, validation={"miou": 0.61}, test={"miou": 0.59})
    """
    content = _asked_study(study if isinstance(study, Study) else read_study(study))
    planned = plan_study(content, known_originals(db))
    stored = stored_study(db, content.name)
    changed_study(planned, stored, replace=False)
    engine = open_database(db, create=True)
    folder = Path(weights) if weights is not None else weights_folder(engine.url.drivername, engine.url.database)
    try:
        with write(engine) as connection:
            declare_study(connection, planned.study)
        clean_files(engine)
        asking = _Asking(engine, db, planned, folder, lease_s)
        yield from asking.dense_networks()
        yield from asking.subnetworks(max_runs)
    finally:
        engine.dispose()


@dataclass(frozen=True)
class _Asking:
    """The runs of a planned study that one call hands out."""

    engine: Engine
    db: str | Path
    planned: StudyPlan
    weights: Path
    lease_s: float
    handed: set[str] = field(default_factory=set)

    def dense_networks(self) -> Iterator[AskedRun]:
        """The dense networks that are asked for; those with a training or a checkpoint are made here."""
        for original in self.planned.originals:
            is_asked = original.task.own is not None and original.task.own.train == ASK
            while not self._has_weights(original):
                if not self._take(f"original {original.task.key}"):
                    warnings.warn(_WAITING.format(network=original.task.network), stacklevel=3)
                    time.sleep(_POLL_S)
                elif is_asked:
                    yield self._dense(original)
                    if not self._has_weights(original):
                        raise StudyError(_UNTOLD.format(network=original.task.network))
                else:
                    self._train(original)

    def _has_weights(self, original: PlannedOriginal) -> bool:
        with read(self.engine) as connection:
            stored = find_original(connection, original.task.key)
        file = weights_file(self.weights, original.task.key)
        return stored is not None and weights_match(file, str(stored["weights_sha256"]))

    def _train(self, original: PlannedOriginal) -> None:
        alone = replace(self.planned, originals=(original,))
        with lazy_executor(0, None) as pool:
            folders = RunFolders(str(runs_folder(self.engine)), self.planned.study.storage.checkpoint_every_s)
            prepare_originals(self.engine, alone, self.weights, pool, lambda phase, done, total: None, lambda: folders)

    def _dense(self, original: PlannedOriginal) -> AskedRun:
        task, data = original.task, load_any(original.task.data)
        rng = derived_rng(task.seed, task.key)
        network = build_network(task.network, num_classes=data.num_classes, seed=torch_seed(rng)).to(device())
        seed = own_seed(derived_rng(task.seed, task.key, "training"))
        context = self._context(original_name(task.key), seed, data, dense=True)
        return AskedRun(network, original.cost.group_sizes, True, None, context, self._ticket(original))

    def subnetworks(self, max_runs: int | None) -> Iterator[AskedRun]:
        """The runs of subnetworks that are neither stored nor leased to another process."""
        ids = {}
        with read(self.engine) as connection:
            for original in self.planned.originals:
                ids[original.task.key] = int((find_original(connection, original.task.key) or {})["id"])
        study, protocol_id = store_populations(self.engine, self.planned, ids)
        seeds = self.planned.study.protocol.seeds
        with read(self.engine) as connection:
            missing = missing_runs(connection, study_id=study, protocol_id=protocol_id, seeds=seeds)
        left = len(missing) if max_runs is None else max_runs
        for run in missing:
            if left > 0 and self._take(_lease(run, protocol_id), run, protocol_id):
                left -= 1
                yield self._pruned(run, study, protocol_id)

    def _pruned(self, run: MissingRun, study_id: int, protocol_id: int) -> AskedRun:
        original = next(one for one in self.planned.originals if one.task.key == run.original_key)
        prepared = prepare_original(original.task, original_weights(self.engine, original, self.weights))
        protocol = self.planned.protocol
        rng = derived_rng(run.seed, run.original_key, run.subnetwork_key, training_key(protocol))
        network = pruned_network(prepared.network, prepared.trace, run.widths, protocol, rng)
        key = run_name(run.subnetwork_key, content_key(protocol), run.seed)
        context = self._context(key, own_seed(rng), prepared.data)
        ticket = self._ticket(original, run, study_id, protocol_id)
        return AskedRun(network, run.widths, False, run.subnetwork_key, context, ticket)

    def _context(self, key: str, seed: int, data: Data, *, dense: bool = False) -> Context:
        folder = runs_folder(self.engine) / key
        folder.mkdir(parents=True, exist_ok=True)
        own = OwnTraining(ASK, None, self.planned.study.measured)
        return OwnRun(own, folder, seed).context(own_data(data), dense=dense)

    def _ticket(
        self, original: PlannedOriginal, run: MissingRun | None = None, study_id: int = 0, protocol_id: int = 0
    ) -> Handed:
        lease = f"original {original.task.key}" if run is None else _lease(run, protocol_id)
        now = time.perf_counter()
        return Handed(self.db, lease, self.planned, original, self.weights, now, run, study_id, protocol_id)

    def _take(self, key: str, run: MissingRun | None = None, protocol_id: int = 0) -> bool:
        """Lease a run; false where it is stored meanwhile, handed out by this call, or leased to another process."""
        if key in self.handed:
            return False
        mine = Holder(socket.gethostname(), this_process())

        def is_free(other: Holder) -> bool:
            return other == mine or is_gone(other.host, other.process)

        with write(self.engine) as connection:
            if run is not None and has_run(connection, run, protocol_id):
                return False
            taken = take_lease(connection, key, mine, seconds=self.lease_s, is_free=is_free)
        if taken:
            self.handed.add(key)
        return taken


_WAITING = "waiting for the dense network {network}, which another process trains"
_UNTOLD = (
    "expected the dense network {network} to be told before subnetworks are asked for; found that it was not: tell it"
)


def _lease(run: MissingRun, protocol_id: int) -> str:
    return f"run {run.subnetwork_id} {protocol_id} {run.seed}"


def _asked_study(study: Study) -> Study:
    """The study with subnetworks that are trained elsewhere."""
    if study.protocol.train is None:
        raise StudyError(
            "expected a study whose runs are trained elsewhere; found a recipe in [protocol]: leave epochs and "
            "learning_rate out, and name a [metric]"
        )
    return study.model_copy(update={"protocol": study.protocol.model_copy(update={"train": ASK})})
