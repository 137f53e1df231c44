"""What a search found, and what that means."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.noise.confirmation import Confirmation
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result


@dataclass(frozen=True)
class Round:
    """One study of a search, as it went.

    Parameters
    ----------
    study : str
    epochs, subnetworks, seeds : int
    failed : int
        Subnetworks without a run that is done.
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
    """What a search found.

    Parameters
    ----------
    name : str
        What its studies are called, with their part added.
    winner : str
        Key of the subnetwork.
    protocol : str
        Key of the protocol of the full trainings.
    widths : tuple of int
        Kept filters in each group.
    flops_fraction, params_fraction : float
        Of the original's.
    uniform : str or None
        Key of uniform pruning to the same FLOPs, which stands among the finalists and may have won; None where its
        rounding leaves the band.
    test, validation : Confirmation
        Mean errors of the two over seeds that had no part in choosing.
    val_error_seen : float
        Mean validation error of the winner over the seeds that chose it.
    rounds : tuple of Round
    trainings : float
        What was trained, in full trainings; it is at most the budget.
    space : str
        Law of the space that candidates were drawn from.
    reasons : tuple of str
        Why from there.
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
        """What it means."""
        test, n = self.test, self.test.n_seeds
        luck = self.val_error_seen < self.validation.winner.value
        said = [f"Its test error, over {n} seeds that had no part in choosing it: {_percent(test.winner)}."]
        if self.uniform == self.winner:
            said.append(
                "It is uniform pruning itself, which stood among the finalists: nothing that was drawn beat it."
            )
        elif test.other is not None and test.difference is not None:
            better = "better than" if test.difference.high < 0 else "worse than" if test.difference.low > 0 else None
            verdict = f"it is {better} uniform pruning" if better else "the two are not told apart"
            said.append(
                f"Uniform pruning to the same FLOPs, same seeds: {_percent(test.other)}; the difference is "
                f"{_percent(test.difference)} points: {verdict}."
            )
        said.append(
            f"When it was chosen its validation error was {100 * self.val_error_seen:.3g} %; fresh seeds give "
            f"{_percent(self.validation.winner)}: {'it looked better by luck' if luck else 'it did not win by luck'}."
        )
        said.append(f"{self.trainings:.4g} full trainings were spent.")
        return tuple(said)


def _percent(found: Interval) -> str:
    value, low, high = (100 * number for number in (found.value, found.low, found.high))
    return f"{value:.3g} % [{low:.3g}, {high:.3g}]"
