"""The size of a study that fits a number of minutes: epochs, subnetworks and training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prunestats.runners.study.duration import Timing, study_s
from prunestats.runners.study.tables import ProtocolConfig

# Spaces of a short study: independent widths, and uniform pruning.
SPACES = 2

# Epochs of the original and of a subnetwork, longest first. A subnetwork inherits its weights and needs about a tenth.
# Fewer are tried where the minutes do not suffice: a converged original matters less than a population to compare.
_EPOCHS = ((60, 6), (40, 4), (20, 2), (10, 1), (5, 1), (2, 1))

# Subnetworks in a population: at least ten, so that the lowest of them is a choice and a mean has an interval; longer
# training is preferred from twenty on; sixty are those of the demo, and more would rather be asked for by hand.
_LEAST, _ENOUGH, _MOST = 10, 20, 60

# Share of the minutes for `prunestats run`. The rest is for the other commands (`check`, `report`, the export of one
# subnetwork) and for what a measurement of a few seconds does not foresee.
_SHARE = 0.8


@dataclass(frozen=True)
class StudySize:
    """Size of a study.

    Parameters
    ----------
    original_epochs, epochs : int
        Epochs of the original and of a subnetwork.
    subnetworks, seeds : int
        Subnetworks in each space and regime, and training seeds of each.
    """

    original_epochs: int
    epochs: int
    subnetworks: int
    seeds: int


@dataclass(frozen=True)
class Sizing:
    """The chosen size, the seconds that it takes, and the minutes to ask for so that it fits.

    Parameters
    ----------
    size : StudySize
    seconds : float
    fits : bool
        Whether it fits the minutes; where none does, the least study is chosen.
    """

    size: StudySize
    seconds: float
    fits: bool

    @property
    def minutes(self) -> int:
        """Least whole number of minutes that it fits."""
        return int(-(-self.seconds // (60 * _SHARE)))


def short_study_s(timing: Timing, regimes: Sequence[float], size: StudySize, workers: int, *, trained: bool) -> float:
    """Seconds of a study with one original and two spaces; `trained` is False for a checkpoint."""
    protocol = ProtocolConfig(epochs=size.epochs, learning_rate=1.0)
    runs = SPACES * size.subnetworks * size.seeds * sum(timing.run_s(regime, protocol) for regime in regimes)
    original = timing.original_s(size.original_epochs if trained else None)
    return study_s([original], runs, timing.prepare_s, workers)


def fitted_size(
    timing: Timing,
    regimes: Sequence[float],
    *,
    minutes: float,
    workers: int,
    trained: bool = True,
    most: int = _MOST,
) -> Sizing:
    """The largest short study that fits a number of minutes.

    Parameters
    ----------
    timing : Timing
    regimes : sequence of float
        FLOPs as fractions of the original's.
    minutes : float
        For all commands together; four fifths of them are for running the study.
    workers : int
    trained : bool
        Whether the original is trained; False for a checkpoint.
    most : int
        Subnetworks at most in each space and regime, as a small network may have few in a regime.

    Returns
    -------
    Sizing
        Two training seeds if possible, as the noise of training seeds and the winner's curse are estimated from
        them; then the longest training that leaves 20 subnetworks, or else 10; then as many subnetworks as fit, up to
        60. If not even 10 subnetworks with one seed fit, these are returned with the fewest epochs.
    """
    allowed, most = 60 * _SHARE * minutes, min(most, _MOST)

    def seconds(size: StudySize) -> float:
        return short_study_s(timing, regimes, size, workers, trained=trained)

    for seeds, wanted in ((2, _ENOUGH), (2, _LEAST), (1, _LEAST)):
        for original_epochs, epochs in _EPOCHS:
            for subnetworks in range(most, min(wanted, most) - 1, -1):
                size = StudySize(original_epochs, epochs, subnetworks, seeds)
                if seconds(size) <= allowed:
                    return Sizing(size, seconds(size), True)
    least = StudySize(*_EPOCHS[-1], min(_LEAST, most), 1)
    return Sizing(least, seconds(least), False)
