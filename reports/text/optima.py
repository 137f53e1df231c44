"""The section of a report on optimal ratios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prunestats.conjectures.across_regimes import RegimeTrend
from prunestats.metric import ERROR, Metric
from prunestats.optimum.optimum import has_estimate
from prunestats.reports.analysis.results import DesignAnalysis, RegimeAnalysis, StudyAnalysis
from prunestats.reports.text import study_tables as tables
from prunestats.reports.text.blocks import (
    MIDDLE_RATIOS,
    Block,
    Picture,
    axes_note,
    figure_block,
    figure_parts,
    heading,
    list_block,
    note,
    of_regime,
    signed,
    table_block,
    text_block,
)
from prunestats.reports.text.findings import regime_sentence, trend_sentence
from prunestats.reports.text.networks import transfer_blocks
from prunestats.wording import counted, plain, ratio_unit, share, shortened


def response_figures(study: StudyAnalysis) -> Iterator[tuple[str, RegimeAnalysis, list[DesignAnalysis]]]:
    """Figures of response against ratio: name, regime, and the networks of the figure if the study has several."""
    for number, regime in enumerate(study.regimes if study.has_flops else (), 1):
        if not regime.designs:
            yield f"responses-{number}", regime, []
        for part, designs in enumerate(figure_parts(regime.designs) if regime.designs else (), 1):
            yield f"responses-{number}-{part}", regime, designs


def optimum_blocks(study: StudyAnalysis, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    """The section on optima: verdicts with their reasons, regime by regime, then across regimes and networks."""
    yield heading("Is there an optimal ratio?")
    if not study.has_flops:
        yield text_block("FLOPs are not recorded, and a ratio of FLOPs to parameters needs them.")
        return
    which = (
        "The verdict of a regime is that of log cross-entropy, the natural logarithm of cross-entropy, which is less "
        "noisy than error; error is analysed as well, and gives the verdict if no cross-entropy was recorded. Only the "
        if study.metric == ERROR
        else f"The verdict of a regime is that of {study.metric.label}: the best ratio is where it is "
        f"{study.metric.best}. Only the "
    )
    yield text_block(f"{which}initial space, “{shortened(study.spaces[0])}”, and the validation split are used.")
    if study.every_optimum:
        yield table_block(tables.optima_table(study))
    for regime in study.regimes:
        yield from _regime_blocks(study, regime, pictures)
    if study.trend is not None:
        yield from _trend_blocks(study.trend, pictures)
    if study.transfer is not None:
        yield from transfer_blocks(study.transfer, pictures)


def _regime_blocks(study: StudyAnalysis, regime: RegimeAnalysis, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield heading(of_regime(regime.regime), 2)
    yield text_block(regime_sentence(regime))
    for name, its, designs in response_figures(study):
        if its is regime and len(regime.subnetworks):
            yield figure_block(pictures[name], *_response_caption(study, regime, designs), floats=True)
    for network, optimum in regime.every_optimum:
        response = Metric(optimum.response)
        which = f"{plain(network)}, {response.label}" if network else response.title
        yield note(f"{which}: {optimum.verdict}.")
        yield list_block(map(signed, optimum.reasons))
    if regime.refusals:
        yield list_block(regime.refusals)


def _trend_blocks(trend: RegimeTrend, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield heading("Across regimes", 2)
    yield text_block(trend_sentence(trend))
    yield figure_block(
        pictures["optima"],
        "Optimal ratio against the FLOPs of the regime, both axes logarithmic. Black: optimum with its "
        f"{share(trend.level)} confidence interval; pale bars: {MIDDLE_RATIOS}. A regime without an optimum shows its "
        "verdict. Dashed: weighted least squares.",
        "Optimal ratio and its confidence interval at each fraction of the FLOPs.",
    )
    yield list_block(map(signed, trend.notes))


def _response_caption(
    study: StudyAnalysis, regime: RegimeAnalysis, designs: Sequence[DesignAnalysis]
) -> tuple[str, str]:
    where = of_regime(regime.regime)
    optima = [optimum for one in designs or (regime,) for optimum in one.optima.values()]
    originals = [original for one in designs for original in one.design.originals] or list(study.originals)
    fits = []
    if any(optimum.quadratic for optimum in optima):
        fits.append("Solid: quadratic in log ratio, with its pointwise confidence band")
    if any(optimum.spline for optimum in optima):
        fits.append("dashed: penalised spline")
    fitted = f" {'; '.join(fits)}, at the mean level of the originals." if fits else ""
    estimated = [optimum for optimum in optima if has_estimate(optimum)]
    interval = f" Yellow: {share(estimated[0].level)} confidence interval of the optimum." if estimated else ""
    mine = regime.subnetworks["original"].isin(originals)
    n = int((mine & (regime.subnetworks["space"] == study.spaces[0])).sum())
    drawn = "Cross-entropy (left) and error (right)" if study.metric == ERROR else study.metric.title
    named = "cross-entropy and error" if study.metric == ERROR else study.metric.label
    caption = (
        f"{drawn} against {ratio_unit(study.bucket)} at {where}: "
        f"{counted(n, 'subnetwork')} of the initial space “{shortened(study.spaces[0])}”, of "
        f"{counted(len(originals), 'original')}, validation split. {axes_note(study.metric)}{fitted}{interval}"
    )
    return caption, f"Scatter plots of {named} against the ratio at {where}, with fitted curves."
