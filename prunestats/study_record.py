"""Record of a study for its report: originals, spaces, populations, protocols and machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prunestats.metric import ERROR, Metric


@dataclass(frozen=True)
class Original:
    """An original: a dense, trained network, with its metrics before pruning.

    `val_metric` and `test_metric` are the study's metric, its own or the error.
    """

    key: str
    network: str
    dataset: str
    seed: int | None
    flops: int
    params: int
    n_groups: int
    convention: str
    val_error: float | None
    test_error: float | None
    recipe: dict[str, Any]
    group_names: tuple[str, ...] = ()
    has_weights: bool = False
    val_metric: float | None = None
    test_metric: float | None = None


@dataclass(frozen=True)
class SpaceLaw:
    """A space: the distribution over widths that the study declared; `law` is its description in words."""

    name: str
    sampler: str
    parameters: dict[str, Any]
    law: str


@dataclass(frozen=True)
class Population:
    """A population: its regime, space and original, its size, and the proposals that were made and accepted."""

    regime: float
    space: str
    original: str
    drawn: int
    attempts: int
    accepted: int


@dataclass(frozen=True)
class Protocol:
    """A protocol: how subnetworks were pruned, trained and evaluated."""

    key: str
    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class StudyFacts:
    """Record of a study that its report prints.

    Parameters
    ----------
    name, fingerprint : str
        Its name, and the hash of everything that determines its results.
    seed : int
        Seed from which all random numbers of the study derive.
    database : str
        Name of the database file, or the URL without its password.
    originals, spaces, populations, protocols : tuple
        The records above.
    regimes : tuple of (float, float)
        FLOPs target (a fraction of the original's) and relative tolerance, largest target first.
    machines : tuple of str
        Platform and versions of the machines that executed the runs.
    missing : dict of (float, str) to int
        Number of planned runs that are not stored, by regime and space.
    metric : Metric
        What its subnetworks are selected by and reported in.
    """

    name: str
    fingerprint: str
    seed: int
    database: str
    originals: tuple[Original, ...]
    spaces: tuple[SpaceLaw, ...]
    regimes: tuple[tuple[float, float], ...]
    populations: tuple[Population, ...]
    protocols: tuple[Protocol, ...]
    machines: tuple[str, ...]
    missing: dict[tuple[float, str], int]
    metric: Metric = ERROR
