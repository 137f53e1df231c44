"""Checkpoints inside a training: its state after an epoch, from which the same training goes on with the same bits."""

from __future__ import annotations

import io
import math
import pickle
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from prunestats.files import write_atomically
from prunestats.outcome import EpochMetric
from prunestats.runners.training.device import device

# Raised whenever the content of a checkpoint changes: one of another format is not read, and its run starts again.
_FORMAT = 1


@dataclass(frozen=True)
class TrainingState:
    """What a training changes from batch to batch: network, optimiser, schedule, scaler and source of batches."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: LRScheduler
    scaler: torch.amp.GradScaler
    rng: np.random.Generator


class TrainingCheckpoint:
    """The checkpoint of a run or of an original: read when it begins, written at the end of an epoch that is due.

    Parameters
    ----------
    file : Path, optional
        Where it is written; without one, nothing is read or written.
    every_s : float
        Seconds after the start, or after the last time, from which the end of an epoch is due.
    identity : str
        What is trained. A file of something else, of another version of torch or kind of device is not read.

    Attributes
    ----------
    log : list of EpochMetric
        Metrics of the epochs of the last training, those of before an interruption included.
    measured : dict
        What was measured before the last training.
    filters : list of list of ndarray of bool
        Filters kept by each pruning step so far, by which the pruned network is built again.
    stage : int
        Pruning steps before the training that goes on: it is set before each training of a run.
    before_s : float
        Seconds that the run took before it was interrupted.
    """

    def __init__(self, file: Path | None = None, every_s: float = math.inf, identity: str = "") -> None:
        self.file, self.every_s = file, every_s
        self.identity = f"{_FORMAT} {torch.__version__} {device().type} {identity}"
        self.log: list[EpochMetric] = []
        self.measured: dict[str, Any] = {}
        self.filters: list[list[NDArray[np.bool_]]] = []
        self.stage, self.before_s = 0, 0.0
        self._started = self._written = time.monotonic()
        self._found = self._read()

    @property
    def found_stage(self) -> int | None:
        """The stage of the training that was interrupted, until it goes on; None where there is none."""
        return None if self._found is None else int(self._found["stage"])

    def restore(self, state: TrainingState) -> tuple[int, float]:
        """Restore the state of the interrupted training in place; return its epochs and its last training loss.

        0 and NaN where there is nothing to go on from.
        """
        found, self._found = self._found, None
        if found is None:
            return 0, math.nan
        state.network.load_state_dict(found["network"])
        state.network.eval()  # as after the evaluation of an epoch
        state.optimiser.load_state_dict(found["optimiser"])
        state.schedule.load_state_dict(found["schedule"])
        state.scaler.load_state_dict(found["scaler"])
        state.rng.bit_generator.state = found["rng"]
        torch.set_rng_state(found["torch"])
        if found["cuda"] is not None:
            torch.cuda.set_rng_state(found["cuda"], device())
        return int(found["epoch"]), float(found["train_loss"])

    def after_epoch(self, state: TrainingState, epoch: int, train_loss: float) -> None:
        """Write the state after an epoch where that is due."""
        if self.file is None or time.monotonic() - self._written < self.every_s:
            return
        where = device()
        content = {
            "identity": self.identity,
            "stage": self.stage,
            "epoch": epoch,
            "train_loss": train_loss,
            "filters": [[torch.from_numpy(kept) for kept in step] for step in self.filters],
            "log": [asdict(metric) for metric in self.log],
            "measured": self.measured,
            "wall_s": self.before_s + time.monotonic() - self._started,
            "network": state.network.state_dict(),
            "optimiser": state.optimiser.state_dict(),
            "schedule": state.schedule.state_dict(),
            "scaler": state.scaler.state_dict(),
            "rng": state.rng.bit_generator.state,
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(where) if where.type == "cuda" else None,
        }
        stream = io.BytesIO()
        torch.save(content, stream)
        with suppress(
            OSError
        ):  # a full disk costs the checkpoint, not the run; the next one is due after the same time
            write_atomically(self.file, stream.getvalue())
        self._written = time.monotonic()

    def _read(self) -> dict[str, Any] | None:
        """What is found in the file, with log, measurements and filters restored; None where there is nothing."""
        if self.file is None or not self.file.is_file():
            return None
        try:
            found: dict[str, Any] = torch.load(self.file, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            return None  # a file that a disk has damaged: the run starts again
        if found.get("identity") != self.identity:
            return None
        self.log = [EpochMetric(**metric) for metric in found["log"]]
        self.measured, self.before_s = found["measured"], found["wall_s"]
        self.filters = [[kept.numpy() for kept in step] for step in found["filters"]]
        return found
