"""The records that go into the results database and come out of it."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.outcome import EpochMetric, Outcome

__all__ = ["RESULT", "EpochMetric", "MissingRun", "Outcome", "StatusRow", "SubnetworkRow"]

# columns of a run in which two that are one agree; seconds, machine and moment may differ
RESULT = ("state", "val_error", "test_error", "val_loss", "test_loss", "train_loss", "epochs", "failure")


@dataclass(frozen=True)
class SubnetworkRow:
    """A subnetwork of a population.

    Parameters
    ----------
    key : str
        Hash of its original's key and its widths, or a name from outside.
    widths : tuple of int or None
        Kept filters in each group; None where it is not known.
    flops : int
        Multiply-adds for one input.
    params : int
    """

    key: str
    widths: tuple[int, ...] | None
    flops: int
    params: int


@dataclass(frozen=True)
class MissingRun:
    """A run that a study asks for and that is not stored.

    Parameters
    ----------
    subnetwork_id : int
        Row of the subnetwork in the database.
    subnetwork_key : str
    original_id : int
        Row of its original in the database.
    original_key : str
    widths : tuple of int
        Kept filters in each group.
    seed : int
        Seed of the training.
    """

    subnetwork_id: int
    subnetwork_key: str
    original_id: int
    original_key: str
    widths: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class StatusRow:
    """How far one population of a study is.

    Parameters
    ----------
    study, space : str
    regime : float
        FLOPs target as a fraction of the original's.
    original : str
        Key of the original.
    network : str
    original_seed : int or None
        What the original is, for a reader.
    drawn : int
        Subnetworks.
    done, failed, missing : int
        Runs. Without a plan (see `store_plan`), a subnetwork without any run counts as one missing.
    mean_wall_s : float or None
        Mean seconds of the runs that are there.
    """

    study: str
    space: str
    regime: float
    original: str
    network: str
    original_seed: int | None
    drawn: int
    done: int
    failed: int
    missing: int
    mean_wall_s: float | None
