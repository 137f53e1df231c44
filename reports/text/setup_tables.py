"""The tables of a report on what a study was: its originals, its populations, its runs."""

from __future__ import annotations

from prunestats.noise.best_errors import dense_value
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.text.table import (
    ReportTable,
    counts,
    metric_values,
    percents,
    regime_column,
    sizes,
    words,
)
from prunestats.study_record import StudyFacts

_SPLITS = ("validation", "test")


def originals_table(facts: StudyFacts, study: StudyAnalysis) -> ReportTable:
    """The originals: cost and error, or the study's metric, before any pruning."""
    rows, metric = facts.originals, study.metric
    return ReportTable(
        "originals",
        "The original networks, trained and not pruned. Each is a stratum, and inference is conditional on them.",
        (
            words("original", (study.names.get(o.key, o.key) for o in rows)),
            words("data", (o.dataset for o in rows)),
            counts("groups", (o.n_groups for o in rows)),
            *((sizes("FLOPs", [o.flops for o in rows]),) if study.has_flops else ()),
            sizes("parameters", [o.params for o in rows]),
            *(metric_values(s, (dense_value(o, s, metric) for o in rows), metric, metric.heading) for s in _SPLITS),
        ),
    )


def counts_table(study: StudyAnalysis, facts: StudyFacts) -> ReportTable:
    """Runs by regime and space."""
    rows = study.populations
    missing = [0 if regime is None else facts.missing.get((regime, space.space), 0) for regime, space in rows]
    return ReportTable(
        "counts",
        "Runs by regime and space, over all originals. Failed runs are excluded from all statistics.",
        (
            regime_column(regime for regime, _ in rows),
            words("space", (space.space for _, space in rows)),
            counts("subnetworks", (space.n_drawn for _, space in rows)),
            counts("finished", (space.n_done for _, space in rows), "runs"),
            counts("failed", (space.n_failed for _, space in rows), "runs"),
            counts("missing", missing, "runs"),
        ),
    )


def populations_table(facts: StudyFacts, study: StudyAnalysis) -> ReportTable:
    """How the populations were sampled."""
    rows = facts.populations
    return ReportTable(
        "populations",
        "How each population was sampled. Proposals follow the distribution of the space or, if few of those fall into "
        "the FLOPs band of the regime, a distribution tilted towards the band. Accepted proposals lie in the band and "
        "follow the distribution of the space within it; duplicates among them are dropped.",
        (
            regime_column(row.regime for row in rows),
            words("space", (row.space for row in rows)),
            words("original", (study.names.get(row.original, row.original) for row in rows)),
            counts("subnetworks", (row.drawn for row in rows)),
            counts("proposed", (row.attempts for row in rows)),
            counts("accepted", (row.accepted for row in rows)),
            percents("acceptance (%)", (row.accepted / row.attempts if row.attempts else None for row in rows)),
        ),
    )


def failures_table(study: StudyAnalysis) -> ReportTable:
    """Reasons of failed runs, with their numbers."""
    return ReportTable(
        "failures",
        "Reasons of failed runs.",
        (words("reason", (reason for reason, _ in study.failures)), counts("runs", (n for _, n in study.failures))),
    )
