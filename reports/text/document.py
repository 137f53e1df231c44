"""The report as data: headings, sentences, tables and figures in order, for the template to set."""

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
from prunestats.reports.text.record import provenance_blocks, what_was_run
from prunestats.reports.text.refined import refined_blocks
from prunestats.study_record import StudyFacts
from prunestats.wording import RESPONSE_NAMES, count, counted, plain, ratio_unit, share, shortened

_AXES = "Axes are logarithmic, those of error only where errors span more than a factor of 5."

_Row = TypeVar("_Row")

# A figure with more rows than this does not fit a page.
ROWS = 3


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
        As `prunestats.reports.pdf.draw_figures` names them.

    Returns
    -------
    dict
    """
    made = datetime.fromtimestamp(provenance.timestamp, UTC)
    version = provenance.versions.get("prunestats", "")
    blocks = [
        *_findings(study),
        *what_was_run(study, facts),
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


def chunks(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Regimes or networks by figure: as many as fit a page, evenly filled."""
    parts = -(-len(rows) // ROWS)
    bounds = [round(part * len(rows) / parts) for part in range(parts + 1)]
    return [list(rows[low:high]) for low, high in pairwise(bounds)]


def response_figures(study: StudyAnalysis) -> Iterator[tuple[str, RegimeAnalysis, list[DesignAnalysis]]]:
    """Figures of response against ratio: name, regime, and the networks that each shows where there are several."""
    for place, regime in enumerate(study.regimes, 1):
        if not regime.designs:
            yield f"responses-{place}", regime, []
        for part, designs in enumerate(chunks(regime.designs) if regime.designs else (), 1):
            yield f"responses-{place}-{part}", regime, designs


def _findings(study: StudyAnalysis) -> Iterator[Block]:
    yield heading("Key findings")
    yield list_block(key_findings(study))


def _runs(study: StudyAnalysis, facts: StudyFacts) -> Iterator[Block]:
    yield heading("Runs")
    missing = sum(facts.missing.values())
    if missing:
        yield text_block(
            f"{counted(missing, 'planned run is', 'planned runs are')} not there yet: this report speaks of the others."
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
            f"{counted(len(study.originals), 'original')}, both axes logarithmic. Dotted lines join equal ratios, in "
            "FLOPs a parameter.",
            "Scatter plot of FLOPs against parameters, a colour a space.",
        )


def _distributions(study: StudyAnalysis, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    if not study.n_done:
        return
    yield heading("Error distributions")
    yield table_block(tables.distributions_table(study))
    for place, regimes in enumerate(chunks(study.regimes), 1):
        edfs = [space.error for regime in regimes for space in regime.spaces if space.error is not None]
        band = f" Shaded: {share(edfs[0].level)} simultaneous bands." if edfs else ""
        names = _regime_names(regimes)
        yield figure_block(
            pictures[f"edfs-{place}"],
            f"Empirical distribution functions over subnetworks at {names} of the FLOPs: the share with at most the "
            f"stated error (left) or cross-entropy (right), test split. {_AXES} {_counts(regimes)}{band}",
            f"Step curves of distribution functions at {names} of the FLOPs, a colour a space, with bands.",
            floats=True,
        )


def _comparisons(study: StudyAnalysis) -> Iterator[Block]:
    if not any(regime.comparison and regime.comparison.pairs for regime in study.regimes):
        return
    yield heading("Comparison of spaces")
    yield table_block(tables.differences_table(study))
    yield table_block(tables.chances_table(study))
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
        "The verdict of a regime is the one on log cross-entropy, the natural logarithm of cross-entropy, which is the "
        "sharper response; error is shown beside it, and takes its place where there is none. Only the initial space, "
        f"“{shortened(study.spaces[0])}”, and the validation split are looked at."
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
            name = RESPONSE_NAMES[optimum.response]
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
            f"Optimal ratio against the FLOPs of the regime, both axes logarithmic. Bars: {share(study.trend.level)} "
            "intervals; grey: the middle 80 % of the ratios drawn. A regime without an optimum shows its verdict. "
            "Dashed: weighted least squares.",
            "Optimal ratio and its interval at each fraction of the FLOPs.",
        )
        yield list_block(map(signed, study.trend.notes))
    if study.transfer is not None:
        yield from transfer_blocks(study.transfer, pictures)


def _winners(study: StudyAnalysis) -> Iterator[Block]:
    if not any(space.winners for regime in study.regimes for space in regime.spaces):
        return
    yield heading("Winners")
    yield text_block(
        "The lowest of many validation errors is low partly by luck. A winner is therefore chosen on the validation "
        "split, and its error is the one on the test split."
    )
    yield table_block(tables.winners_table(study))


def _methods(study: StudyAnalysis) -> Iterator[Block]:
    paragraphs, references = methods(study)
    yield heading("Methods in short")
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
        fits.append("Solid: quadratic in log ratio, with its pointwise band")
    if any(optimum.spline for optimum in optima):
        fits.append("dashed: penalised spline")
    fitted = f" {'; '.join(fits)}, at the average of the originals." if fits else ""
    estimated = [optimum for optimum in optima if has_estimate(optimum)]
    interval = f" Yellow: {share(estimated[0].level)} interval of the believed optimum." if estimated else ""
    mine = regime.subnetworks["original"].isin(originals)
    n = int((mine & (regime.subnetworks["space"] == study.spaces[0])).sum())
    caption = (
        f"Cross-entropy (left) and error (right) against {ratio_unit(study.bucket)} at {where}: "
        f"{counted(n, 'subnetwork')} of the initial space “{shortened(study.spaces[0])}”, of "
        f"{counted(len(originals), 'original')}, validation split. {_AXES}{fitted}{interval}"
    )
    return caption, f"Scatter plots of cross-entropy and error against the ratio at {where}, with fits."


def _counts(regimes: Iterable[RegimeAnalysis]) -> str:
    return " ".join(
        f"{share(r.regime)}: n = {', '.join(count(space.n_subnetworks) for space in r.spaces)}." for r in regimes
    )


def _regime_names(regimes: Sequence[RegimeAnalysis]) -> str:
    names = [share(regime.regime) for regime in regimes]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
