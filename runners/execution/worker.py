"""Tasks of a worker: train an original, or prune, train and evaluate one subnetwork.

All of this runs in worker processes, which do not open the database. Random streams are derived from what is computed,
not from when or where, so results do not depend on the number of workers.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import nn

from prunestats.outcome import EpochMetric, Outcome
from prunestats.runners.data.datasets import Data
from prunestats.runners.data.no_data import load_any
from prunestats.runners.execution.given_weights import is_given, load_weights, training_recipe
from prunestats.runners.execution.keep_limit import KeepLimit
from prunestats.runners.execution.own_runs import (
    OwnRun,
    own_data,
    own_outcome,
    own_seed,
    pruned_network,
    reason_of,
    refuse_another_source,
    train_own,
)
from prunestats.runners.execution.run_folders import RunFolders, original_name, run_name
from prunestats.runners.execution.stale_workers import StaleWorkerError, refuse_another_network
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.weights import named_bytes, safetensors_bytes
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.pruning.tracing import trace
from prunestats.runners.study.file import content_key
from prunestats.runners.training.checkpoint import TrainingCheckpoint
from prunestats.runners.training.device import environment, memory_layout, place_data, place_network
from prunestats.runners.training.latency import latency_columns
from prunestats.runners.training.loop import DivergedError, evaluate, train
from prunestats.runners.training.own_training import OwnTraining, columns
from prunestats.runners.training.protocol import PruningProtocol, prune_and_train
from prunestats.runners.training.proxies import proxy_errors
from prunestats.runners.training.seeds import derived_rng, torch_seed


@dataclass(frozen=True)
class OriginalTask:
    """An original to train: network, data, recipe and seed, and the key that identifies them.

    `probe` is what a worker's own build of the user's network must compute: FLOPs of one image, and a hash. `own` are
    the functions by which it is trained, or its checkpoint evaluated, where they are the user's own; `folder` is that
    of its training.
    """

    key: str
    network: str
    data: dict[str, Any]
    recipe: dict[str, Any]
    seed: int
    probe: tuple[int, str] | None = None
    own: OwnTraining | None = None


@dataclass(frozen=True)
class TrainedOriginal:
    """A trained original: its weights as safetensors bytes, and its metrics as columns of the database."""

    weights: bytes
    metrics: dict[str, Any]
    wall_s: float
    environment: dict[str, Any]

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights."""
        return hashlib.sha256(self.weights).hexdigest()


@dataclass(frozen=True)
class RunTask:
    """One run: a subnetwork of an original, a protocol and a seed.

    `own` are the functions by which it is trained where they are the user's own.
    """

    original_key: str
    subnetwork_key: str
    subnetwork_id: int
    widths: tuple[int, ...]
    protocol_key: str
    protocol: dict[str, Any]
    seed: int
    own: OwnTraining | None = None

    @property
    def name(self) -> str:
        """Name of the run's folder, which names it by the protocol as it is stored, measurements included."""
        return run_name(self.subnetwork_key, content_key(self.protocol), self.seed)


class ComputedRun(NamedTuple):
    """What a worker returns of a run: its outcome, the worker's environment, and its weights where they may be kept."""

    outcome: Outcome
    environment: dict[str, Any] | None
    weights: bytes | None = None


@dataclass(frozen=True)
class PreparedOriginal:
    """A trained original with its trace and data, ready to be pruned, and the memory format of network and images."""

    network: nn.Module
    trace: Trace
    data: Data
    layout: torch.memory_format


_prepared: OrderedDict[tuple[str, int], PreparedOriginal] = OrderedDict()

# Originals cached in a worker. With fewer, they would be traced again where runs of several alternate; with more, they
# would take memory. Results do not depend on it.
_MOST_PREPARED = 4

# Keys of a protocol that request further measurements of the same training.
_MEASUREMENT_KEYS = frozenset({"latency", "proxies"})

# Runs use torch's global generator, so in a worker with several threads they must take turns.
_TORCH_LOCK = threading.Lock()


# Characters: enough for an error's message; torch appends C++ stack traces to some.
_LONGEST_REASON = 500


def run_task(
    original_key: str,
    subnetwork_key: str,
    subnetwork_id: int,
    widths: Sequence[int],
    protocol: dict[str, Any],
    seed: int,
    own: OwnTraining | None = None,
) -> RunTask:
    """The task of one run."""
    key = training_key(protocol)
    return RunTask(original_key, subnetwork_key, subnetwork_id, tuple(widths), key, protocol, seed, own)


def training_key(protocol: dict[str, Any]) -> str:
    """Hash of a protocol without its measurements, which change neither training nor random streams."""
    return content_key({name: value for name, value in protocol.items() if name not in _MEASUREMENT_KEYS})


def train_original(task: OriginalTask, folders: RunFolders | None = None) -> TrainedOriginal:
    """Train an original from its seed, or load and fine-tune the weights that it is given, and evaluate it."""
    started = time.perf_counter()
    saved = (folders or RunFolders()).checkpoint(original_name(task.key))
    with _TORCH_LOCK:
        torch.set_num_threads(1)
        data = load_any(task.data)
        rng = derived_rng(task.seed, task.key)
        network = build_network(task.network, num_classes=data.num_classes, seed=torch_seed(rng))
        refuse_another_network(task.network, task.probe, data)
        layout = layout_of(network, data, task.own)
        network, data = place_network(network, layout), place_data(data, layout)
        if is_given(task.recipe):
            load_weights(network, task.network, task.recipe, data.num_classes)
        recipe = training_recipe(task.recipe)
        if recipe is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(torch_seed(derived_rng(task.seed, task.key, "training")))
                train(network, data.train, data.validation, recipe, rng=rng, checkpoint=saved)
        if task.own is not None:
            with (folders or RunFolders()).opened(original_name(task.key)) as folder:
                metrics = _train_by_own_function(network, task, data, folder)
        else:
            metrics = dict(zip(("val_error", "val_loss"), evaluate(network, data.validation), strict=True))
            metrics |= dict(zip(("test_error", "test_loss"), evaluate(network, data.test), strict=True))
    wall_s = time.perf_counter() - started + saved.before_s
    return TrainedOriginal(safetensors_bytes(network), metrics, wall_s, environment())


def _train_by_own_function(network: nn.Module, task: OriginalTask, data: Data, folder: Path) -> dict[str, Any]:
    assert task.own is not None
    if task.own.train is not None:
        refuse_another_source(task.own.train, str(task.recipe["train"]), StaleWorkerError)
    run = OwnRun(task.own, folder, own_seed(derived_rng(task.seed, task.key, "training")))
    return columns(train_own(network, run, own_data(data), dense=True)[0], task.own.metric)


def layout_of(network: nn.Module, data: Data, own: OwnTraining | None) -> torch.memory_format:
    """Memory format of a network: contiguous for trainings of the user's own, whose code may rely on it."""
    return torch.contiguous_format if own is not None else memory_layout(network, data.example_input)


def run_subnetwork(
    task: RunTask,
    original: OriginalTask,
    weights: bytes,
    folders: RunFolders | None = None,
    limit: KeepLimit | None = None,
) -> ComputedRun:
    """Prune, train and evaluate one subnetwork; return its outcome, the worker's environment and maybe its weights.

    A training that diverges or raises an error has the outcome "failed", with its reason. `folders` has the checkpoint
    from which an interrupted run goes on; weights are returned where the validation metric is within `limit`.
    """
    outcome, network = train_subnetwork(task, original, weights, folders)
    wanted = network is not None and limit is not None and limit.allows(outcome)
    return ComputedRun(outcome, environment(), named_bytes(network.state_dict()) if network and wanted else None)


def train_subnetwork(
    task: RunTask, original: OriginalTask, weights: bytes, folders: RunFolders | None = None
) -> tuple[Outcome, nn.Module | None]:
    """Outcome of one run, and the trained subnetwork, or None if the run failed."""
    started = time.perf_counter()
    saved = (folders or RunFolders()).checkpoint(task.name)
    log, measured = saved.log, saved.measured

    def seconds() -> float:
        return time.perf_counter() - started + saved.before_s

    with _TORCH_LOCK:
        torch.set_num_threads(1)
        try:
            prepared = prepare_original(original, weights)
            if task.own is not None:
                return _run_own(task, prepared, started, folders or RunFolders())
            network, train_loss = _prune_and_train(task, prepared, saved)
            test_error, test_loss = evaluate(network, prepared.data.test)
            wall_s = seconds()
            if task.protocol.get("latency"):
                measured |= latency_columns(network, prepared.network, prepared.data.example_input)
        except (DivergedError, RuntimeError, MemoryError) as error:
            return failed(f"{type(error).__name__}: {error}", seconds(), tuple(log)), None
    last = log[-1]
    outcome = Outcome(
        *("done", last.val_error, test_error, last.val_loss, test_loss, train_loss, last.epoch, wall_s, None),
        epochs_log=tuple(log),
        **measured,
    )
    return outcome, network


def _prune_and_train(
    task: RunTask, prepared: PreparedOriginal, saved: TrainingCheckpoint
) -> tuple[nn.Module, float | None]:
    rng = derived_rng(task.seed, task.original_key, task.subnetwork_key, task.protocol_key)
    protocol = PruningProtocol.from_parameters(task.protocol)

    def measure_proxies(pruned: nn.Module) -> None:
        if task.protocol.get("proxies"):
            proxies_rng = derived_rng(task.seed, task.original_key, task.subnetwork_key, "proxies")
            saved.measured.update(proxy_errors(pruned, prepared.data, protocol.recipe.batch_size, proxies_rng))

    return prune_and_train(
        prepared.network,
        prepared.trace,
        prepared.data,
        task.widths,
        protocol,
        rng=rng,
        on_epoch=saved.log.append,
        on_pruned=measure_proxies,
        layout=prepared.layout,
        checkpoint=saved,
    )


def _run_own(
    task: RunTask, prepared: PreparedOriginal, started: float, folders: RunFolders
) -> tuple[Outcome, nn.Module | None]:
    assert task.own is not None
    assert task.own.train is not None
    refuse_another_source(task.own.train, str(task.protocol["train"]), StaleWorkerError)
    rng = derived_rng(task.seed, task.original_key, task.subnetwork_key, task.protocol_key)
    try:
        network = pruned_network(prepared.network, prepared.trace, task.widths, task.protocol, rng)
        with folders.opened(task.name) as folder:
            run = OwnRun(task.own, folder, own_seed(rng))
            outcome = own_outcome(network, run, own_data(prepared.data), started)
        if task.protocol.get("latency"):
            measured: dict[str, Any] = latency_columns(network, prepared.network, prepared.data.example_input)
            outcome = replace(outcome, **measured)
    except Exception as error:  # whatever the user's code raises is the reason of a failed run
        return failed(reason_of(error), time.perf_counter() - started), None
    return outcome, network


def failed(reason: str, wall_s: float | None = None, log: tuple[EpochMetric, ...] = ()) -> Outcome:
    """The outcome of a failed run, with its reason in one line."""
    epochs = log[-1].epoch if log else None
    return Outcome(
        "failed", epochs=epochs, wall_s=wall_s, failure=" ".join(reason.split())[:_LONGEST_REASON], epochs_log=log
    )


def prepare_original(original: OriginalTask, weights: bytes) -> PreparedOriginal:
    """The trained original of a task, cached for later tasks of the same process."""
    # the weights too, as dense networks that were trained elsewhere may differ under one key
    cached = (original.key, hash(weights))
    found = _prepared.get(cached)
    if found is None:
        data = load_any(original.data)
        network = build_network(original.network, num_classes=data.num_classes, seed=0)
        refuse_another_network(original.network, original.probe, data)
        network.load_state_dict(safetensors.torch.load(weights))
        traced = trace(network, data.example_input)
        layout = layout_of(network, data, original.own)
        found = _prepared[cached] = PreparedOriginal(
            place_network(network, layout), traced, place_data(data, layout), layout
        )
        if len(_prepared) > _MOST_PREPARED:
            _prepared.popitem(last=False)
    _prepared.move_to_end(cached)
    return found
