"""Outcome of one run: the record that runners return and the database stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EpochMetric:
    """Metrics after one epoch of training; epoch 0 is the pruned network before training.

    Parameters
    ----------
    epoch : int
        Number of epochs trained so far.
    train_loss : float or None
        Mean cross-entropy over the minibatches of the epoch, nats; None at epoch 0.
    val_error, val_loss : float or None
        1 - top-1 accuracy (a fraction in [0, 1]) and cross-entropy (nats) on the validation split; None where a
        training of the user's own reports other metrics.
    metrics : mapping of str to float, optional
        What a training of the user's own reports.
    """

    epoch: int
    train_loss: float | None
    val_error: float | None = None
    val_loss: float | None = None
    metrics: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Outcome:
    """Outcome of one run: its metrics, or the reason of its failure.

    Parameters
    ----------
    state : {"done", "failed"}
        Whether the run was completed.
    val_error, test_error : float or None
        1 - top-1 accuracy, fractions in [0, 1].
    val_loss, test_loss, train_loss : float or None
        Cross-entropy in nats.
    epochs : int or None
        Number of epochs trained.
    wall_s : float or None
        Wall-clock seconds from pruning to the last evaluation.
    failure : str or None
        Reason of the failure, in one line.
    epochs_log : tuple of EpochMetric
        One entry per epoch.
    latency_ms_1, latency_ms_64 : float or None
        Median milliseconds for a batch of 1 and of 64; None where the protocol does not measure it.
    speedup_1, speedup_64 : float or None
        Latency of the original over that of the subnetwork, measured alternately, for a batch of 1 and of 64.
    pruned_val_error, recalibrated_val_error : float or None
        Validation error after pruning and before training: as pruned, and after re-estimating the batch-normalisation
        statistics; None where the protocol does not measure them.
    val_metric, test_metric : float or None
        The study's metric in its own unit; None where it is the error.
    metrics : mapping of str to mapping, optional
        All metrics by split, as a training of the user's own returned them.
    """

    state: Literal["done", "failed"]
    val_error: float | None = None
    test_error: float | None = None
    val_loss: float | None = None
    test_loss: float | None = None
    train_loss: float | None = None
    epochs: int | None = None
    wall_s: float | None = None
    failure: str | None = None
    epochs_log: tuple[EpochMetric, ...] = ()
    latency_ms_1: float | None = None
    latency_ms_64: float | None = None
    speedup_1: float | None = None
    speedup_64: float | None = None
    pruned_val_error: float | None = None
    recalibrated_val_error: float | None = None
    val_metric: float | None = None
    test_metric: float | None = None
    metrics: Mapping[str, Mapping[str, float]] | None = None
