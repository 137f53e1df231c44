"""What the optima of several designs support, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from prunestats.belief import p_words
from prunestats.intervals import Interval
from prunestats.meta import MetaOptimum
from prunestats.optimum import Optimum

if TYPE_CHECKING:
    from prunestats.transfer_result import Transfer

VERDICTS = {
    "follows": "The ratio of the original says where its optimum is",
    "opposes": "The ratio of the original says where its optimum is, the other way round",
    "not seen": "The ratio of the original is not seen to say where its optimum is",
    "drawn apart": "Whether the ratio of the original says where its optimum is cannot be told here",
    "too few": "Whether the ratio of the original says where its optimum is cannot be told here",
}
_WIDE = 100.0


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
        if max(one.x_q10 for one in optima) > min(one.x_q90 for one in optima):
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


def prediction_notes(found: Transfer, ratio: float, regime: float | None, new: Interval) -> tuple[str, ...]:
    """Say what a prediction takes for granted, and where it goes beyond what was studied."""
    notes, meta = [], found.meta
    beyond = "the line is taken further than it was seen"
    seen = [one.design.ratio for one in found.used]
    if not min(seen) <= ratio <= max(seen):
        notes.append(
            f"A ratio of {ratio:.4g} lies outside those of the designs with an optimum, {min(seen):.4g} to "
            f"{max(seen):.4g}: {beyond}."
        )
    fractions = {one.regime for one in found.used if one.regime is not None}
    if regime is not None and "regimes" not in meta.design.moderators and fractions != {regime}:
        notes.append("No slope in the FLOPs fraction is fitted: the same is expected in every regime.")
    elif regime is not None and not min(fractions) <= regime <= max(fractions):
        notes.append(f"A regime of {regime:g} lies outside {min(fractions):g} to {max(fractions):g}: {beyond}.")
    if found.slope is None:
        notes.append("No slope in the ratio of the original is fitted: the same is expected of every original.")
    if not found.shared:
        notes.append("It holds for originals whose ratios are drawn as those of the designs studied are.")
    if not new.low * _WIDE >= new.high:
        notes.append(
            f"The interval spans a factor of {new.high / new.low:.3g}: {meta.n_originals} designs say next to nothing "
            "of a new one; study more designs."
        )
    return tuple(notes)


def _factor(variance: float) -> str:
    return f"{math.exp(math.sqrt(variance)):.3g}"
