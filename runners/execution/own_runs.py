"""Tasks of a worker whose training is the user's own: train a dense network, or prune and train one subnetwork."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from prunestats.errors import PrunestatsError
from prunestats.outcome import Outcome
from prunestats.runners.data.datasets import Data
from prunestats.runners.networks.function_source import changed_since_import, function_source
from prunestats.runners.networks.user_errors import described, where
from prunestats.runners.pruning.filter_choice import importance, most_important
from prunestats.runners.pruning.shrinking import keep_filters
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.training.device import device
from prunestats.runners.training.own_training import Context, Metrics, OwnTraining, call_own, columns

# Seeds of numpy's legacy generator and of most libraries are 32-bit and not negative.
_SEEDS = 2**31


@dataclass(frozen=True)
class OwnRun:
    """A training of the user's own that is about to run.

    Parameters
    ----------
    functions : OwnTraining
    folder : Path
        Folder of the run.
    seed : int
        As in `Context`.
    """

    functions: OwnTraining
    folder: Path
    seed: int

    def context(self, data: Data | None, *, dense: bool = False, trial: bool = False) -> Context:
        """The context that its function is given."""
        return Context(device(), self.seed, self.folder, dense, trial, data)


def own_data(data: Data) -> Data | None:
    """The data that a training of the user's own is given: None where the study loads none."""
    return data if data.num_classes else None


def own_seed(rng: np.random.Generator) -> int:
    """The seed of a training of the user's own."""
    return int(rng.integers(_SEEDS))


def pruned_network(
    network: nn.Module, trace: Trace, widths: tuple[int, ...], protocol: dict[str, Any], rng: np.random.Generator
) -> nn.Module:
    """The subnetwork of a dense network by a protocol's criterion and initial weights, in one step, before training."""
    scores = importance(network, trace, criterion=protocol["criterion"], rng=rng)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(own_seed(rng))
        return keep_filters(network, trace, most_important(trace, scores, np.asarray(widths)), init=protocol["init"])


def train_own(network: nn.Module, run: OwnRun, data: Data | None, *, dense: bool = False) -> tuple[Metrics, Context]:
    """Train a network by the user's own function, or only evaluate it where there is no `train`."""
    context = run.context(data, dense=dense)
    name = run.functions.train or run.functions.evaluate
    assert name is not None
    return call_own(name, network, context, run.functions.metric), context


def own_outcome(network: nn.Module, run: OwnRun, data: Data | None, started: float) -> Outcome:
    """Outcome of a subnetwork's training by the user's own function."""
    metrics, context = train_own(network, run, data)
    log = tuple(sorted(context.log, key=lambda one: one.epoch))
    wall_s = time.perf_counter() - started
    epochs = log[-1].epoch if log else None
    return Outcome("done", epochs=epochs, wall_s=wall_s, epochs_log=log, **columns(metrics, run.functions.metric))


def reason_of(error: BaseException) -> str:
    """Why a training of the user's own failed, in one line with the user's file and line."""
    if isinstance(error, PrunestatsError):
        return str(error)
    place = where(error)
    return f"{place}: {described(error)}" if place else described(error)


def refuse_another_source(name: str, source: str, complain: Callable[[str], PrunestatsError]) -> None:
    """Refuse a function that is another here than where the study was planned, as on a worker with an old file."""
    if source.startswith("version ") or (function_source(name) == source and changed_since_import(name) is None):
        return
    raise complain(
        f"expected function {name!r} as it is where the study was started; found another: was its file changed since "
        "this process imported it? Restart the workers"
    )
