"""How long a study takes, from the measured seconds of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunestats.runners.study.tables import ProtocolConfig

# Seconds until worker processes have started and imported torch; 5 to 10 were seen on two cores.
_START_S = 8.0

# Seconds of a run beside training and evaluation: sending its task, and storing its outcome. A round number, which
# counts for small networks only.
_OVERHEAD_S = 0.02

# Workers at once share caches and memory bandwidth, so each is slower than one alone. The factor is on the safe side:
# a study that ends early disappoints nobody.
_SHARING = 1.2

# Passes of one image and of 64, warm-up included, by which latency is measured: images in all.
_LATENCY_IMAGES = 34 * (1 + 64)


@dataclass(frozen=True)
class Pace:
    """Measured seconds an image in training and in evaluation, with one thread."""

    train_s: float
    evaluate_s: float


@dataclass(frozen=True)
class Splits:
    """Numbers of images in training, validation and test."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Timing:
    """What was measured of an original.

    Parameters
    ----------
    splits : Splits
    dense : Pace
        Of the original.
    pruned : mapping of float to Pace
        Of a subnetwork in each regime, by its FLOPs fraction.
    prune_s : float
        Seconds to prune the original once.
    prepare_s : float
        Seconds to build and trace the original, once in each worker.
    """

    splits: Splits
    dense: Pace
    pruned: Mapping[float, Pace]
    prune_s: float
    prepare_s: float

    def original_s(self, epochs: int | None) -> float:
        """Seconds to train and evaluate the original; `epochs` is None for a checkpoint, which is evaluated only."""
        return _training_s(self.splits, self.dense, epochs) + self.dense.evaluate_s * (
            self.splits.test + (self.splits.validation if epochs is None else 2 * self.splits.validation)
        )

    def run_s(self, regime: float, protocol: ProtocolConfig) -> float:
        """Seconds of one run: pruning, training and evaluation of a subnetwork."""
        splits, pace = self.splits, self.pruned[regime]
        between = (protocol.steps - 1) * (
            _training_s(splits, self.dense, protocol.step_epochs) + splits.validation * self.dense.evaluate_s
        )
        images = splits.validation + splits.test + protocol.bn_recalibration * protocol.batch_size
        if protocol.proxies:
            images += 2 * splits.validation
        seconds = _training_s(splits, pace, protocol.epochs) + images * pace.evaluate_s + between
        if protocol.distill_weight > 0:
            seconds += protocol.epochs * splits.train * self.dense.evaluate_s
        if protocol.latency:
            seconds += _LATENCY_IMAGES * (pace.evaluate_s + self.dense.evaluate_s)
        return seconds + protocol.steps * self.prune_s + _OVERHEAD_S


def study_s(original_s: Sequence[float], runs_s: float, prepare_s: float, workers: int) -> float:
    """Seconds of a study from those of its originals, of all its runs together and of preparing an original.

    Originals are trained at once, one a worker, so that the longest bounds them; runs are shared evenly.
    """
    at_once = max(1, workers)
    sharing = _SHARING if at_once > 1 else 1.0
    originals = max([*original_s, sum(original_s) / at_once])
    start = _START_S if workers else 0.0
    return start + prepare_s * len(original_s) + originals + sharing * runs_s / at_once


def _training_s(splits: Splits, pace: Pace, epochs: int | None) -> float:
    return (epochs or 0) * (splits.train * pace.train_s + splits.validation * pace.evaluate_s)
