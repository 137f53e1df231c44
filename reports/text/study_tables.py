"""The tables of a report: which result is printed in which column."""

from __future__ import annotations

from collections.abc import Callable

from prunestats.comparison.comparison import PairComparison
from prunestats.metric import ERROR, Metric
from prunestats.reports.analysis.populations import QUANTILES, SpaceAnalysis
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.text.table import (
    ReportColumn,
    ReportTable,
    counts,
    metric_values,
    numbers,
    p_values,
    percents,
    regime_column,
    sizes,
    words,
)
from prunestats.wording import NONE, counted, ratio_digits, ratio_unit, share, shortened

_INTERVAL = (("estimate", "value"), ("low", "low"), ("high", "high"))


def distributions_table(study: StudyAnalysis) -> ReportTable:
    """Mean and quantiles of the test error of each population, and its ratios."""
    rows, metric = [(regime, space) for regime, space in study.populations if space.error is not None], study.metric
    group, value = f"test {metric.heading}", "error" if metric == ERROR else "value"
    return ReportTable(
        "distributions",
        f"Test {metric.label} over the n subnetworks with a finished run, of "
        f"{counted(len(study.originals), 'original')}{', and their ratios' * study.has_flops}. A quantile is the "
        f"lowest {value} that the stated share of subnetworks does not exceed.",
        (
            regime_column(regime for regime, _ in rows),
            words("space", (space.space for _, space in rows)),
            counts("n", (space.n_subnetworks for _, space in rows)),
            metric_values("mean", (space.mean_error for _, space in rows), metric, group),
            *(
                metric_values(f"{share(q)} quantile" if q != 0.5 else "median", _quantile(rows, q), metric, group)
                for q in QUANTILES
            ),
            *_ratio_columns(study, rows),
        ),
    )


def differences_table(study: StudyAnalysis) -> ReportTable:
    """Differences of mean and median between spaces."""
    rows, metric = _pairs(study), study.metric
    level, sign = share(rows[0][1].level), "Negative" if metric.sign > 0 else "Positive"
    unit = " in percentage points (pp)," if metric.is_fraction else ""
    in_unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    return ReportTable(
        "differences",
        f"Difference of test {metric.label} between two spaces, A minus B,{unit} with {level} confidence intervals. "
        f"{sign}: A has the {metric.better} {metric.label}. n is the number of subnetworks; originals are strata.",
        (
            *_pair_columns(rows),
            counts("A", (pair.n_a for _, pair in rows), "n"),
            counts("B", (pair.n_b for _, pair in rows), "n"),
            *_interval_columns(rows, lambda pair: pair.mean_difference, f"mean difference{in_unit}", metric),
            *_interval_columns(rows, lambda pair: pair.median_difference, f"median difference{in_unit}", metric),
        ),
    )


def superiority_table(study: StudyAnalysis) -> ReportTable:
    """Probability that one space has the better subnetwork of two, and the distance between the two distributions."""
    rows, metric = _pairs(study), study.metric
    level, which = share(rows[0][1].level), "P(A < B)" if metric.sign > 0 else "P(A > B)"
    return ReportTable(
        "superiority",
        f"{which}: probability that a subnetwork of A has a {metric.better} test {metric.label} than one of B, ties "
        f"counted half, with its {level} confidence interval and the p-value of the Brunner–Munzel test. "
        "Kolmogorov–Smirnov: largest distance between the two distribution functions. The last column is the "
        "relative difference of mean FLOPs, A against B. P-values are not adjusted for the number of comparisons.",
        (
            *_pair_columns(rows),
            *(
                percents(head, (getattr(pair.p_better, name) for _, pair in rows), f"{which} (%)", 1)
                for head, name in _INTERVAL
            ),
            p_values("p", (pair.p_less_p for _, pair in rows), f"{which} (%)"),
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
            regime_column(regime.regime for regime, _ in rows),
            *networks,
            words("response", (Metric(optimum.response).label for _, optimum in rows)),
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
    """Winners, selected by validation error or the study's metric, with that of the test split and its rank."""
    metric, label = study.metric, study.metric.label
    optimism = f"test minus validation {label}" if metric.sign > 0 else f"validation minus test {label}"
    rows = [(r.regime, winner) for r in study.regimes for space in r.spaces for winner in space.winners]
    winners = [winner for _, winner in rows]
    ratios = [winner.ratio for winner in winners]
    return ReportTable(
        "winners",
        f"Winners: the subnetwork with the {metric.best} validation {label}, its test {label}, and its rank by test "
        f"{label} among the n subnetworks of its space and original. Optimism estimates the selection bias: {optimism} "
        "of the winner, minus the mean of that difference over the n.",
        (
            regime_column(regime for regime, _ in rows),
            words("space", (winner.space for winner in winners)),
            words("original", (study.names[winner.original] for winner in winners)),
            numbers("ratio", ratios, ratio_digits(ratios)),
            sizes("parameters", [winner.params for winner in winners]),
            metric_values("validation", (winner.val_error for winner in winners), metric, metric.heading),
            metric_values("test", (winner.test_error for winner in winners), metric, metric.heading),
            metric_values("optimism", (winner.optimism for winner in winners), metric, metric.heading),
            counts("rank", (winner.test_rank for winner in winners), "by test"),
            counts("of n", (winner.n_subnetworks for winner in winners), "by test"),
        ),
    )


def _pairs(study: StudyAnalysis) -> list[tuple[float | None, PairComparison]]:
    return [(r.regime, pair) for r in study.regimes if r.comparison for pair in r.comparison.pairs]


def _pair_columns(rows: list[tuple[float | None, PairComparison]]) -> tuple[ReportColumn, ...]:
    return (
        regime_column(regime for regime, _ in rows),
        words("A", (pair.a for _, pair in rows), "spaces"),
        words("B", (pair.b for _, pair in rows), "spaces"),
    )


def _interval_columns(
    rows: list[tuple[float | None, PairComparison]],
    interval: Callable[[PairComparison], object],
    group: str,
    metric: Metric,
) -> tuple[ReportColumn, ...]:
    columns = [[getattr(interval(pair), name) for _, pair in rows] for _, name in _INTERVAL]
    digits = metric.digits(*(value for column in columns for value in column))
    return tuple(
        numbers(head, (metric.scale * value for value in values), digits, group)
        for (head, _), values in zip(_INTERVAL, columns, strict=True)
    )


def _quantile(rows: list[tuple[float | None, SpaceAnalysis]], q: float) -> list[float]:
    return [float(space.error.quantile(q)) for _, space in rows if space.error is not None]


def _ratio_columns(study: StudyAnalysis, rows: list[tuple[float | None, SpaceAnalysis]]) -> tuple[ReportColumn, ...]:
    known = [space.ratios for _, space in rows if space.ratios is not None]
    digits = ratio_digits(value for ratios in known for value in ratios)
    group = ratio_unit(study.bucket)
    # one population without FLOPs has no ratios, and then none has
    if not known:
        return ()
    return tuple(
        numbers(head, (ratios[position] for ratios in known), digits, group)
        for position, head in enumerate(("min", "median", "max"))
    )
