"""A comparison as a table: of its verdicts, for a terminal, or of its main columns, as Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prunestats.comparison.pair_result import PairComparison
from prunestats.metric import Metric
from prunestats.numeric.intervals import Interval
from prunestats.wording import decimals

_LATEX = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"})
_LATEX |= str.maketrans({"^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"})

Column = tuple[str, Callable[[PairComparison], str]]
"""Head of a column, and the function of its cells."""

_DECIMALS = 2
"""Least number of decimals of a difference: the hundredth of a percentage point, which is one image of 10,000."""


def verdict_table(pairs: Sequence[PairComparison]) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of mean difference, P(A < B) and verdict, one row per pair.

    Differences of fractions, such as the error, are in percentage points. The verdict is that of the Brunner-Munzel
    test, Holm-adjusted, at significance level 1 - level: the hypothesis that a comparison is to confirm.
    """
    metric = pairs[0].metric
    scale, unit = metric.scale, f" ({metric.difference_unit})" if metric.difference_unit and _has_unit(metric) else ""
    means = [pair.mean_difference for pair in pairs]
    bounds = [scale * value for one in means for value in (one.value, one.low, one.high)]
    digits = max(_DECIMALS, decimals(bounds))
    columns: list[Column] = [
        *_regime_column(pairs),
        ("A", lambda pair: pair.a),
        ("B", lambda pair: pair.b),
        (f"mean A - B{unit}", lambda pair: _rounded(pair.mean_difference, scale, digits)),
        (_probability(metric), lambda pair: _rounded(pair.p_better, 1, _DECIMALS)),
        ("verdict", verdict),
    ]
    return [name for name, _ in columns], [[cell(pair) for _, cell in columns] for pair in pairs]


def verdict(pair: PairComparison) -> str:
    """Return which population has the better response, in words, at significance level 1 - level."""
    if not pair.p_holm <= 1 - pair.level:
        return "not significantly different"
    return f"{'A' if pair.p_better.value > 1 / 2 else 'B'} {pair.metric.better}"


def _probability(metric: Metric) -> str:
    """Head of the column with the probability that A is better."""
    return "P(A < B)" if metric.sign > 0 else "P(A > B)"


def _has_unit(metric: Metric) -> bool:
    """Whether differences have a unit: those of log cross-entropies are logarithms of ratios."""
    return metric.name != "log_cross_entropy"


def _rounded(interval: Interval, scale: int, digits: int) -> str:
    value, low, high = (f"{scale * bound:.{digits}f}" for bound in (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]"


def markdown_table(pairs: Sequence[PairComparison]) -> str:
    """Return a Markdown table, one row per pair."""
    head, *rows = ([cell.replace("|", r"\|") for cell in row] for row in _rows(pairs))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def latex_table(pairs: Sequence[PairComparison]) -> str:
    """Return a LaTeX tabular (booktabs), one row per pair."""
    head, *rows = (" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in _rows(pairs))
    columns = "l" * (head.count(" & ") + 1)
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(body)


def _rows(pairs: Sequence[PairComparison]) -> Iterable[list[str]]:
    columns = _columns(pairs)
    yield [name for name, _ in columns]
    for pair in pairs:
        yield [cell(pair) for _, cell in columns]


def _columns(pairs: Sequence[PairComparison]) -> list[Column]:
    """Return the head of each column and the function of its cells; a regime column only where a pair has a regime."""
    level = f"{100 * pairs[0].level:g} % interval"
    columns: list[Column] = [
        ("A", lambda pair: pair.a),
        ("B", lambda pair: pair.b),
        ("n", lambda pair: f"{pair.n_a} + {pair.n_b}"),
        (f"mean A - B [{level}]", lambda pair: str(pair.mean_difference)),
        ("median A - B", lambda pair: str(pair.median_difference)),
        *((f"{100 * q:g} % quantile A - B", _quantile(q)) for q in pairs[0].quantile_differences),
        ("best of k A - B", lambda pair: f"{pair.best_difference} (k = {pair.k})"),
        (_probability(pairs[0].metric), lambda pair: str(pair.p_better)),
        ("p (Holm)", lambda pair: f"{pair.p_holm:.2g}"),
        ("dominates", lambda pair: {"a": pair.a, "b": pair.b}.get(pair.dominance, pair.dominance)),
        ("p at equal FLOPs", lambda pair: f"{pair.binned_p:.2g}"),
    ]
    return [*_regime_column(pairs), *columns]


def _regime_column(pairs: Sequence[PairComparison]) -> list[Column]:
    if all(pair.regime is None for pair in pairs):
        return []
    return [("regime", lambda pair: f"{pair.regime:g}" if isinstance(pair.regime, float) else "pooled")]


def _quantile(q: float) -> Callable[[PairComparison], str]:
    return lambda pair: str(pair.quantile_differences[q])
