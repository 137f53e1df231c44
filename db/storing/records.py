"""Records that are stored in the results database, or read from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from prunestats.outcome import EpochMetric, Outcome

__all__ = ["RESULT", "EpochMetric", "MissingRun", "OriginalRow", "Outcome", "StatusRow", "SubnetworkRow"]

RESULT = (
    *("state", "val_error", "test_error", "val_loss", "test_loss", "train_loss", "epochs", "failure"),
    *("val_metric", "test_metric"),
)
"""Columns that must agree where two databases hold the same run; seconds, machine and time of storing may differ."""


@dataclass(frozen=True)
class OriginalRow:
    """An original: the dense, trained network that subnetworks are cut from.

    Parameters
    ----------
    key : str
        Hash of network, data set, recipe and seed; the name in an import.
    network, dataset : str
        Names.
    seed : int or None
        Training seed; None where an import does not state it.
    flops : int or None
        FLOPs for one input, by `flops_convention`; None where an import does not state them.
    params : int
        Number of parameters.
    recipe : mapping
        How it was trained.
    group_names : sequence of str or None
        Names of the groups of filters that are pruned together.
    group_sizes : sequence of int or None
        Filters of each group.
    cost : mapping or None
        Its cost model (`CostModel.to_dict`). An import has neither groups nor cost model.
    val_error, test_error : float or None
        1 - top-1 accuracy, fractions in [0, 1].
    val_loss, test_loss : float or None
        Cross-entropy, nats.
    wall_s : float or None
        Seconds of training and evaluation.
    weights_sha256 : str or None
        Hash of the file of its weights.
    environment_id : int or None
        Where it was trained, from `store_environment`.
    flops_convention : {"multiply-adds"}
        What one FLOP is.
    fingerprint : mapping or None
        What the network computes on a fixed probe (`prunestats.runners.networks.fingerprint.Fingerprint`).
    val_metric, test_metric : float or None
        The study's metric in its own unit; None where it is the error.
    metrics : mapping of str to mapping or None
        All metrics by split, as a training of the user's own returned them.
    """

    key: str
    network: str
    dataset: str
    seed: int | None
    flops: int | None
    params: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
    group_names: Sequence[str] | None = None
    group_sizes: Sequence[int] | None = None
    cost: Mapping[str, Any] | None = None
    val_error: float | None = None
    test_error: float | None = None
    val_loss: float | None = None
    test_loss: float | None = None
    wall_s: float | None = None
    weights_sha256: str | None = None
    environment_id: int | None = None
    flops_convention: Literal["multiply-adds"] = "multiply-adds"
    fingerprint: Mapping[str, Any] | None = None
    val_metric: float | None = None
    test_metric: float | None = None
    metrics: Mapping[str, Mapping[str, float]] | None = None


@dataclass(frozen=True)
class SubnetworkRow:
    """A subnetwork of a population.

    Parameters
    ----------
    key : str
        Hash of the original's key and the widths; the name in an import.
    widths : tuple of int or None
        Kept filters in each group; None where an import does not state them.
    flops : int or None
        Multiply-adds for one input; None where an import has none.
    params : int
        Number of parameters.
    """

    key: str
    widths: tuple[int, ...] | None
    flops: int | None
    params: int


@dataclass(frozen=True)
class MissingRun:
    """A run that is planned and not stored.

    Parameters
    ----------
    subnetwork_id : int
        Row number of the subnetwork.
    subnetwork_key : str
    original_id : int
        Row number of its original.
    original_key : str
    widths : tuple of int
        Kept filters in each group.
    seed : int
        Training seed.
    """

    subnetwork_id: int
    subnetwork_key: str
    original_id: int
    original_key: str
    widths: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class StatusRow:
    """Numbers of stored and missing runs of one population.

    Parameters
    ----------
    study, space : str
    regime : float
        FLOPs target as a fraction of the original's.
    original : str
        Key of the original.
    network, dataset : str
    original_seed : int or None
        Network, data set and training seed of the original.
    drawn : int
        Subnetworks in the population.
    done, failed, missing : int
        Numbers of runs. Without a plan (see `store_plan`), each subnetwork without a run counts as one missing run.
    mean_wall_s : float or None
        Mean wall-clock seconds of the stored runs.
    """

    study: str
    space: str
    regime: float
    original: str
    network: str
    dataset: str
    original_seed: int | None
    drawn: int
    done: int
    failed: int
    missing: int
    mean_wall_s: float | None
