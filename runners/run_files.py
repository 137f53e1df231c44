"""Files beside the database that belong to runs: kept weights, and folders of runs that are not stored yet."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from prunestats.db import read, store_environment, store_outcome, write
from prunestats.db.connection.address import folder_beside
from prunestats.db.schema import tables
from prunestats.db.storing.kept_weights import (
    KeptRun,
    best_values,
    lock_weights,
    populations_by_subnetwork,
    run_is_wanted,
    run_to_keep,
    store_weights,
    weights_name,
)
from prunestats.db.upkeep.weight_files import remove_orphans
from prunestats.errors import DatabaseError
from prunestats.files import write_atomically
from prunestats.metric import as_metric
from prunestats.outcome import Outcome
from prunestats.runners.execution.executors import Executor
from prunestats.runners.execution.keep_limit import KeepLimit
from prunestats.runners.execution.run_folders import RunFolders, remove_folder, run_name

Weights = bytes | Callable[[], bytes] | None

_FOLDER = re.compile(r"([0-9a-f]+)-([0-9a-f]+)-(\d+)")


@dataclass
class RunStore:
    """Stores outcomes of a study's runs one by one, each with its weights where they are among the best.

    Parameters
    ----------
    engine : Engine
    protocol_id : int
        Row number of the protocol of the runs.
    protocol_key : str
        Its key.
    keep : int
        Runs of each population whose weights are kept (`[storage] keep_weights`).
    sign : int
        Sign of the metric: 1 where lower values are better.
    best : dict of int to list of float
        Best values of each population, as of the last run that this process stored.
    populations : dict of int to list of int
        Populations of each subnetwork.
    """

    engine: Engine
    protocol_id: int
    protocol_key: str
    keep: int
    sign: int = 1
    best: dict[int, list[float]] = field(default_factory=dict)
    populations: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of_study(cls, engine: Engine, study_id: int, protocol_id: int, *, keep: int) -> RunStore:
        """The store of a study and its protocol, by row numbers, whose populations are stored."""
        with read(engine) as connection:
            metric = connection.scalar(select(tables.study.c.metric).where(tables.study.c.id == study_id))
            key = connection.scalar(select(tables.protocol.c.key).where(tables.protocol.c.id == protocol_id))
            best = best_values(connection, study_id=study_id, protocol_id=protocol_id, keep=keep)
            populations = populations_by_subnetwork(connection, study_id)
        return cls(engine, protocol_id, str(key), keep, as_metric(metric).sign, best, populations)

    @property
    def folder(self) -> Path:
        """Folder of kept weights."""
        return folder_beside(self.engine.url, "weights")

    def limit(self, subnetwork_id: int) -> KeepLimit:
        """Limit up to which the weights of a run of a subnetwork may be among the best of one of its populations."""
        if self.keep == 0:
            return KeepLimit()
        best = [self.best.get(one, []) for one in self.populations.get(subnetwork_id, ())]
        return KeepLimit(
            max((values[-1] if len(values) == self.keep else float("inf") for values in best), default=float("inf")),
            self.sign,
        )

    def store(
        self,
        outcome: Outcome,
        *,
        subnetwork_id: int,
        subnetwork_key: str,
        seed: int,
        environment: Mapping[str, Any] | None,
        weights: Weights = None,
    ) -> bool:
        """Store an outcome, with weights that are kept, and delete the folder of the run; return whether it is new.

        Parameters
        ----------
        outcome : Outcome
        subnetwork_id, subnetwork_key, seed
            Key of the run.
        environment : mapping or None
            Machine and software, as `prunestats.runners.training.device.environment` returns them.
        weights : bytes, callable or None
            Trained weights as `prunestats.runners.networks.weights.named_bytes` writes them, or a function that returns
            them, which is called only where they are kept.

        Notes
        -----
        The file is written inside the transaction that stores its row, so that it is complete before the row can be
        read; files of rows that the transaction deletes are deleted after it. A process that is killed in between
        leaves a file without a row, which `clean_files` deletes, and never a row without a file.
        """
        key = {"subnetwork_id": subnetwork_id, "protocol_id": self.protocol_id, "seed": seed}
        replaced: list[KeptRun] = []
        with write(self.engine) as connection:
            where = None if environment is None else store_environment(connection, **environment)
            new = store_outcome(connection, **key, environment_id=where, outcome=outcome)
            if new and weights is not None and outcome.state == "done" and self.keep > 0:
                lock_weights(connection)
                run_id, replaced = run_to_keep(connection, **key, keep=self.keep)
                if run_id is not None:
                    self._keep(connection, run_id, replaced, (subnetwork_key, seed), weights)
        for one in replaced:
            (self.folder / one.file).unlink(missing_ok=True)
        remove_folder(folder_beside(self.engine.url, "runs"), run_name(subnetwork_key, self.protocol_key, seed))
        self._note(subnetwork_id, outcome)
        return new

    def _keep(
        self, connection: Connection, run_id: int, replaced: list[KeptRun], run: tuple[str, int], weights: Weights
    ) -> None:
        content = weights() if callable(weights) else weights or b""
        digest = hashlib.sha256(content).hexdigest()
        file = self.folder / weights_name(run[0], self.protocol_key, run[1], digest)
        try:
            write_atomically(file, content)
            _sync(self.folder)
        except OSError as error:
            raise DatabaseError(
                f"expected to write the weights of a run to {str(self.folder)!r}; found: {error.strerror or error}: "
                "free some space, or set keep_weights = 0 in [storage]; the run is not stored"
            ) from error
        store_weights(connection, run_id=run_id, sha256=digest, size=len(content), replaced=replaced)

    def _note(self, subnetwork_id: int, outcome: Outcome) -> None:
        """Add the value of a run to the best of its populations."""
        value = outcome.val_error if outcome.val_metric is None else outcome.val_metric
        if outcome.state != "done" or value is None or self.keep == 0:
            return
        for one in self.populations.get(subnetwork_id, ()):
            self.best[one] = sorted([*self.best.get(one, []), self.sign * value])[: self.keep]


def runs_folder(engine: Engine) -> Path:
    """Folder that holds the folders of runs, beside the database; it need not exist. Workers need its absolute path."""
    return folder_beside(engine.url, "runs").absolute()


def seen_folders(
    engine: Engine, every_s: float, pool: Callable[[], Executor], announce: Callable[[str], None]
) -> Callable[[], RunFolders]:
    """A function that returns the folders of runs as the workers of `pool` see them; it says once that they do not."""

    @cache
    def found() -> RunFolders:
        root = runs_folder(engine)
        if pool().shares(root):
            return RunFolders(str(root), every_s)
        announce(
            f"Workers do not see the folder {str(root)!r}: a run that is interrupted starts again from its first epoch."
        )
        return RunFolders(None, every_s)

    return found


def clean_files(engine: Engine) -> None:
    """Delete what a process that was killed has left: weights without a row, and folders of runs that are stored.

    The folder of a run that is not stored stays where its subnetwork and protocol are, as it goes on from there.
    """
    remove_orphans(engine)
    root = runs_folder(engine)
    if not root.is_dir():
        return
    for folder in root.iterdir():
        named = _FOLDER.fullmatch(folder.name)
        if named is None:
            continue
        with read(engine) as connection:
            wanted = run_is_wanted(connection, subnetwork=named[1], protocol=named[2], seed=int(named[3]))
        if not wanted:
            remove_folder(root, folder.name)
    with suppress(OSError):
        root.rmdir()  # only an empty folder can be deleted so


def _sync(folder: Path) -> None:
    """Wait until the name of a new file has reached the disk, before the row that names it can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
