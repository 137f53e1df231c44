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
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from torch import nn

from prunestats.outcome import EpochMetric, Outcome
from prunestats.runners.data.datasets import Data, load_data
from prunestats.runners.execution.stale_workers import refuse_another_network
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.checkpoint import load_checkpoint
from prunestats.runners.networks.weights import safetensors_bytes
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.pruning.tracing import trace
from prunestats.runners.study.file import content_key
from prunestats.runners.training.device import environment, memory_layout, place_data, place_network
from prunestats.runners.training.latency import latency_columns
from prunestats.runners.training.loop import DivergedError, evaluate, train
from prunestats.runners.training.protocol import PruningProtocol, prune_and_train
from prunestats.runners.training.proxies import proxy_errors
from prunestats.runners.training.recipe import Recipe
from prunestats.runners.training.seeds import derived_rng, torch_seed


@dataclass(frozen=True)
class OriginalTask:
    """An original to train: network, data, recipe and seed, and the key that identifies them.

    `probe` is what a worker's own build of the user's network must compute: FLOPs of one image, and a hash.
    """

    key: str
    network: str
    data: dict[str, Any]
    recipe: dict[str, Any]
    seed: int
    probe: tuple[int, str] | None = None


@dataclass(frozen=True)
class TrainedOriginal:
    """A trained original: its weights as safetensors bytes, and its metrics."""

    weights: bytes
    val_error: float
    test_error: float
    val_loss: float
    test_loss: float
    wall_s: float
    environment: dict[str, Any]

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights."""
        return hashlib.sha256(self.weights).hexdigest()


@dataclass(frozen=True)
class RunTask:
    """One run: a subnetwork of an original, a protocol and a seed."""

    original_key: str
    subnetwork_key: str
    subnetwork_id: int
    widths: tuple[int, ...]
    protocol_key: str
    protocol: dict[str, Any]
    seed: int


@dataclass(frozen=True)
class PreparedOriginal:
    """A trained original with its trace and data, ready to be pruned, and the memory format of network and images."""

    network: nn.Module
    trace: Trace
    data: Data
    layout: torch.memory_format


_prepared: OrderedDict[str, PreparedOriginal] = OrderedDict()

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
) -> RunTask:
    """The task of one run."""
    key = training_key(protocol)
    return RunTask(original_key, subnetwork_key, subnetwork_id, tuple(widths), key, protocol, seed)


def training_key(protocol: dict[str, Any]) -> str:
    """Hash of a protocol without its measurements, which change neither training nor random streams."""
    return content_key({name: value for name, value in protocol.items() if name not in _MEASUREMENT_KEYS})


def train_original(task: OriginalTask) -> TrainedOriginal:
    """Train an original from its seed, or load its checkpoint, and evaluate it."""
    started = time.perf_counter()
    with _TORCH_LOCK:
        torch.set_num_threads(1)
        data = load_data(**task.data)
        rng = derived_rng(task.seed, task.key)
        network = build_network(task.network, num_classes=data.num_classes, seed=torch_seed(rng))
        refuse_another_network(task.network, task.probe, data)
        layout = memory_layout(network, data.example_input)
        network, data = place_network(network, layout), place_data(data, layout)
        if "checkpoint" in task.recipe:
            load_checkpoint(network, task.recipe["checkpoint"], task.recipe["sha256"])
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(torch_seed(derived_rng(task.seed, task.key, "training")))
                train(network, data.train, data.validation, Recipe(**task.recipe), rng=rng)
        val_error, val_loss = evaluate(network, data.validation)
        test_error, test_loss = evaluate(network, data.test)
    return TrainedOriginal(
        safetensors_bytes(network),
        val_error,
        test_error,
        val_loss,
        test_loss,
        time.perf_counter() - started,
        environment(),
    )


def run_subnetwork(task: RunTask, original: OriginalTask, weights: bytes) -> tuple[Outcome, dict[str, Any]]:
    """Prune, train and evaluate one subnetwork; return its outcome and the environment of the worker.

    A training that diverges or raises an error has the outcome "failed", with its reason.
    """
    return train_subnetwork(task, original, weights)[0], environment()


def train_subnetwork(task: RunTask, original: OriginalTask, weights: bytes) -> tuple[Outcome, nn.Module | None]:
    """Outcome of one run, and the trained subnetwork, or None if the run failed."""
    started = time.perf_counter()
    log: list[EpochMetric] = []
    measured: dict[str, Any] = {}
    with _TORCH_LOCK:
        torch.set_num_threads(1)
        try:
            prepared = prepare_original(original, weights)
            network, train_loss = _prune_and_train(task, prepared, log, measured)
            test_error, test_loss = evaluate(network, prepared.data.test)
            wall_s = time.perf_counter() - started
            if task.protocol.get("latency"):
                measured |= latency_columns(network, prepared.network, prepared.data.example_input)
        except (DivergedError, RuntimeError, MemoryError) as error:
            return failed(f"{type(error).__name__}: {error}", time.perf_counter() - started, tuple(log)), None
    last = log[-1]
    outcome = Outcome(
        *("done", last.val_error, test_error, last.val_loss, test_loss, train_loss, last.epoch, wall_s, None),
        epochs_log=tuple(log),
        **measured,
    )
    return outcome, network


def _prune_and_train(
    task: RunTask, prepared: PreparedOriginal, log: list[EpochMetric], measured: dict[str, Any]
) -> tuple[nn.Module, float | None]:
    rng = derived_rng(task.seed, task.original_key, task.subnetwork_key, task.protocol_key)
    protocol = PruningProtocol.from_parameters(task.protocol)

    def measure_proxies(pruned: nn.Module) -> None:
        if task.protocol.get("proxies"):
            proxies_rng = derived_rng(task.seed, task.original_key, task.subnetwork_key, "proxies")
            measured.update(proxy_errors(pruned, prepared.data, protocol.recipe.batch_size, proxies_rng))

    return prune_and_train(
        prepared.network,
        prepared.trace,
        prepared.data,
        task.widths,
        protocol,
        rng=rng,
        on_epoch=log.append,
        on_pruned=measure_proxies,
        layout=prepared.layout,
    )


def failed(reason: str, wall_s: float | None = None, log: tuple[EpochMetric, ...] = ()) -> Outcome:
    """The outcome of a failed run, with its reason in one line."""
    epochs = log[-1].epoch if log else None
    return Outcome(
        "failed", epochs=epochs, wall_s=wall_s, failure=" ".join(reason.split())[:_LONGEST_REASON], epochs_log=log
    )


def prepare_original(original: OriginalTask, weights: bytes) -> PreparedOriginal:
    """The trained original of a task, cached for later tasks of the same process."""
    found = _prepared.get(original.key)
    if found is None:
        data = load_data(**original.data)
        network = build_network(original.network, num_classes=data.num_classes, seed=0)
        refuse_another_network(original.network, original.probe, data)
        network.load_state_dict(safetensors.torch.load(weights))
        traced = trace(network, data.example_input)
        layout = memory_layout(network, data.example_input)
        found = _prepared[original.key] = PreparedOriginal(
            place_network(network, layout), traced, place_data(data, layout), layout
        )
        if len(_prepared) > _MOST_PREPARED:
            _prepared.popitem(last=False)
    _prepared.move_to_end(original.key)
    return found
