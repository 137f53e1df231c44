"""The studies of a search: rungs of candidates, finalists with new seeds, and a confirmation of the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunestats.cost.model import CostModel
from prunestats.errors import InputError, ResultsError
from prunestats.optimum.optimum import find_optimum
from prunestats.refinement.rule import refine
from prunestats.runners.searching.halving import Rung, halving_rungs
from prunestats.runners.study.file import Study, parse_study, study_text
from prunestats.runners.study.tables import OriginalConfig
from prunestats.spaces.samplers import check_fraction
from prunestats.spaces.space import Regime, Space
from prunestats.spaces.support import Support

# Keep ratios tried for uniform pruning, 0.0005 apart: finer than one filter in groups of up to 1,000 filters.
_KEEP_RATIOS = 2001


@dataclass(frozen=True)
class SearchOptions:
    """Target, budget and allocation of a search.

    Parameters
    ----------
    flops : float
        FLOPs as a fraction of the original's.
    budget : int
        Maximum cost of rungs, finalists and confirmation together, in full trainings.
    network : str or None
        The network of the study to prune, where there are several.
    finalists, finalist_seeds : int
        Subnetworks that are trained again before one is selected, and new training seeds of each.
    confirm_seeds : int
        Further training seeds of the winner and of uniform pruning, which are not used for selection.
    eta : int
        Successive-halving factor, as in `halving_rungs`.
    seed : int
        Seed by which candidates are sampled.
    """

    flops: float
    budget: int
    network: str | None = None
    finalists: int = 3
    finalist_seeds: int = 2
    confirm_seeds: int = 3
    eta: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check_fraction("flops", self.flops)
        for name in ("finalists", "finalist_seeds"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more; found {getattr(self, name)}")
        if self.confirm_seeds < 2:
            raise InputError(f"confirm_seeds must be 2 or more, to estimate their variance; found {self.confirm_seeds}")

    @property
    def reserved_trainings(self) -> int:
        """Trainings of finalists and uniform pruning, and of winner and uniform pruning in the confirmation."""
        return (self.finalists + 1) * self.finalist_seeds + 2 * self.confirm_seeds


@dataclass(frozen=True)
class SearchPlan:
    """The plan of a search, before anything is trained.

    Parameters
    ----------
    study : Study
        The study, reduced to one original and one regime.
    name : str
        Name of the search, with which the names of its studies begin.
    options : SearchOptions
    rungs : tuple of Rung
    space : Space
        The space from which candidates are sampled.
    reasons : tuple of str
        Why they are sampled from it, in sentences.
    """

    study: Study
    name: str
    options: SearchOptions
    rungs: tuple[Rung, ...]
    space: Space
    reasons: tuple[str, ...]

    def first_rung(self) -> Study:
        """The study of the first rung, whose candidates are sampled."""
        table = {"name": self.space.name, "sampler": self.space.sampler_name, **self.space.parameters}
        return self._study("rung 1", table, self.rungs[0].candidates, self.rungs[0].epochs, [self._seed(0)])

    def later_rung(self, number: int, widths: Sequence[Sequence[int]]) -> Study:
        """The study of a later rung (the second has number 1), over the remaining subnetworks."""
        return self._listed(f"rung {number + 1}", widths, self.rungs[number].epochs, [self._seed(0)])

    def finalists(self, widths: Sequence[Sequence[int]]) -> Study:
        """The study of the finalists, with new seeds."""
        seeds = [self._seed(1 + index) for index in range(self.options.finalist_seeds)]
        return self._listed("finalists", widths, self.rungs[-1].epochs, seeds)

    def confirmation(self, widths: Sequence[Sequence[int]]) -> Study:
        """The study of the winner and of uniform pruning, with further seeds."""
        first = 1 + self.options.finalist_seeds
        seeds = [self._seed(first + index) for index in range(self.options.confirm_seeds)]
        return self._listed("confirmation", widths, self.rungs[-1].epochs, seeds)

    def _seed(self, index: int) -> int:
        return max(self.study.protocol.seeds) + 1 + index

    def _listed(self, part: str, widths: Sequence[Sequence[int]], epochs: int, seeds: list[int]) -> Study:
        rows = [[int(width) for width in row] for row in widths]
        return self._study(part, {"name": part, "sampler": "listed", "widths": rows}, len(rows), epochs, seeds)

    def _study(self, part: str, space: dict[str, Any], subnetworks: int, epochs: int, seeds: list[int]) -> Study:
        content = self.study.model_dump(mode="json", exclude_none=True)
        content |= {
            "name": f"{self.name}, {part}",
            "spaces": [space],
            "population": {"subnetworks": subnetworks},
            "protocol": content["protocol"] | {"epochs": epochs, "seeds": seeds},
        }
        return parse_study(study_text(content), str(content["name"]))


def search_plan(study: Study, options: SearchOptions) -> SearchPlan:
    """Plan a search in the first space of a study.

    Parameters
    ----------
    study : Study
    options : SearchOptions

    Returns
    -------
    SearchPlan

    Raises
    ------
    StudyError, InputError
        For a network that is not in the study, several networks and none named, a budget that is too small, or a
        protocol without training.
    """
    original = _original(study, options.network)
    protocol = study.protocol
    if protocol.train is not None:
        raise InputError(
            "a search trains its candidates for more and more epochs, which [protocol] sets; found "
            f"train = {protocol.train!r}, which brings its own: run the study, then `prunestats refine` it"
        )
    if protocol.epochs == 0:
        raise InputError("a search needs a protocol that trains; found epochs = 0: set epochs of [protocol]")
    reserved = options.reserved_trainings
    left = options.budget - reserved
    if left < options.finalists:
        raise InputError(
            f"expected a budget of {reserved + options.finalists} trainings or more: {reserved} for finalists and "
            f"confirmation, the rest for successive halving; found {options.budget}"
        )
    rungs = halving_rungs(
        protocol.epochs, left, eta=options.eta, least_epochs=protocol.warmup_epochs + 1, finalists=options.finalists
    )
    content = study.model_dump(mode="json", exclude_none=True) | {
        # the study itself samples with its seed, and the study of a refined space with the next one
        "seed": study.seed + 2 + options.seed,
        "refines": None,
        "searches": study.name,
        "originals": [original.model_dump(mode="json", exclude_none=True) | {"seeds": [original.seeds[0]]}],
        "regimes": {"flops": [options.flops], "tolerance": study.regimes.tolerance},
    }
    content["spaces"] = [{**table, "regimes": None} for table in content["spaces"]]
    reduced = parse_study(study_text(content), study.name)
    name = f"{study.name} search {options.flops:g} of {original.network}, budget {options.budget}"
    if options.seed:
        name += f", seed {options.seed}"
    return SearchPlan(reduced, name, options, rungs, study.spaces[0].space(), ())


def uniform_widths(cost: CostModel, space: Space, regime: Regime) -> list[int] | None:
    """Widths of uniform pruning with FLOPs nearest to a regime's target; None if they lie outside its band.

    Notes
    -----
    One keep ratio for all groups, rounded in each group.
    """
    support: Support = space.support(cost)
    keeps = np.linspace(0, 1, _KEEP_RATIOS)[1:]
    widths = support.nearest(keeps[:, None] * support.sizes)
    full = int(cost.flops(cost.sizes)[0])
    flops = cost.flops(widths)
    best = int(np.argmin(np.abs(flops - regime.flops * full)))
    low, high = regime.bounds(full)
    return widths[best].tolist() if low <= flops[best] <= high else None


def _original(study: Study, network: str | None) -> OriginalConfig:
    names = list(dict.fromkeys(original.network for original in study.originals))
    if network is None and len(names) > 1:
        raise InputError(f"a search prunes one network; the study has {', '.join(names)}: select one with --network")
    for original in study.originals:
        if network in (None, original.network):
            return original
    raise InputError(f"expected a network of the study, {', '.join(names)}; found {network!r}")


def candidate_space(initial: Space, results: pd.DataFrame | None) -> tuple[Space, tuple[str, ...]]:
    """The space from which candidates are sampled: refined where results show an optimal ratio, else the first space.

    Parameters
    ----------
    initial : Space
    results : pandas.DataFrame or None
        Results of the initial space in the regime of the search, on the validation split.

    Returns
    -------
    Space
    tuple of str
        Reasons, in sentences.
    """
    if results is None or results.empty:
        return initial, (
            "No results of this study are stored in this regime: candidates are sampled from its first space. "
            "After `prunestats run`, a search samples around the optimal ratio, where there is one.",
        )
    try:
        # a fixed generator, so that the same results always give the same space
        optimum = find_optimum(results, response="log_cross_entropy", rng=np.random.default_rng(0))
    except ResultsError as error:
        reason = f"The optimal ratio cannot be estimated ({error}): candidates are sampled from the first space."
        return initial, (reason,)
    found = refine(initial, optimum, results)
    if found.kind != "band" or found.space is None:
        return initial, (*found.reasons, "Candidates are sampled from the study's first space.")
    return found.space, found.reasons
