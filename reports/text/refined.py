"""The section of a report on studies that test a refined space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prunestats.refinement.gain import HeadToHead
from prunestats.reports.analysis.refined import Refined
from prunestats.reports.text.blocks import Block, Picture, figure_block, heading, list_block, table_block, text_block
from prunestats.reports.text.table import ReportColumn, ReportTable, counts, numbers, percents, words
from prunestats.wording import share, shortened


def refined_blocks(studies: tuple[Refined, ...], pictures: Mapping[str, Picture]) -> Iterator[Block]:
    """The section, one part per study; nothing without such a study."""
    if not studies:
        return
    yield heading("Gain of the refined space")
    for number, study in enumerate(studies, 1):
        best, label = study.metric.best, study.metric.label
        yield heading(f"Study “{shortened(study.study, 60)}”", 2)
        yield text_block(
            "Its first space is the initial space, sampled again. A refined space is restricted to the ratios that the "
            "verdict of the regime favours: those around the optimum, or the better end of the range. A control, if "
            "there is one, is restricted to other ratios with an equally large share of the population. All "
            "subnetworks and training seeds are independent of those that the verdict is based on."
        )
        yield text_block(study.declared)
        if study.contests:
            yield table_block(_table(study, number))
            yield figure_block(
                pictures[f"refined-{number}"],
                f"Test {label} of the initial space and of the spaces compared with it. Left: empirical distribution "
                f"functions of the first original, with simultaneous confidence bands. Right: expected {best} test "
                f"{label} of k subnetworks, one line per original.",
                f"Empirical distribution functions, and expected {best} {label} against the sample size, one colour "
                "per space.",
            )
        yield list_block(
            [
                *(f"{share(found.regime or 1)}: {found.saving.words}" for found in study.contests),
                *study.refusals,
            ]
        )


def _table(study: Refined, number: int) -> ReportTable:
    contests, metric = study.contests, study.metric
    which = f"{metric.better} {metric.label}"
    better = f"P({which}) (%)"
    return ReportTable(
        f"refined-{number}",
        f"Each space against the initial space “{shortened(contests[0].initial)}”, with {share(contests[0].level)} "
        f"confidence intervals. P({which}): probability that one of its subnetworks has a {metric.better} test "
        f"{metric.label} than one of the initial space, ties counted half. Ratio of sample sizes: k subnetworks of the "
        f"initial space over the number of subnetworks of this one with the same expected {metric.best} "
        f"{metric.label}. Above 1 fewer trainings are needed; “significant” means that the whole interval lies above "
        "1.",
        (
            words("FLOPs", (share(found.regime or 1) for found in contests)),
            words("space", (shortened(found.refined) for found in contests)),
            percents("estimate", (found.p_better.value for found in contests), better, 1),
            percents("low", (found.p_better.low for found in contests), better, 1),
            percents("high", (found.p_better.high for found in contests), better, 1),
            counts("k", (found.saving.k for found in contests)),
            *_factor_columns(contests),
            words("significant", ("yes" if found.saving.saves else "no" for found in contests)),
        ),
    )


def _factor_columns(contests: tuple[HeadToHead, ...]) -> Iterator[ReportColumn]:
    for head, name in (("estimate", "value"), ("low", "low"), ("high", "high")):
        yield numbers(head, (getattr(found.saving.factor, name) for found in contests), 2, "ratio of sample sizes")
