"""The section of a report on studies of refined spaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prunestats.refinement.gain import HeadToHead
from prunestats.reports.analysis.refined import Refined
from prunestats.reports.text.blocks import Block, Picture, figure_block, heading, list_block, table_block, text_block
from prunestats.reports.text.table import Column, Table, counts, numbers, percents, words
from prunestats.wording import share, shortened


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
