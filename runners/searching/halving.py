"""Successive halving: many candidates are trained briefly, and the best of them again for longer."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.errors import InputError


@dataclass(frozen=True)
class Rung:
    """One rung of successive halving.

    Parameters
    ----------
    epochs : int
        Epochs of each training.
    candidates : int
        Number of subnetworks.
    """

    epochs: int
    candidates: int


def halving_rungs(
    epochs: int, budget: float, *, eta: int = 3, least_epochs: int = 1, finalists: int = 1
) -> tuple[Rung, ...]:
    """The rungs of successive halving, with as many candidates as a budget allows.

    Parameters
    ----------
    epochs : int
        Epochs of a full training, as in the last rung.
    budget : float
        Maximum cost of all rungs together, in full trainings.
    eta : int
        Successive-halving factor, 2 or more: each rung keeps the best 1 / `eta` and trains them `eta` times as long.
    least_epochs : int
        Minimum epochs of a training.
    finalists : int
        Minimum number of candidates in the last rung.

    Returns
    -------
    tuple of Rung
        From the shortest to the longest training; their cost is at most the budget.

    Raises
    ------
    InputError
        For a budget of fewer than `finalists` full trainings, or numbers out of range.

    Notes
    -----
    Every rung trains from the pruned original with a complete learning-rate schedule, so that fully annealed networks
    are compared. As trainings are not continued from rung to rung, a bracket costs up to 1 + 1 / `eta` + 1 / `eta`^2
    ... times as much as with continuation. Where `epochs` is too small for a shorter training there is one rung, which
    is random search.

    References
    ----------
    K. Jamieson and A. Talwalkar (2016). Non-stochastic best arm identification and hyperparameter optimization.
    AISTATS, figure 3 (successive halving).

    Examples
    --------
    >>> halving_rungs(9, 30)
    (Rung(epochs=1, candidates=90), Rung(epochs=3, candidates=30), Rung(epochs=9, candidates=10))
    """
    if eta < 2 or finalists < 1 or not 1 <= least_epochs <= epochs:
        raise InputError(
            "expected eta of 2 or more, 1 finalist or more, and 1 <= least_epochs <= epochs; "
            f"found eta {eta}, {finalists} finalists, {least_epochs} of {epochs} epochs"
        )
    if budget < finalists:
        raise InputError(f"expected a budget of {finalists} trainings or more for the search; found {budget:g}")
    lengths = [epochs]
    while lengths[0] // eta >= least_epochs:
        lengths.insert(0, lengths[0] // eta)
    few, many = finalists, int(budget * epochs / lengths[0]) + 1
    # bisection, as the cost rises with the candidates of the first rung
    while many - few > 1:
        middle = (few + many) // 2
        if search_cost(_rungs(lengths, middle, eta, finalists)) <= budget:
            few = middle
        else:
            many = middle
    rungs = _rungs(lengths, few, eta, finalists)
    return rungs if search_cost(rungs) <= budget else (Rung(epochs, int(budget)),)


def search_cost(rungs: tuple[Rung, ...]) -> float:
    """Cost of rungs in full trainings.

    Examples
    --------
    >>> search_cost((Rung(1, 9), Rung(3, 3)))
    6.0
    """
    return sum(rung.epochs * rung.candidates for rung in rungs) / rungs[-1].epochs


def _rungs(lengths: list[int], candidates: int, eta: int, finalists: int) -> tuple[Rung, ...]:
    rungs = []
    for epochs in lengths:
        rungs.append(Rung(epochs, candidates))
        candidates = min(candidates, max(finalists, -(-candidates // eta)))
    return tuple(rungs)
