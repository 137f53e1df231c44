"""The result of a search, and its interpretation in sentences."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.noise.confirmation import Confirmation
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result


@dataclass(frozen=True)
class Round:
    """One completed study of a search.

    Parameters
    ----------
    study : str
        Name of the study.
    epochs, subnetworks, seeds : int
        Epochs of each training, and numbers of subnetworks and of training seeds.
    failed : int
        Subnetworks of which no run is done.
    best_val_error : float
        Lowest mean validation error of a subnetwork.
    """

    study: str
    epochs: int
    subnetworks: int
    seeds: int
    failed: int
    best_val_error: float


@dataclass(frozen=True)
class SearchResult(Result):
    """The winner of a search, with its errors on independent training seeds.

    Parameters
    ----------
    name : str
        Name of the search, with which the names of its studies begin.
    winner : str
        Key of the selected subnetwork.
    protocol : str
        Key of the protocol of the full trainings.
    widths : tuple of int
        Kept filters in each group.
    flops_fraction, params_fraction : float
        FLOPs and parameters as fractions of the original's.
    uniform : str or None
        Key of uniform pruning to the same FLOPs, which is among the finalists and may have won; None where rounding
        its widths leaves the FLOPs band.
    test, validation : Confirmation
        Mean errors of winner and uniform pruning over training seeds that were not used for selection.
    val_error_seen : float
        Mean validation error of the winner over the seeds by which it was selected.
    rounds : tuple of Round
    trainings : float
        Total cost in full trainings; at most the budget.
    space : str
        Distribution from which candidates were sampled.
    reasons : tuple of str
        Why candidates were sampled from it.
    """

    name: str
    winner: str
    protocol: str
    widths: tuple[int, ...]
    flops_fraction: float
    params_fraction: float
    uniform: str | None
    test: Confirmation
    validation: Confirmation
    val_error_seen: float
    rounds: tuple[Round, ...]
    trainings: float
    space: str
    reasons: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Interpretation: test error, comparison with uniform pruning, winner's curse, and cost."""
        test, n = self.test, self.test.n_seeds
        optimistic = self.val_error_seen < self.validation.winner.value
        found = [f"Its test error, over {n} training seeds not used for selection: {_percent(test.winner)}."]
        if self.uniform == self.winner:
            found.append("It is uniform pruning, which was among the finalists: no sampled candidate was better.")
        elif test.other is not None and test.difference is not None:
            better = "better than" if test.difference.high < 0 else "worse than" if test.difference.low > 0 else None
            verdict = f"it is {better} uniform pruning" if better else "they are not significantly different"
            found.append(
                f"Uniform pruning to the same FLOPs, same seeds: {_percent(test.other)}; the difference is "
                f"{_percent(test.difference)} points: {verdict}."
            )
        bias = "optimistic, as expected of a winner" if optimistic else "not optimistic"
        found.append(
            f"Its validation error was {100 * self.val_error_seen:.3g} % when it was selected; new seeds give "
            f"{_percent(self.validation.winner)}: the first was {bias}."
        )
        found.append(f"{self.trainings:.4g} full trainings were spent.")
        return tuple(found)


def _percent(interval: Interval) -> str:
    value, low, high = (100 * number for number in (interval.value, interval.low, interval.high))
    return f"{value:.3g} % [{low:.3g}, {high:.3g}]"
