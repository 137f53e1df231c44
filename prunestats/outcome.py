"""What one run brings back: the record that runners make and the database stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EpochMetric:
    """Metrics after one epoch of fine-tuning; epoch 0 is the pruned network before any.

    Parameters
    ----------
    epoch : int
        Epochs trained so far.
    train_loss : float or None
        Mean cross-entropy (nats) over the epoch's batches; None at epoch 0.
    val_error, val_loss : float
        Error (a fraction) and cross-entropy (nats) on the validation split.
    """

    epoch: int
    train_loss: float | None
    val_error: float
    val_loss: float


@dataclass(frozen=True)
class Outcome:
    """The result of one run: metrics when it is done, the reason when it failed.

    Parameters
    ----------
    state : {"done", "failed"}
    val_error, test_error : float or None
        1 - top-1 accuracy, fractions in [0, 1].
    val_loss, test_loss, train_loss : float or None
        Cross-entropy in nats.
    epochs : int or None
        Epochs trained.
    wall_s : float or None
        Seconds from pruning to the last evaluation.
    failure : str or None
        Why the run failed, in one line.
    epochs_log : tuple of EpochMetric
        One entry an epoch.
    latency_ms_1, latency_ms_64 : float or None
        Median milliseconds for a batch of 1 and of 64; None where the protocol does not ask.
    speedup_1, speedup_64 : float or None
        The original's latency, measured in turn with the subnetwork's, over it.
    pruned_val_error, recalibrated_val_error : float or None
        Validation error before any training, and after batch norm's statistics were estimated anew; None where the
        protocol does not ask.
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
