"""The plan of a study: its populations are sampled, costed and checked before anything is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from prunestats.cost.model import CostModel
from prunestats.errors import InputError, StudyError
from prunestats.runners.data.datasets import Data, load_data
from prunestats.runners.execution.identity import PlannedNetwork, StoredOriginal
from prunestats.runners.execution.stale_workers import probe_of
from prunestats.runners.execution.trial_failures import check_training_outputs, divergence
from prunestats.runners.execution.worker import OriginalTask
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.checkpoint import checkpoint_sha256, load_checkpoint
from prunestats.runners.networks.fingerprint import Fingerprint, fingerprint
from prunestats.runners.networks.user_errors import locating
from prunestats.runners.networks.user_networks import check_outputs
from prunestats.runners.pruning.criteria import check_criterion
from prunestats.runners.pruning.tracing import trace
from prunestats.runners.study.file import Study, content_key
from prunestats.runners.study.tables import OriginalConfig
from prunestats.runners.training.seeds import derived_rng
from prunestats.sampling.rejection import Sample, sample
from prunestats.spaces.space import Regime, Space
from prunestats.wording import counted

# Weights are stored as float32. Buffers, such as running means, add a few per cent.
_BYTES_A_PARAMETER = 4


@dataclass(frozen=True)
class PlannedOriginal:
    """An original to be trained: its task, and its network with the cost of its subnetworks."""

    task: OriginalTask
    network: PlannedNetwork

    @property
    def cost(self) -> CostModel:
        """FLOPs and parameters of subnetworks as functions of their widths."""
        return self.network.cost

    @property
    def flops(self) -> int:
        """FLOPs of the unpruned network for one input."""
        return self.network.flops

    @property
    def params(self) -> int:
        """Parameters of the unpruned network."""
        return self.network.params


@dataclass(frozen=True)
class PlannedPopulation:
    """Subnetworks of one original, sampled from a space in a regime."""

    original: PlannedOriginal
    regime: Regime
    space: Space
    sample: Sample

    @property
    def keys(self) -> list[str]:
        """Keys of the subnetworks, hashes of the original and the widths, in the order of sampling."""
        return [content_key([self.original.task.key, widths]) for widths in self.sample.widths.tolist()]


@dataclass(frozen=True)
class StudyPlan:
    """Originals and populations of a study, before anything is trained."""

    study: Study
    data: Data
    originals: tuple[PlannedOriginal, ...]
    populations: tuple[PlannedPopulation, ...]

    @property
    def n_runs(self) -> int:
        """Number of runs: distinct subnetworks times seeds, as a subnetwork in two populations is trained once."""
        distinct = {key for population in self.populations for key in population.keys}
        return len(distinct) * len(self.study.protocol.seeds)

    @property
    def kept_bytes(self) -> int:
        """Most bytes of kept weights: for each population, `keep_weights` times those of its largest subnetwork."""
        largest = sum(int(population.sample.params.max()) for population in self.populations)
        return self.study.storage.keep_weights * _BYTES_A_PARAMETER * largest

    @property
    def storage_sentence(self) -> str:
        """What kept weights take on disk, in a sentence."""
        keep, populations = self.study.storage.keep_weights, len(self.populations)
        if keep == 0:
            return "No weights are kept (keep_weights = 0)."
        files = counted(keep * populations, "file")
        return (
            f"Kept weights take at most {files}, about {_size(self.kept_bytes)}: those of the best "
            f"{counted(keep, 'run')} of each of {counted(populations, 'population')} (keep_weights = {keep})."
        )


def plan_study(study: Study, stored: Sequence[StoredOriginal] = ()) -> StudyPlan:
    """Sample and cost every population of a study; nothing is trained and nothing is stored.

    Parameters
    ----------
    study : Study
    stored : sequence of StoredOriginal
        Originals of the database, whose keys are kept for networks that compute the same.

    Raises
    ------
    StudyError
        If a key of the study cannot be satisfied; the message names it.
    """
    return plan_populations(study, *plan_originals(study, stored))


def plan_populations(study: Study, data: Data, originals: Sequence[PlannedOriginal]) -> StudyPlan:
    """Sample the populations of a study whose data are loaded and whose originals are traced.

    Studies with the same data and originals share them, as the rounds of a search do.
    """
    populations = tuple(
        PlannedPopulation(original, regime, space, _sample(study, original, regime, space))
        for original in originals
        for regime in study.regime_bands
        for space in (config.space() for config in study.spaces if config.is_drawn_in(regime))
    )
    return StudyPlan(study, data, tuple(originals), populations)


def network_depth(originals: Sequence[PlannedOriginal]) -> int:
    """Number of convolution and linear layers of the deepest original."""
    return max(
        sum(layer.flops_per_pair + layer.flops_per_out > 0 for layer in original.cost.layers) for original in originals
    )


def plan_originals(study: Study, stored: Sequence[StoredOriginal] = ()) -> tuple[Data, list[PlannedOriginal]]:
    """Load the data of a study and trace its originals; nothing is sampled."""
    with _naming("data"):
        data = load_data(**study.data.model_dump())
    originals = []
    for number, config in enumerate(study.originals):
        network, recipe = _plan_network(study, number, data)
        probe = probe_of(config.network, network.flops, network.fingerprint)
        for seed in config.seeds:
            task = OriginalTask(network.key(seed, stored), config.network, study.data.model_dump(), recipe, seed, probe)
            originals.append(PlannedOriginal(task, network))
    if len({original.task.key for original in originals}) < len(originals):
        raise StudyError("originals must differ in network, recipe or seed; found the same one twice")
    return data, originals


def _plan_network(study: Study, number: int, data: Data) -> tuple[PlannedNetwork, dict[str, Any]]:
    """Build, trace and probe a network; return it with the recipe by which a worker makes or loads its weights."""
    config, example = study.originals[number], data.example_input
    with _naming(f"originals.{number}.network"):
        network = build_network(config.network, num_classes=data.num_classes, seed=0)
        traced = trace(network, example)
        check_outputs(config.network, network, example, data.num_classes)
        found = _fingerprint(config.network, network, data, traced.flops)
    with _naming(f"originals.{number}.checkpoint"):
        identity, recipe = _recipe(config, network)
    with _naming("protocol.criterion"):
        check_criterion(traced, study.protocol.criterion)
    dataset = f"{study.data.name}-{data.digest[:8]}"
    costs = traced.cost, traced.flops, traced.params
    return PlannedNetwork(config.network, dataset, data.digest, identity, found, *costs), recipe


def _fingerprint(name: str, network: nn.Module, data: Data, flops: int) -> Fingerprint:
    """Fingerprint of a network, whose outputs in training mode are checked before; an error names the user's line."""
    image = data.example_input
    found: list[Fingerprint] = []

    def probe() -> None:
        # of two images, as batch norm refuses a single value per channel
        pair = image.expand(2, *image.shape[1:])
        check_training_outputs(name, copy.deepcopy(network), pair, data.num_classes)
        found.append(fingerprint(name, network, tuple(image.shape[1:]), flops))

    with torch.random.fork_rng(devices=[]):
        divergence(f"{name}: a training step of the dense network", probe)
    return found[0]


def _recipe(config: OriginalConfig, network: nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    """Identity of an original's weights, and the recipe by which a worker makes or loads them."""
    if config.checkpoint is None:
        return config.recipe, config.recipe
    identity = {"sha256": checkpoint_sha256(config.checkpoint)}
    load_checkpoint(network, config.checkpoint)
    return identity, {"checkpoint": config.checkpoint, **identity}


def _sample(study: Study, original: PlannedOriginal, regime: Regime, space: Space) -> Sample:
    band = f"{regime.flops!r} {regime.tolerance!r}"
    law = content_key([space.name, space.sampler_name, space.parameters])
    rng = derived_rng(study.seed, "sample", original.task.key, band, law)
    with _naming(f"regimes.flops, {regime.flops:g} of {original.task.network}"):
        return sample(space, original.cost, regime, study.population.subnetworks, rng=rng)


def _size(number: int) -> str:
    """Bytes as kB, MB or GB, to three digits."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if number >= scale:
            return f"{number / scale:.3g} {unit}"
    return f"{number / 1e3:.3g} kB"


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Put the study's key before the message of an error about its value."""
    try:
        with locating("your code"):
            yield
    except InputError as error:
        message = str(error)
        raise StudyError(message if message.startswith("data.") else f"{key}: {message}") from error
