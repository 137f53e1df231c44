"""Studies that test a refined space on independent samples: each space against the initial one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, metric_of
from prunestats.numeric.generators import own_generator
from prunestats.refinement.gain import HeadToHead, head_to_head
from prunestats.wording import fixed, plain, share, shortened

_SAMPLE_SIZE = 100
"""Sample size k of the initial space whose expected best value another space has to reach: the default of
`head_to_head`, which lowers it to a quarter of the population."""


@dataclass(frozen=True)
class Refined:
    """A study that refines another, and its comparisons of spaces.

    Parameters
    ----------
    study : str
    declared : str
        One sentence: whether the study was stored before its runs.
    contests : tuple of HeadToHead
        Test error, or the study's own metric, of each later space against that of the first, regime by regime.
    refusals : tuple of str
        Which comparisons failed, and why.
    metric : Metric
        What the spaces are compared by.
    """

    study: str
    declared: str
    contests: tuple[HeadToHead, ...]
    refusals: tuple[str, ...]
    metric: Metric = ERROR

    @property
    def sentence(self) -> str:
        """One sentence: which spaces need significantly fewer subnetworks than the first for the same best value."""
        best = f"{self.metric.best} {self.metric.label}"
        where = f"In the test on independent samples, study “{shortened(self.study, 60)}”"
        if not self.contests:
            return f"{where}, nothing could be compared{''.join(f' ({reason})' for reason in self.refusals[:1])}."
        initial, *others = (f"“{shortened(name)}”" for name in self.spaces)
        saving = [found for found in self.contests if found.saving.saves]
        if not saving:
            which = "no space needs" if len(others) > 1 else f"{others[0]} does not need"
            return f"{where}, {which} significantly fewer subnetworks than {initial} for the same expected {best}."
        factors = []
        for found in saving:
            value, low, high = (fixed(getattr(found.saving.factor, name), 1) for name in ("value", "low", "high"))
            at = f"at {share(found.regime or 1)} of the FLOPs"
            interval = f"{share(found.level)} confidence interval {low} to {high}"
            factors.append(f"“{shortened(found.refined)}” {value} times fewer {at} ({interval})")
        return f"{where}, subnetworks needed for the same expected {best} as {initial}: {', '.join(factors)}."

    @property
    def spaces(self) -> tuple[str, ...]:
        """The spaces that were compared, the first one first."""
        return tuple(dict.fromkeys(name for found in self.contests for name in (found.initial, found.refined)))

    def to_dict(self) -> dict[str, Any]:
        """Return the printed results as plain JSON types; the curves are left out, as the database has their rows."""
        contests = [
            {
                "regime": found.regime,
                "initial": found.initial,
                "refined": found.refined,
                "p_better": found.p_better.to_dict(),
                "saving": found.saving.to_dict(),
                "notes": list(found.notes),
            }
            for found in self.contests
        ]
        return {
            "study": self.study,
            "declared": self.declared,
            "contests": contests,
            "refusals": list(self.refusals),
        }


def analyse_refined(study: str, declared: str, test: pd.DataFrame, rng: np.random.Generator) -> Refined:
    """Compare each space of a refining study with its first one.

    Parameters
    ----------
    study : str
    declared : str
    test : pandas.DataFrame
        Its finished runs on the test split, spaces in the order of the study.
    rng : numpy.random.Generator

    Returns
    -------
    Refined
    """
    metric, contests, refusals = metric_of(test), [], []
    spaces = list(dict.fromkeys(test["space"]))
    for regime in sorted(set(test["regime"]), reverse=True):
        mine = test[test["regime"] == regime]
        for space in spaces[1:]:
            try:
                initial, other = mine[mine["space"] == spaces[0]], mine[mine["space"] == space]
                found = head_to_head(initial, other, response=metric.name, k=_SAMPLE_SIZE, rng=own_generator(rng))
                contests.append(found)
            except InputError as error:
                refusals.append(f"{plain(space)} at {share(regime)} of the FLOPs: {error}")
    return Refined(study, declared, tuple(contests), tuple(refusals), metric)
