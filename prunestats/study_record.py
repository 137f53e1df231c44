"""What a report says of a study besides its statistics: how it was made, as it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Original:
    """A dense network, as trained: metrics are of its own, before any pruning."""

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


@dataclass(frozen=True)
class SpaceLaw:
    """A space as the study declared it."""

    name: str
    sampler: str
    parameters: dict[str, Any]
    law: str


@dataclass(frozen=True)
class Population:
    """How one population was drawn, and how far its runs have come."""

    regime: float
    space: str
    original: str
    drawn: int
    attempts: int
    accepted: int


@dataclass(frozen=True)
class Protocol:
    """How a subnetwork was pruned, trained and evaluated."""

    key: str
    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class StudyFacts:
    """Everything on record about a study that a report repeats.

    Parameters
    ----------
    name, fingerprint : str
    seed : int
        Seed of the study.
    database : str
        Name of the file, or the URL without its password.
    originals, spaces, populations, protocols : tuple
    regimes : tuple of (float, float)
        FLOPs fraction and relative tolerance, largest first.
    machines : tuple of str
        Where the runs were made: platform and versions.
    missing : dict of (float, str) to int
        Runs that are planned and not there, by regime and space.
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
