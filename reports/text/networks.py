"""Sentences about a study of several networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prunestats.conjectures.transfer_result import Transfer
from prunestats.metric import Metric
from prunestats.optimum.optimum import Optimum
from prunestats.reports.analysis.results import DesignAnalysis, RegimeAnalysis
from prunestats.reports.text.blocks import (
    MIDDLE_RATIOS,
    Block,
    Picture,
    figure_block,
    heading,
    list_block,
    of_regime,
    signed,
    text_block,
)
from prunestats.wording import fixed, plain, ratio_digits, ratio_unit, share

_MOST_NAMED = 4
"""With more optima than this the sentence would fill three lines; the table of optima has them all."""


def networks_sentence(regime: RegimeAnalysis) -> str:
    """One sentence: how many networks have an interior optimum, where it is, and the verdicts of the others."""
    where = f"At {of_regime(regime.regime)}"
    optima = [one.optimum for one in regime.designs if one.optimum is not None]
    response = " or ".join(sorted({Metric(optimum.response).label for optimum in optima}, reverse=True))
    interior = [one for one in regime.designs if one.optimum is not None and one.optimum.verdict == "interior"]
    others = Counter(optimum.verdict for optimum in optima if optimum.verdict != "interior")
    others["not computed"] = len(regime.designs) - len(optima)
    named = f" ({_named(interior)})" if 0 < len(interior) <= _MOST_NAMED else ""
    rest = ", ".join(f"{n} {verdict}" for verdict, n in sorted(others.items()) if n)
    have = f"{len(interior) or 'none'} of {len(regime.designs)} networks {'has' if len(interior) < 2 else 'have'}"
    left = f"{'; the others' if interior else ''}: {rest}" if rest else ""
    return f"{where}, {have} an interior optimum of {response or 'a response'}{named}{left}."


def _named(interior: list[DesignAnalysis]) -> str:
    optima = [one.optimum for one in interior if one.optimum is not None]
    unit = f" {ratio_unit(optima[0].bucket)}"
    return "; ".join(
        f"{plain(one.design.name)} {_estimate(optimum)}{unit if one is interior[0] else ''}"
        for one, optimum in zip(interior, optima, strict=True)
    )


def _estimate(optimum: Optimum) -> str:
    digits = ratio_digits((optimum.ratio, optimum.low, optimum.high))
    ratio, low, high = (fixed(value, digits) for value in (optimum.ratio, optimum.low, optimum.high))
    return f"{ratio} [{low}, {high}]"


def transfer_blocks(transfer: Transfer, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    """Whether the optimum is associated with the ratio of the original: the answer, the figure, the evidence."""
    yield heading("Across networks", 2)
    yield text_block(signed(transfer.reasons[0]))
    yield figure_block(
        pictures["transfer"],
        f"Optimal ratio of {Metric(transfer.meta.response).label} against the ratio of the original, one panel per "
        f"regime, all axes logarithmic. Black: optimum with its {share(transfer.meta.level)} confidence interval; pale "
        f"bars: {MIDDLE_RATIOS}. Networks without an interior optimum are marked by their verdict, at the middle of "
        "their bar.",
        "Optimal ratio of each network and its confidence interval against the ratio of the original.",
    )
    yield list_block(map(signed, transfer.reasons[1:]))
