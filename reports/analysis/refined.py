"""What refining a study's space has gained: the section of a report on the studies that put it to the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.numeric.generators import own_generator
from prunestats.refinement.gain import HeadToHead, head_to_head
from prunestats.wording import fixed, plain, share, shortened

_DRAWS = 100


@dataclass(frozen=True)
class Refined:
    """A study that refines another, and how its spaces did.

    Parameters
    ----------
    study : str
    declared : str
        A sentence: whether it was stored before its runs.
    contests : tuple of HeadToHead
        Each later space against the first, regime by regime, test error.
    refusals : tuple of str
        What could not be compared, and why.
    """

    study: str
    declared: str
    contests: tuple[HeadToHead, ...]
    refusals: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Which of the spaces save draws."""
        where = f"Put to the test on fresh draws in study “{shortened(self.study, 60)}”"
        if not self.contests:
            return f"{where}, nothing could be compared{''.join(f' ({reason})' for reason in self.refusals[:1])}."
        initial, *others = (f"“{shortened(name)}”" for name in self.spaces)
        saving = [found for found in self.contests if found.saving.saves]
        if not saving:
            which = "no space is" if len(others) > 1 else f"{others[0]} is not"
            return f"{where}, {which} shown to need fewer draws than {initial} for as good a best."
        said = []
        for found in saving:
            value, low, high = (fixed(getattr(found.saving.factor, name), 1) for name in ("value", "low", "high"))
            at = f"at {share(found.regime or 1)} of the FLOPs"
            said.append(f"“{shortened(found.refined)}” {value} times fewer {at} ({low} to {high})")
        return f"{where}, draws for as good a best as {initial} finds: {', '.join(said)}."

    @property
    def spaces(self) -> tuple[str, ...]:
        """The spaces that were compared, the first one first."""
        return tuple(dict.fromkeys(name for found in self.contests for name in (found.initial, found.refined)))

    def to_dict(self) -> dict[str, Any]:
        """Return what the section states as plain JSON types; the curves are made of rows that the database has."""
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
    contests, refusals = [], []
    spaces = list(dict.fromkeys(test["space"]))
    for regime in sorted(set(test["regime"]), reverse=True):
        mine = test[test["regime"] == regime]
        for space in spaces[1:]:
            try:
                initial, other = mine[mine["space"] == spaces[0]], mine[mine["space"] == space]
                found = head_to_head(initial, other, k=_DRAWS, rng=own_generator(rng))
                contests.append(found)
            except InputError as error:
                refusals.append(f"{plain(space)} at {share(regime)} of the FLOPs: {error}")
    return Refined(study, declared, tuple(contests), tuple(refusals))
