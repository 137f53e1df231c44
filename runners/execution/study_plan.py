"""The plan of a study: its populations are sampled, costed and checked before anything is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from prunestats.cost.model import CostModel
from prunestats.errors import InputError, StudyError, TraceError
from prunestats.runners.data.datasets import Data
from prunestats.runners.data.no_data import load_any
from prunestats.runners.data.normalisation import check_range
from prunestats.runners.execution.given_weights import GivenWeights, plan_weights
from prunestats.runners.execution.identity import PlannedNetwork, StoredOriginal
from prunestats.runners.execution.own_identity import (
    evaluation_identity,
    own_training_of,
    protocol_parameters,
    training_identity,
)
from prunestats.runners.execution.stale_workers import probe_of
from prunestats.runners.execution.trial_failures import check_training_outputs, divergence
from prunestats.runners.execution.worker import OriginalTask
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.fingerprint import Fingerprint, fingerprint
from prunestats.runners.networks.language_models import refuse_language_model
from prunestats.runners.networks.user_errors import locating
from prunestats.runners.networks.user_networks import check_outputs
from prunestats.runners.pruning.criteria import check_criterion
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.pruning.tracing import trace
from prunestats.runners.study.file import Study, content_key
from prunestats.runners.study.tables import DataConfig, OriginalConfig
from prunestats.runners.training.seeds import derived_rng
from prunestats.sampling.rejection import Sample, sample
from prunestats.spaces.space import Regime, Space
from prunestats.wording import counted

# Weights are stored as float32. Buffers, such as running means, add a few per cent.
_BYTES_A_PARAMETER = 4


@dataclass(frozen=True)
class PlannedOriginal:
    """An original to be trained: its task, its network with the cost of its subnetworks, and weights it is given."""

    task: OriginalTask
    network: PlannedNetwork
    given: GivenWeights | None = None

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

    @cached_property
    def protocol(self) -> dict[str, Any]:
        """Parameters that identify the protocol, on which the results of runs depend."""
        return protocol_parameters(self.study)

    @property
    def n_runs(self) -> int:
        """Number of runs: distinct subnetworks times seeds, as a subnetwork in two populations is trained once."""
        distinct = {key for population in self.populations for key in population.keys}
        return len(distinct) * len(self.study.protocol.seeds)

    def data_of(self, original: PlannedOriginal) -> Data:
        """The data, normalised as an original's weights need them."""
        return self.data if original.task.data == self.study.data_table else load_any(original.task.data)

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
        data = load_any(study.data_table)
    originals = []
    for number, config in enumerate(study.originals):
        network, recipe, given = _plan_network(study, number, data)
        probe = probe_of(config.network, network.flops, network.fingerprint)
        table = study.data_table | _normalisation(study, given)
        for seed in config.seeds:
            key, own = network.key(seed, stored), own_training_of(study, config)
            task = OriginalTask(key, config.network, table, recipe, seed, probe, own)
            originals.append(PlannedOriginal(task, network, given))
    if study.data and study.data.scale and all(original.task.data.get("mean") is None for original in originals):
        raise StudyError(
            f"data.scale = {study.data.scale:g} makes no sense without mean and std: those of the training split fit "
            "any scale"
        )
    if len({original.task.key for original in originals}) < len(originals):
        raise StudyError("originals must differ in network, recipe or seed; found the same one twice")
    return data, originals


def _plan_network(study: Study, number: int, data: Data) -> tuple[PlannedNetwork, dict[str, Any], GivenWeights | None]:
    """Build, trace and probe a network; return it with the recipe by which a worker makes or loads its weights."""
    config, example = study.originals[number], data.example_input
    with _naming(f"originals.{number}.network"):
        network = build_network(config.network, num_classes=data.num_classes, seed=0)
        refuse_language_model(config.network, network, example)
        traced = _traced(network, example, study, config)
        # a training of the user's own may take outputs of any kind
        classifies = config.train is None and study.protocol.train is None
        if classifies:
            check_outputs(config.network, network, example, data.num_classes)
        found = _fingerprint(config.network, network, data, traced.flops, classifies)
    with _naming(f"originals.{number}.{_weights_key(config)}"):
        identity, recipe, given = _recipe(study, config, network, data)
    if study.protocol.train is not None:
        with _naming("protocol.train"):
            protocol_parameters(study)
    with _naming("protocol.criterion"):
        check_criterion(traced, study.protocol.criterion)
    costs = traced.cost, traced.flops, traced.params
    dataset = _dataset(study, config, data)
    return PlannedNetwork(config.network, dataset, data.digest, identity, found, *costs), recipe, given


def _traced(network: nn.Module, example: Tensor, study: Study, config: OriginalConfig) -> Trace:
    try:
        return trace(network, example)
    except TraceError as error:
        if config.train is None or config.input is not None or study.data != DataConfig():
            raise
        raise TraceError(
            f"{error}; as neither [data] nor input is given, the digits are loaded: give input, such as [3, 32, 32]"
        ) from error


def _dataset(study: Study, config: OriginalConfig, data: Data) -> str:
    """Name of the data in the database; a function of the user's own by its name alone, wherever it is defined."""
    if study.data is None:
        return f"input-{'x'.join(map(str, config.input or ()))}"
    return f"{study.data.name.rpartition(':')[2]}-{data.digest[:8]}"


def _normalisation(study: Study, given: GivenWeights | None) -> dict[str, Any]:
    """Keys of `[data]` by which images are normalised as the weights' configuration says, unless the study says how."""
    if study.data is None or study.data.mean is not None or given is None or given.mean is None:
        return {}
    return {"mean": given.mean, "std": given.std}


def _normalised(study: Study, data: Data, given: GivenWeights) -> dict[str, Any]:
    """Part of an original's identity: the normalisation by its weights' configuration, in units of the pixels.

    It is no part of the data's digest, so that originals of different configurations have the same data set and are
    compared.
    """
    table = _normalisation(study, given)
    if not table:
        return {}
    check_range(data, study.data_table.get("scale"), given.configuration)
    found = load_any(study.data_table | table)
    return {"normalisation": {"mean": list(found.mean), "spread": list(found.spread)}}


def _fingerprint(name: str, network: nn.Module, data: Data, flops: int, classifies: bool) -> Fingerprint:
    """Fingerprint of a network, and a check of a classifier's training outputs; an error names the user's line."""
    image = data.example_input
    found: list[Fingerprint] = []

    def probe() -> None:
        # of two images, as batch norm refuses a single value per channel
        pair = image.expand(2, *image.shape[1:])
        if classifies:
            check_training_outputs(name, copy.deepcopy(network), pair, data.num_classes)
        found.append(fingerprint(name, network, tuple(image.shape[1:]), flops))

    with torch.random.fork_rng(devices=[]):
        divergence(f"{name}: a training step of the dense network", probe)
    return found[0]


def _recipe(
    study: Study, config: OriginalConfig, network: nn.Module, data: Data
) -> tuple[dict[str, Any], dict[str, Any], GivenWeights | None]:
    """Identity of an original's weights, the recipe by which a worker makes or loads them, and what is given."""
    if not config.is_given:
        own = training_identity(study, config) or config.recipe
        return own, own, None
    identity, recipe, given = plan_weights(config, network, data.example_input, data.num_classes)
    made = _normalised(study, data, given) | evaluation_identity(study, config)
    return identity | made, recipe | made, given


def _weights_key(config: OriginalConfig) -> str:
    """The key of an original that says where its weights come from."""
    if config.train is not None:
        return "train"
    return "checkpoint" if config.checkpoint is not None or not config.is_given else "pretrained"


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
