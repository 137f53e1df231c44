"""What refining a study's space has gained: the section of a report on the studies that put it to the test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunestats.contest import HeadToHead, head_to_head
from prunestats.errors import InputError
from prunestats.reports.blocks import (
    Block,
    Picture,
    figure_block,
    heading,
    list_block,
    shortened,
    table_block,
    text_block,
)
from prunestats.reports.tables import Column, Table, counts, fixed, numbers, percents, plain, share, words

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
                found = head_to_head(mine[mine["space"] == spaces[0]], mine[mine["space"] == space], k=_DRAWS, rng=rng)
                contests.append(found)
            except InputError as error:
                refusals.append(f"{plain(space)} at {share(regime)} of the FLOPs: {error}")
    return Refined(study, declared, tuple(contests), tuple(refusals))


def refined_blocks(studies: tuple[Refined, ...], pictures: Mapping[str, Picture]) -> Iterator[Block]:
    """The section, a part a study."""
    if not studies:
        return
    yield heading("What refining the space gained")
    for place, study in enumerate(studies, 1):
        yield heading(f"Study “{shortened(study.study, 60)}”", 2)
        yield text_block(
            "Its first space is the initial one, drawn anew; another is bounded to where the regime's verdict points, "
            "an optimal ratio or the better end of the ratios; a control, where there is one, is bounded elsewhere and "
            "holds as large a share of the population. No draw and no training seed had a part in that verdict."
        )
        yield text_block(study.declared)
        if study.contests:
            yield table_block(_table(study, place))
            yield figure_block(
                pictures[f"refined-{place}"],
                "Test error of the spaces head to head. Left: distribution functions with simultaneous bands, the "
                "first original. Right: expected best of k subnetworks against k, a line an original.",
                "Distribution functions, and expected best against the number of draws, a colour a space.",
            )
        yield list_block(
            [
                *(f"{share(found.regime or 1)}: {found.saving.words}" for found in study.contests),
                *study.refusals,
            ]
        )


def _table(study: Refined, place: int) -> Table:
    contests = study.contests
    return Table(
        f"refined-{place}",
        f"Each space against “{shortened(contests[0].initial)}”, with {share(contests[0].level)} intervals: the chance "
        "that one of its subnetworks has the lower test error, ties counted half; and k over the draws of it whose "
        "expected best is that of k draws of the first. Above 1, fewer trainings give as good a best; “yes” where the "
        "whole interval is.",
        (
            words("FLOPs", (share(found.regime or 1) for found in contests)),
            words("space", (shortened(found.refined) for found in contests)),
            percents("estimate", (found.p_better.value for found in contests), "P(better) (%)", 1),
            percents("from", (found.p_better.low for found in contests), "P(better) (%)", 1),
            percents("to", (found.p_better.high for found in contests), "P(better) (%)", 1),
            counts("k", (found.saving.k for found in contests)),
            *_factors(contests),
            words("saves", ("yes" if found.saving.saves else "no" for found in contests)),
        ),
    )


def _factors(contests: tuple[HeadToHead, ...]) -> Iterator[Column]:
    for name in ("value", "low", "high"):
        head = {"value": "estimate", "low": "from", "high": "to"}[name]
        yield numbers(head, (getattr(found.saving.factor, name) for found in contests), 2, "times fewer draws")
