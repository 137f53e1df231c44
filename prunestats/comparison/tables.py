"""A comparison as a Markdown or LaTeX table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prunestats.comparison.pair import PairComparison

_LATEX = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"})
_LATEX |= str.maketrans({"^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"})


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


def _columns(pairs: Sequence[PairComparison]) -> list[tuple[str, Callable[[PairComparison], str]]]:
    """Return the head of each column and the function of its cells; a regime column only where a pair has a regime."""
    level = f"{100 * pairs[0].level:g} % interval"
    columns: list[tuple[str, Callable[[PairComparison], str]]] = [
        ("A", lambda pair: pair.a),
        ("B", lambda pair: pair.b),
        ("n", lambda pair: f"{pair.n_a} + {pair.n_b}"),
        (f"mean A - B [{level}]", lambda pair: str(pair.mean_difference)),
        ("median A - B", lambda pair: str(pair.median_difference)),
        *((f"{100 * q:g} % quantile A - B", _quantile(q)) for q in pairs[0].quantile_differences),
        ("best of k A - B", lambda pair: f"{pair.best_difference} (k = {pair.k})"),
        ("P(A < B)", lambda pair: str(pair.p_less)),
        ("p (Holm)", lambda pair: f"{pair.p_holm:.2g}"),
        ("dominates", lambda pair: {"a": pair.a, "b": pair.b}.get(pair.dominance, pair.dominance)),
        ("p at equal FLOPs", lambda pair: f"{pair.binned_p:.2g}"),
    ]
    if any(pair.regime is not None for pair in pairs):
        columns.insert(0, ("regime", lambda pair: f"{pair.regime:g}" if isinstance(pair.regime, float) else "pooled"))
    return columns


def _quantile(q: float) -> Callable[[PairComparison], str]:
    return lambda pair: str(pair.quantile_differences[q])
