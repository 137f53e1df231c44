"""Sentences on the association between optima of several designs and the ratio of their originals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from prunestats.conjectures.across_originals import MetaOptimum
from prunestats.conjectures.log_optima import share_a_ratio
from prunestats.numeric.intervals import Interval
from prunestats.optimum.optimum import Optimum
from prunestats.wording import p_words

VERDICTS = {
    "follows": "The optimum increases significantly with the ratio of the original",
    "opposes": "The optimum decreases significantly with the ratio of the original",
    "not seen": "No significant association between the ratio of the original and its optimum",
    "drawn apart": "An association between the ratio of the original and its optimum cannot be tested here",
    "too few": "An association between the ratio of the original and its optimum cannot be tested here",
}


def slope_sentences(meta: MetaOptimum, slope: Interval | None, p: float, verdict: str) -> tuple[str, ...]:
    """State the verdict with slope and heterogeneity; where there is no slope, the notes give the reason."""
    if slope is None or meta.fit is None:
        return (f"{VERDICTS[verdict]}: no slope is fitted.",)
    tau2, fit = meta.fit.tau2, meta.fit
    found = [
        f"{VERDICTS[verdict]}: slope {slope} of log optimum on log ratio of the original (p {p_words(p)} for slope 0; "
        f"slope 1 is proportionality), {meta.n_estimates} optima of {meta.n_originals} designs."
    ]
    if meta.regime_slope is not None:
        found.append(f"Slope of log optimum on log FLOPs fraction: {meta.regime_slope}.")
    within = f", optima within a design by {_factor(fit.tau2_within)}" if meta.design.repeated else ""
    found.append(
        f"Residual heterogeneity: around the line, designs differ by a factor of {_factor(tau2.value)} (one standard "
        f"deviation){within}; I2 {100 * fit.i2:.0f} %, Cochran's Q p {p_words(fit.q_p)}."
    )
    return tuple(found)


def population_sentences(verdicts: Sequence[str], used: int) -> tuple[str, ...]:
    """Count the populations with an estimated optimum, and those whose best ratio is at an end of the sampled range."""
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(sorted(verdicts))}
    listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    without = counts.get("monotone", 0) + counts.get("edge", 0)
    censored = (
        f" In {without} the best ratio lies at or beyond an end of the sampled range: no optimum within it."
        if without
        else ""
    )
    return (f"{used} of {len(verdicts)} populations (design and regime) have a usable optimum ({listed}).{censored}",)


def overlap_sentences(used: Sequence[tuple[float | None, Optimum]]) -> tuple[str, ...]:
    """Name the regimes in which the sampled ratios of the designs do not overlap; nothing where all overlap."""
    apart = []
    order = sorted(used, key=lambda one: -(one[0] or 0))
    for regime, group in groupby(order, key=lambda one: one[0]):
        if not share_a_ratio([optimum for _, optimum in group]):
            apart.append("" if regime is None else f"{regime:g}")
    if not apart:
        return ()
    where = f" in {'the regimes' if len(apart) > 1 else 'regime'} {', '.join(apart)}" if all(apart) else ""
    return (
        f"No ratio lies in the middle 80 % of the sampled ratios of all designs with an optimum{where}: a common "
        "optimum could not have been found, so the difference may come from the sampled ratios alone.",
    )


def sampled_range_sentences(slope: float) -> tuple[str, ...]:
    """State how the sampled ratios shift with the ratio of the original, the confounder of its slope."""
    if not math.isfinite(slope):
        return ()
    return (
        f"The middle of the sampled ratios has slope {slope:.3g} on the ratio of the original (log scales): an optimum "
        "at a fixed position in the sampled range would have that slope, too.",
    )


def relative_sentences(slope: Interval | None, p: float) -> tuple[str, ...]:
    """State whether the optimum shifts relative to the sampled range."""
    if slope is None:
        return ()
    found = f"(slope {slope} on the ratio of the original, p {p_words(p)})"
    if p >= 1 - slope.level:
        return (
            f"The optimum does not shift significantly relative to the sampled range {found}: the sampled range alone "
            "may explain an association with the original.",
        )
    return (f"The optimum shifts significantly relative to the sampled range {found}.",)


def _factor(variance: float) -> str:
    return f"{math.exp(math.sqrt(variance)):.3g}"
