"""A run that is handed out to be trained by a loop of the user's own, and where it belongs when it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prunestats.db import MissingRun
from prunestats.metric import Metric
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan
from prunestats.runners.training.own_training import Context


@dataclass(frozen=True)
class Handed:
    """Where a run belongs when it is told.

    Parameters
    ----------
    db : str or Path
    lease : str
        Key of its lease.
    planned : StudyPlan
    original : PlannedOriginal
        The dense network, or the one that the subnetwork is cut from.
    weights : Path
        Folder of the weights of dense networks.
    started : float
        When it was handed out, seconds of `time.perf_counter`.
    run : MissingRun or None
        The run of a subnetwork, None for a dense network.
    study_id, protocol_id : int
        Rows of the study and of the protocol of the run.
    """

    db: str | Path
    lease: str
    planned: StudyPlan
    original: PlannedOriginal
    weights: Path
    started: float
    run: MissingRun | None = None
    study_id: int = 0
    protocol_id: int = 0

    @property
    def metric(self) -> Metric:
        """The metric that counts."""
        return self.planned.study.measured


@dataclass(frozen=True)
class AskedRun:
    """A run to be trained: of the dense network, or of a subnetwork.

    Parameters
    ----------
    network : torch.nn.Module
        The network, pruned unless `dense`, with the weights from which to train it in place.
    widths : tuple of int
        Kept filters in each group.
    dense : bool
        Whether it is the dense network, whose weights are kept when it is told.
    subnetwork : str or None
        Key of the subnetwork; None for the dense network.
    context : Context
        As a training function is given it.
    handed : Handed
        Where it belongs.
    """

    network: nn.Module
    widths: tuple[int, ...]
    dense: bool
    subnetwork: str | None
    context: Context
    handed: Handed = field(repr=False)

    @property
    def seed(self) -> int:
        """Seed of this run, which differs between the runs of a study."""
        return self.context.seed

    @property
    def folder(self) -> Path:
        """Folder of this run, for files by which a training may go on; it goes when the run is told."""
        return self.context.folder

    @property
    def trial(self) -> bool:
        """False: a run that is handed out is no trial, so that a function of a context takes the run too."""
        return False

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return self.context.device

    @property
    def data(self) -> Any:
        """The study's data, None where it loads none."""
        return self.context.data

    def report(self, epoch: int, **metrics: float) -> None:
        """Record metrics after an epoch, as `Context.report`."""
        self.context.report(epoch, **metrics)
