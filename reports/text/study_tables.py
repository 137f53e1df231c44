"""The tables of a report: which result is printed in which column."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prunestats.comparison.comparison import PairComparison
from prunestats.reports.analysis.populations import QUANTILES, SpaceAnalysis
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.text.table import ReportColumn, ReportTable, counts, numbers, p_values, percents, sizes, words
from prunestats.study_record import StudyFacts
from prunestats.wording import NONE, counted, ratio_digits, ratio_unit, response_name, share, shortened


def originals_table(facts: StudyFacts, study: StudyAnalysis) -> ReportTable:
    """The originals: cost and error before any pruning."""
    rows = facts.originals
    return ReportTable(
        "originals",
        "The original networks, trained and not pruned. Each is a stratum, and inference is conditional on them.",
        (
            words("original", (study.names.get(o.key, o.key) for o in rows)),
            words("data", (o.dataset for o in rows)),
            counts("groups", (o.n_groups for o in rows)),
            sizes("FLOPs", [o.flops for o in rows]),
            sizes("parameters", [o.params for o in rows]),
            percents("validation", (o.val_error for o in rows), "error (%)"),
            percents("test", (o.test_error for o in rows), "error (%)"),
        ),
    )


def counts_table(study: StudyAnalysis, facts: StudyFacts) -> ReportTable:
    """Runs by regime and space."""
    rows = _populations(study)
    missing = [facts.missing.get((regime, space.space), 0) for regime, space in rows]
    return ReportTable(
        "counts",
        "Runs by regime and space, over all originals. Failed runs are excluded from all statistics.",
        (
            _regimes(regime for regime, _ in rows),
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
            _regimes(row.regime for row in rows),
            words("space", (row.space for row in rows)),
            words("original", (study.names.get(row.original, row.original) for row in rows)),
            counts("subnetworks", (row.drawn for row in rows)),
            counts("proposed", (row.attempts for row in rows)),
            counts("accepted", (row.accepted for row in rows)),
            percents("acceptance (%)", (row.accepted / row.attempts if row.attempts else None for row in rows)),
        ),
    )


def distributions_table(study: StudyAnalysis) -> ReportTable:
    """Mean and quantiles of the test error of each population, and its ratios."""
    rows = [(regime, space) for regime, space in _populations(study) if space.error is not None]
    return ReportTable(
        "distributions",
        f"Test error over the n subnetworks with a finished run, of {counted(len(study.originals), 'original')}, and "
        "their ratios. A quantile is the lowest error that the stated share of subnetworks does not exceed.",
        (
            _regimes(regime for regime, _ in rows),
            words("space", (space.space for _, space in rows)),
            counts("n", (space.n_subnetworks for _, space in rows)),
            percents("mean", (space.mean_error for _, space in rows), "test error (%)"),
            *(
                percents(f"{share(q)} quantile" if q != 0.5 else "median", _quantile(rows, q), "test error (%)")
                for q in QUANTILES
            ),
            *_ratio_columns(study, rows),
        ),
    )


def differences_table(study: StudyAnalysis) -> ReportTable:
    """Differences of mean and median between spaces."""
    rows = _pairs(study)
    level = share(rows[0][1].level)
    return ReportTable(
        "differences",
        f"Difference of test error between two spaces, A minus B, in percentage points (pp), with {level} confidence "
        "intervals. Negative: A has the lower error. n is the number of subnetworks; originals are strata.",
        (
            *_pair_columns(rows),
            counts("A", (pair.n_a for _, pair in rows), "n"),
            counts("B", (pair.n_b for _, pair in rows), "n"),
            *_interval_columns(rows, lambda pair: pair.mean_difference, "mean difference (pp)"),
            *_interval_columns(rows, lambda pair: pair.median_difference, "median difference (pp)"),
        ),
    )


def superiority_table(study: StudyAnalysis) -> ReportTable:
    """Probability that one space has the lower error, and the distance between the two distributions."""
    rows = _pairs(study)
    level = share(rows[0][1].level)
    return ReportTable(
        "superiority",
        f"P(A < B): probability that a subnetwork of A has a lower test error than one of B, ties counted half, with "
        f"its {level} confidence interval and the p-value of the Brunner–Munzel test. Kolmogorov–Smirnov: largest "
        "distance between the two distribution functions. The last column is the relative difference of mean FLOPs, A "
        "against B. P-values are not adjusted for the number of comparisons.",
        (
            *_pair_columns(rows),
            *_interval_columns(rows, lambda pair: pair.p_less, "P(A < B) (%)", digits=1),
            p_values("p", (pair.p_less_p for _, pair in rows), "P(A < B) (%)"),
            numbers("distance", (pair.ks for _, pair in rows), 3, "Kolmogorov–Smirnov"),
            p_values("p", (pair.ks_p for _, pair in rows), "Kolmogorov–Smirnov"),
            percents("FLOPs difference (%)", (pair.flops_difference for _, pair in rows)),
        ),
    )


def optima_table(study: StudyAnalysis) -> ReportTable:
    """Verdicts, and the reported optimum if there is one."""
    found = [(regime, name, optimum) for regime in study.regimes for name, optimum in regime.every_optimum]
    rows = [(regime, optimum) for regime, _, optimum in found]
    networks = (words("network", (name for _, name, _ in found)),) if any(name for _, name, _ in found) else ()
    level = share(rows[0][1].level)
    every = [v for _, o in rows for v in (o.ratio, o.low, o.high, o.ratio_min, o.ratio_max)]
    digits = ratio_digits(every)
    ratio = f"optimum ({level} CI)"
    return ReportTable(
        "optima",
        f"Is there an optimal ratio? Initial space “{shortened(study.spaces[0])}”, validation split, ratio in "
        f"{ratio_unit(study.bucket)}. An optimum is printed only if the verdict reports one. R² (adjusted) is the "
        "share of the variance between subnetworks of one original that is explained by the ratio (quadratic), and by "
        "all log widths. CI: confidence interval.",
        (
            _regimes(regime.regime for regime, _ in rows),
            *networks,
            words("response", (response_name(optimum.response) for _, optimum in rows)),
            counts("n", (optimum.n_subnetworks for _, optimum in rows)),
            numbers("min", (optimum.ratio_min for _, optimum in rows), digits, "ratios"),
            numbers("max", (optimum.ratio_max for _, optimum in rows), digits, "ratios"),
            words("verdict", (optimum.verdict for _, optimum in rows)),
            words("method", (optimum.believed or NONE for _, optimum in rows), ratio),
            numbers("ratio", (optimum.ratio for _, optimum in rows), digits, ratio),
            numbers("low", (optimum.low for _, optimum in rows), digits, ratio),
            numbers("high", (optimum.high for _, optimum in rows), digits, ratio),
            numbers("ratio", (optimum.r2 for _, optimum in rows), 2, "R²"),
            numbers("widths", (optimum.r2_widths for _, optimum in rows), 2, "R²"),
        ),
    )


def winners_table(study: StudyAnalysis) -> ReportTable:
    """Winners, selected by validation error, with their test error and its rank."""
    rows = [(r.regime, winner) for r in study.regimes for space in r.spaces for winner in space.winners]
    winners = [winner for _, winner in rows]
    ratios = [winner.ratio for winner in winners]
    return ReportTable(
        "winners",
        "Winners: the subnetwork with the lowest validation error, its test error, and its rank by test error among "
        "the n subnetworks of its space and original. Optimism estimates the selection bias: test minus validation "
        "error of the winner, minus the mean of that difference over the n.",
        (
            _regimes(regime for regime, _ in rows),
            words("space", (winner.space for winner in winners)),
            words("original", (study.names[winner.original] for winner in winners)),
            numbers("ratio", ratios, ratio_digits(ratios)),
            sizes("parameters", [winner.params for winner in winners]),
            percents("validation", (winner.val_error for winner in winners), "error (%)"),
            percents("test", (winner.test_error for winner in winners), "error (%)"),
            percents("optimism", (winner.optimism for winner in winners), "error (%)"),
            counts("rank", (winner.test_rank for winner in winners), "by test"),
            counts("of n", (winner.n_subnetworks for winner in winners), "by test"),
        ),
    )


def failures_table(study: StudyAnalysis) -> ReportTable:
    """Reasons of failed runs, with their numbers."""
    return ReportTable(
        "failures",
        "Reasons of failed runs.",
        (words("reason", (reason for reason, _ in study.failures)), counts("runs", (n for _, n in study.failures))),
    )


def _populations(study: StudyAnalysis) -> list[tuple[float, SpaceAnalysis]]:
    return [(regime.regime, space) for regime in study.regimes for space in regime.spaces]


def _pairs(study: StudyAnalysis) -> list[tuple[float, PairComparison]]:
    return [(r.regime, pair) for r in study.regimes if r.comparison for pair in r.comparison.pairs]


def _regimes(values: Iterable[float]) -> ReportColumn:
    return ReportColumn("regime", tuple(share(value) for value in values))


def _pair_columns(rows: list[tuple[float, PairComparison]]) -> tuple[ReportColumn, ...]:
    return (
        _regimes(regime for regime, _ in rows),
        words("A", (pair.a for _, pair in rows), "spaces"),
        words("B", (pair.b for _, pair in rows), "spaces"),
    )


def _interval_columns(
    rows: list[tuple[float, PairComparison]], interval: Callable[[PairComparison], object], group: str, digits: int = 2
) -> tuple[ReportColumn, ...]:
    found = [interval(pair) for _, pair in rows]
    return tuple(
        percents(head, (getattr(one, name) for one in found), group, digits)
        for head, name in (("estimate", "value"), ("low", "low"), ("high", "high"))
    )


def _quantile(rows: list[tuple[float, SpaceAnalysis]], q: float) -> list[float]:
    return [float(space.error.quantile(q)) for _, space in rows if space.error is not None]


def _ratio_columns(study: StudyAnalysis, rows: list[tuple[float, SpaceAnalysis]]) -> tuple[ReportColumn, ...]:
    known = [space.ratios for _, space in rows if space.ratios is not None]
    digits = ratio_digits(value for ratios in known for value in ratios)
    group = ratio_unit(study.bucket)
    return tuple(
        numbers(head, (ratios[position] for ratios in known), digits, group)
        for position, head in enumerate(("min", "median", "max"))
    )
