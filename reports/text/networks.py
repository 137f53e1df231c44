"""What is said of a study of several networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prunestats.conjectures.transfer_result import Transfer
from prunestats.optimum.optimum import Optimum
from prunestats.reports.analysis.results import DesignAnalysis, RegimeAnalysis
from prunestats.reports.text.blocks import Block, Picture, figure_block, heading, list_block, signed, text_block
from prunestats.wording import fixed, plain, ratio_digits, ratio_unit, response_name, share

# With more optima than this the table is easier to read than a sentence.
_MOST_NAMED = 4


def networks_sentence(regime: RegimeAnalysis) -> str:
    """One sentence: how many networks have an optimum inside the range, where these are, and what the others have."""
    where = f"At {share(regime.regime)} of the FLOPs"
    optima = [one.optimum for one in regime.designs if one.optimum is not None]
    response = " or ".join(sorted({response_name(optimum.response) for optimum in optima}, reverse=True))
    inside = [one for one in regime.designs if one.optimum is not None and one.optimum.verdict == "interior"]
    others = Counter(optimum.verdict for optimum in optima if optimum.verdict != "interior")
    others["not computed"] = len(regime.designs) - len(optima)
    named = f" ({_named(inside)})" if 0 < len(inside) <= _MOST_NAMED else ""
    rest = ", ".join(f"{n} {verdict}" for verdict, n in sorted(others.items()) if n)
    have = f"{len(inside) or 'none'} of {len(regime.designs)} networks {'has' if len(inside) < 2 else 'have'}"
    left = f"{'; the others' if inside else ''}: {rest}" if rest else ""
    return f"{where}, {have} an optimum of {response or 'a response'} inside the range of ratios{named}{left}."


def _named(inside: list[DesignAnalysis]) -> str:
    optima = [one.optimum for one in inside if one.optimum is not None]
    unit = f" {ratio_unit(optima[0].bucket)}"
    return "; ".join(
        f"{plain(one.design.name)} {_estimate(optimum)}{unit if one is inside[0] else ''}"
        for one, optimum in zip(inside, optima, strict=True)
    )


def _estimate(optimum: Optimum) -> str:
    digits = ratio_digits((optimum.ratio, optimum.low, optimum.high))
    ratio, low, high = (fixed(value, digits) for value in (optimum.ratio, optimum.low, optimum.high))
    return f"{ratio} [{low}, {high}]"


def transfer_blocks(transfer: Transfer, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    """Whether the ratio of the original says where its optimum is: the answer, the figure, what it rests on."""
    yield heading("Across networks", 2)
    yield text_block(signed(transfer.reasons[0]))
    yield figure_block(
        pictures["transfer"],
        f"Optimal ratio of {response_name(transfer.meta.response)} against the ratio of the original, a panel a "
        f"regime, all axes logarithmic. Bars: {share(transfer.meta.level)} intervals. A network without an optimum "
        "shows its verdict, where the middle of the ratios drawn is.",
        "Optimal ratio of each network and its interval against the ratio of the original.",
    )
    yield list_block(map(signed, transfer.reasons[1:]))
