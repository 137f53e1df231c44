"""The report as data: headings, sentences, tables and figures in the order in which the template sets them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prunestats.metric import ERROR, Metric
from prunestats.noise.choice import counted_notes
from prunestats.reports.analysis.results import RegimeAnalysis, StudyAnalysis
from prunestats.reports.provenance import Provenance
from prunestats.reports.text import setup_tables
from prunestats.reports.text import study_tables as tables
from prunestats.reports.text.best import best_blocks
from prunestats.reports.text.blocks import (
    Block,
    Picture,
    axes_note,
    breakable,
    figure_block,
    figure_parts,
    heading,
    list_block,
    of_regime,
    table_block,
    text_block,
)
from prunestats.reports.text.findings import key_findings
from prunestats.reports.text.methods import methods
from prunestats.reports.text.optima import optimum_blocks
from prunestats.reports.text.record import provenance_blocks, setup_blocks
from prunestats.reports.text.refined import refined_blocks
from prunestats.study_record import StudyFacts
from prunestats.wording import count, counted, plain, share, shortened


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
        *best_blocks(study, pictures),
        *_findings(study),
        *setup_blocks(study, facts),
        *_runs(study, facts),
        *_populations(study, facts, pictures),
        *_distributions(study, pictures),
        *_comparisons(study),
        *optimum_blocks(study, pictures),
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
    yield table_block(setup_tables.counts_table(study, facts))
    if study.failures:
        yield table_block(setup_tables.failures_table(study))


def _populations(study: StudyAnalysis, facts: StudyFacts, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield heading("Populations")
    if facts.populations:
        yield table_block(setup_tables.populations_table(facts, study))
    if study.n_done and study.has_flops:
        n = sum(space.n_subnetworks for _, space in study.populations)
        yield figure_block(
            pictures["populations"],
            f"FLOPs against parameters of the {counted(n, 'subnetwork')} with a finished run, of "
            f"{counted(len(study.originals), 'original')}, both axes logarithmic. Dotted: lines of equal ratio, in "
            "FLOPs per parameter.",
            "Scatter plot of FLOPs against parameters, one colour per space.",
        )


def _distributions(study: StudyAnalysis, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    if not study.n_done:
        return
    yield heading(f"{study.metric.title} distributions")
    yield table_block(tables.distributions_table(study))
    for number, regimes in enumerate(figure_parts(study.regimes), 1):
        edfs = [space.error for regime in regimes for space in regime.spaces if space.error is not None]
        band = f" Shaded: simultaneous {share(edfs[0].level)} confidence bands." if edfs else ""
        where = _regime_names(regimes)
        yield figure_block(
            pictures[f"edfs-{number}"],
            f"Empirical distribution functions over subnetworks at {where}: {_stated(study.metric)}, "
            f"test split. {axes_note(study.metric)} {_counts(regimes)}{band}",
            f"Step curves of empirical distribution functions at {where} with confidence bands, one colour per space.",
            floats=True,
        )


def _comparisons(study: StudyAnalysis) -> Iterator[Block]:
    if not any(regime.comparison and regime.comparison.pairs for regime in study.regimes):
        return
    yield heading("Comparison of spaces")
    yield table_block(tables.differences_table(study))
    yield table_block(tables.superiority_table(study))
    notes = [
        f"{_percentage(regime)}“{shortened(pair.a)}” and “{shortened(pair.b)}”: {note}"
        for regime in study.regimes
        for pair in (regime.comparison.pairs if regime.comparison else ())
        for note in pair.notes
    ]
    if notes:
        yield list_block(notes)


def _winners(study: StudyAnalysis) -> Iterator[Block]:
    winners = [winner for regime in study.regimes for space in regime.spaces for winner in space.winners]
    if not winners:
        return
    yield heading("Winners")
    metric, wrongly = study.metric, "underestimates" if study.metric.sign > 0 else "overestimates"
    yield text_block(
        f"The {metric.best} of many noisy validation {metric.plural} {wrongly} the {metric.label} of its subnetwork "
        "(winner's curse). A winner is therefore selected on the validation split, and its "
        f"{metric.label} is measured on the test split."
    )
    yield table_block(tables.winners_table(study))
    if notes := counted_notes([winner.notes for winner in winners]):
        yield list_block(notes)


def _methods(study: StudyAnalysis) -> Iterator[Block]:
    paragraphs, references = methods(study)
    yield heading("Methods")
    yield from map(text_block, paragraphs)
    yield {"kind": "references", "items": list(references)}


def _stated(metric: Metric) -> str:
    """What an empirical distribution function is a share of."""
    if metric == ERROR:
        return "the share with at most the stated error (left) or cross-entropy (right)"
    return f"the share with at most the stated {metric.label}"


def _counts(regimes: Iterable[RegimeAnalysis]) -> str:
    return " ".join(
        f"{_percentage(r, ': ')}n = {', '.join(count(space.n_subnetworks) for space in r.spaces)}." for r in regimes
    )


def _percentage(regime: RegimeAnalysis, end: str = ", ") -> str:
    return "" if regime.regime is None else f"{share(regime.regime)}{end}"


def _regime_names(regimes: Sequence[RegimeAnalysis]) -> str:
    *names, last = (regime.regime for regime in regimes)
    others = f"{', '.join(share(name) for name in names if name is not None)} and " if names else ""
    return f"{others}{of_regime(last)}"
