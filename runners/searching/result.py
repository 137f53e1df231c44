"""The result of a search, and its interpretation in sentences."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.metric import Metric
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
        Best mean validation error of a subnetwork, or value of the study's own metric.
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
        Mean validation error of the winner over the seeds by which it was selected, or value of the study's own metric.
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
        test, n, metric = self.test, self.test.n_seeds, self.test.metric
        optimistic = metric.sign * (self.val_error_seen - self.validation.winner.value) < 0
        found = [
            f"Its test {metric.label}, over {n} training seeds not used for selection: {self._value(test.winner)}."
        ]
        if self.uniform == self.winner:
            found.append("It is uniform pruning, which was among the finalists: no sampled candidate was better.")
        elif test.other is not None and test.difference is not None:
            verdict = f"it is {test.verdict} than uniform pruning" if test.verdict else _NOT_DIFFERENT
            points = " points" if metric.is_fraction else ""
            found.append(
                f"Uniform pruning to the same FLOPs, same seeds: {self._value(test.other)}; the difference is "
                f"{self._value(test.difference)}{points}: {verdict}."
            )
        bias = "optimistic, as expected of a winner" if optimistic else "not optimistic"
        found.append(
            f"Its validation {metric.label} was {metric.scale * self.val_error_seen:.3g}{_unit(metric)} when it was "
            f"selected; new seeds give {self._value(self.validation.winner)}: the first was {bias}."
        )
        found.append(f"{self.trainings:.4g} full trainings were spent.")
        return tuple(found)

    def _value(self, interval: Interval) -> str:
        metric = self.test.metric
        value, low, high = (metric.scale * number for number in (interval.value, interval.low, interval.high))
        return f"{value:.3g}{_unit(metric)} [{low:.3g}, {high:.3g}]"


_NOT_DIFFERENT = "they are not significantly different"


def _unit(metric: Metric) -> str:
    """The unit behind a number, with the space before it."""
    return f" {metric.printed_unit}" if metric.printed_unit else ""
