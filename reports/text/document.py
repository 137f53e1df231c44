"""The report as data: headings, sentences, tables and figures in the order in which the template sets them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeVar

from prunestats.optimum.optimum import has_estimate
from prunestats.reports.analysis.results import DesignAnalysis, RegimeAnalysis, StudyAnalysis
from prunestats.reports.provenance import Provenance
from prunestats.reports.text import study_tables as tables
from prunestats.reports.text.blocks import (
    MIDDLE_RATIOS,
    Block,
    Picture,
    breakable,
    figure_block,
    heading,
    list_block,
    note,
    signed,
    table_block,
    text_block,
)
from prunestats.reports.text.findings import key_findings, regime_sentence, trend_sentence
from prunestats.reports.text.methods import methods
from prunestats.reports.text.networks import transfer_blocks
from prunestats.reports.text.record import provenance_blocks, setup_blocks
from prunestats.reports.text.refined import refined_blocks
from prunestats.study_record import StudyFacts
from prunestats.wording import count, counted, plain, ratio_unit, response_name, share, shortened

_AXES = "Axes are logarithmic, those of error only if errors span more than a factor of 5."

_Row = TypeVar("_Row")

ROWS = 3
"""Most rows of panels in a figure: four would not fit a page with their caption."""


def document(
    study: StudyAnalysis, facts: StudyFacts, provenance: Provenance, pictures: Mapping[str, Picture]
) -> dict[str, Any]:
    """Everything that the template sets, as JSON types.

    Parameters
    ----------
    study : StudyAnalysis
    facts : StudyFacts
    provenance : Provenance
    pictures : mapping of str to Picture
        One for each figure of `prunestats.reports.pdf.draw_figures`, by its name.

    Returns
    -------
    dict
    """
    made = datetime.fromtimestamp(provenance.timestamp, UTC)
    version = provenance.versions.get("prunestats", "")
    blocks = [
        *_findings(study),
        *setup_blocks(study, facts),
        *_runs(study, facts),
        *_populations(study, facts, pictures),
        *_distributions(study, pictures),
        *_comparisons(study),
        *_optima(study, pictures),
        *_winners(study),
        *refined_blocks(study.refined, pictures),
        *_methods(study),
        *provenance_blocks(facts, provenance),
    ]
    return {
        "title": breakable(f"Pruning spaces of “{plain(facts.name)}”"),
        "subtitle": f"Statistics over a population of pruned networks. prunestats {version}, "
        f"{made:%d %B %Y, %H:%M} UTC.",
        "running": breakable(f"Pruning spaces of “{shortened(facts.name, 60)}”"),
        "date": f"{made:%Y-%m-%d}",
        "keywords": ["network pruning", "prunestats"],
        "blocks": blocks,
    }


def to_json(content: Mapping[str, Any]) -> str:
    """The document as JSON, the same string for the same content."""
    return json.dumps(content, ensure_ascii=True, sort_keys=True, allow_nan=False)


def figure_parts(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Regimes or networks, figure by figure: as many as fit a page, in parts of nearly equal size."""
    parts = -(-len(rows) // ROWS)
    bounds = [round(part * len(rows) / parts) for part in range(parts + 1)]
    return [list(rows[low:high]) for low, high in pairwise(bounds)]


def response_figures(study: StudyAnalysis) -> Iterator[tuple[str, RegimeAnalysis, list[DesignAnalysis]]]:
    """Figures of response against ratio: name, regime, and the networks of the figure if the study has several."""
    for number, regime in enumerate(study.regimes, 1):
        if not regime.designs:
            yield f"responses-{number}", regime, []
        for part, designs in enumerate(figure_parts(regime.designs) if regime.designs else (), 1):
            yield f"responses-{number}-{part}", regime, designs


def _findings(study: StudyAnalysis) -> Iterator[Block]:
    yield heading("Key findings")
    yield list_block(key_findings(study))


def _runs(study: StudyAnalysis, facts: StudyFacts) -> Iterator[Block]:
    yield heading("Runs")
    missing = sum(facts.missing.values())
    if missing:
        yield text_block(
            f"{counted(missing, 'planned run is', 'planned runs are')} still missing: this report covers the others."
        )
    yield table_block(tables.counts_table(study, facts))
    if study.failures:
        yield table_block(tables.failures_table(study))


def _populations(study: StudyAnalysis, facts: StudyFacts, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield heading("Populations")
    if facts.populations:
        yield table_block(tables.populations_table(facts, study))
    if study.n_done:
        n = sum(space.n_subnetworks for regime in study.regimes for space in regime.spaces)
        yield figure_block(
            pictures["populations"],
            f"FLOPs against parameters of the {counted(n, 'subnetwork')} with a finished run, of "
            f"{counted(len(study.originals), 'original')}, both axes logarithmic. Dotted: lines of equal ratio, in "
            "FLOPs a parameter.",
            "Scatter plot of FLOPs against parameters, one colour per space.",
        )


def _distributions(study: StudyAnalysis, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    if not study.n_done:
        return
    yield heading("Error distributions")
    yield table_block(tables.distributions_table(study))
    for number, regimes in enumerate(figure_parts(study.regimes), 1):
        edfs = [space.error for regime in regimes for space in regime.spaces if space.error is not None]
        band = f" Shaded: simultaneous {share(edfs[0].level)} confidence bands." if edfs else ""
        names = _regime_names(regimes)
        yield figure_block(
            pictures[f"edfs-{number}"],
            f"Empirical distribution functions over subnetworks at {names} of the FLOPs: the share with at most the "
            f"stated error (left) or cross-entropy (right), test split. {_AXES} {_counts(regimes)}{band}",
            f"Step curves of empirical distribution functions at {names} of the FLOPs with confidence bands, one "
            "colour per space.",
            floats=True,
        )


def _comparisons(study: StudyAnalysis) -> Iterator[Block]:
    if not any(regime.comparison and regime.comparison.pairs for regime in study.regimes):
        return
    yield heading("Comparison of spaces")
    yield table_block(tables.differences_table(study))
    yield table_block(tables.superiority_table(study))
    notes = [
        f"{share(regime.regime)}, “{shortened(pair.a)}” and “{shortened(pair.b)}”: {note}"
        for regime in study.regimes
        for pair in (regime.comparison.pairs if regime.comparison else ())
        for note in pair.notes
    ]
    if notes:
        yield list_block(notes)


def _optima(study: StudyAnalysis, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield heading("Is there an optimal ratio?")
    yield text_block(
        "The verdict of a regime is that of log cross-entropy, the natural logarithm of cross-entropy, which is less "
        "noisy than error; error is analysed as well, and gives the verdict if no cross-entropy was recorded. Only the "
        f"initial space, “{shortened(study.spaces[0])}”, and the validation split are used."
    )
    if study.every_optimum:
        yield table_block(tables.optima_table(study))
    shown = list(response_figures(study))
    for regime in study.regimes:
        yield heading(f"{share(regime.regime)} of the FLOPs", 2)
        yield text_block(regime_sentence(regime))
        for name, its, designs in shown:
            if its is regime and len(regime.subnetworks):
                yield figure_block(pictures[name], *_response_caption(study, regime, designs), floats=True)
        for network, optimum in regime.every_optimum:
            name = response_name(optimum.response)
            which = f"{plain(network)}, {name}" if network else f"{name[0].upper()}{name[1:]}"
            yield note(f"{which}: {optimum.verdict}.")
            yield list_block(map(signed, optimum.reasons))
        if regime.refusals:
            yield list_block(regime.refusals)
    if study.trend is not None:
        yield heading("Across regimes", 2)
        yield text_block(trend_sentence(study.trend))
        yield figure_block(
            pictures["optima"],
            "Optimal ratio against the FLOPs of the regime, both axes logarithmic. Black: optimum with its "
            f"{share(study.trend.level)} confidence interval; pale bars: {MIDDLE_RATIOS}. A regime without an optimum "
            "shows its verdict. Dashed: weighted least squares.",
            "Optimal ratio and its confidence interval at each fraction of the FLOPs.",
        )
        yield list_block(map(signed, study.trend.notes))
    if study.transfer is not None:
        yield from transfer_blocks(study.transfer, pictures)


def _winners(study: StudyAnalysis) -> Iterator[Block]:
    if not any(space.winners for regime in study.regimes for space in regime.spaces):
        return
    yield heading("Winners")
    yield text_block(
        "The lowest of many noisy validation errors underestimates the error of its subnetwork (winner's curse). A "
        "winner is therefore selected on the validation split, and its error is measured on the test split."
    )
    yield table_block(tables.winners_table(study))


def _methods(study: StudyAnalysis) -> Iterator[Block]:
    paragraphs, references = methods(study)
    yield heading("Methods")
    yield from map(text_block, paragraphs)
    yield {"kind": "references", "items": list(references)}


def _response_caption(
    study: StudyAnalysis, regime: RegimeAnalysis, designs: Sequence[DesignAnalysis]
) -> tuple[str, str]:
    where = f"{share(regime.regime)} of the FLOPs"
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
    caption = (
        f"Cross-entropy (left) and error (right) against {ratio_unit(study.bucket)} at {where}: "
        f"{counted(n, 'subnetwork')} of the initial space “{shortened(study.spaces[0])}”, of "
        f"{counted(len(originals), 'original')}, validation split. {_AXES}{fitted}{interval}"
    )
    return caption, f"Scatter plots of cross-entropy and error against the ratio at {where}, with fitted curves."


def _counts(regimes: Iterable[RegimeAnalysis]) -> str:
    return " ".join(
        f"{share(r.regime)}: n = {', '.join(count(space.n_subnetworks) for space in r.spaces)}." for r in regimes
    )


def _regime_names(regimes: Sequence[RegimeAnalysis]) -> str:
    names = [share(regime.regime) for regime in regimes]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
