"""What the optima of several designs support, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from prunestats.conjectures.across_originals import MetaOptimum
from prunestats.numeric.intervals import Interval
from prunestats.optimum.optimum import Optimum
from prunestats.wording import p_words

if TYPE_CHECKING:
    pass

VERDICTS = {
    "follows": "The ratio of the original says where its optimum is",
    "opposes": "The ratio of the original says where its optimum is, the other way round",
    "not seen": "The ratio of the original is not seen to say where its optimum is",
    "drawn apart": "Whether the ratio of the original says where its optimum is cannot be told here",
    "too few": "Whether the ratio of the original says where its optimum is cannot be told here",
}


def slope_words(meta: MetaOptimum, slope: Interval | None, p: float, verdict: str) -> tuple[str, ...]:
    """Say the verdict with slope and heterogeneity; the notes say why there is none."""
    if slope is None or meta.fit is None:
        return (f"{VERDICTS[verdict]}: no slope is fitted.",)
    tau2, fit = meta.fit.tau2, meta.fit
    found = [
        f"{VERDICTS[verdict]}: slope {slope} of log optimum in log ratio of the original (p of none "
        f"{p_words(p)}; 1 is in proportion), {meta.n_estimates} optima of {meta.n_originals} designs."
    ]
    if meta.regime_slope is not None:
        found.append(f"The optimum moves with the FLOPs fraction by a slope of {meta.regime_slope}.")
    within = f", within them by {_factor(fit.tau2_within)}" if meta.design.repeated else ""
    found.append(
        f"Beyond the line, designs differ by a factor of {_factor(tau2.value)} (one standard deviation){within}: "
        f"I2 {100 * fit.i2:.0f} %, p of no difference {p_words(fit.q_p)}."
    )
    return tuple(found)


def population_words(verdicts: Sequence[str], used: int) -> tuple[str, ...]:
    """Say in how many populations there is an optimum at all, and where the conjecture of one fails."""
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(sorted(verdicts))}
    listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    without = counts.get("monotone", 0) + counts.get("edge", 0)
    fails = f" In {without} the best ratio lies at the end of those drawn or beyond: no optimum is seen among them." * (
        without > 0
    )
    return (f"{used} of {len(verdicts)} populations of a design in a regime have an optimum to use ({listed}).{fails}",)


def overlap_words(used: Sequence[tuple[float | None, Optimum]]) -> tuple[str, ...]:
    """Say in which regimes the designs have no ratio in common, where one optimum could not have been found."""
    apart = []
    order = sorted(used, key=lambda one: -(one[0] or 0))
    for regime, group in groupby(order, key=lambda one: one[0]):
        optima = [optimum for _, optimum in group]
        if max(one.ratio_q10 for one in optima) > min(one.ratio_q90 for one in optima):
            apart.append("" if regime is None else f"{regime:g}")
    if not apart:
        return ()
    where = f" in {'the regimes' if len(apart) > 1 else 'regime'} {', '.join(apart)}" if all(apart) else ""
    return (
        f"No ratio is among the middle 80 % of those drawn of all designs with an optimum{where}: one optimum for "
        "all could not have been found there, so that they differ says as much about the ratios drawn.",
    )


def drawn_words(slope: float) -> tuple[str, ...]:
    """Say how the ratios drawn move with the original."""
    if not math.isfinite(slope):
        return ()
    return (
        f"The middle of the ratios drawn moves with the ratio of the original by a slope of {slope:.3g}: an optimum "
        "that keeps one place among the ratios drawn has that slope, whatever the network.",
    )


def place_words(slope: Interval | None, p: float) -> tuple[str, ...]:
    """Say whether the optimum keeps its place among the ratios drawn."""
    if slope is None:
        return ()
    found = f"with the original (slope {slope}, p {p_words(p)})"
    if p >= 1 - slope.level:
        tied = "nothing beyond the draw is shown to tie the optimum to the original"
        return (f"Its place among the ratios drawn is not seen to move {found}: {tied}.",)
    return (f"Its place among the ratios drawn moves {found}: the optimum does more than follow the draw.",)


def _factor(variance: float) -> str:
    return f"{math.exp(math.sqrt(variance)):.3g}"
