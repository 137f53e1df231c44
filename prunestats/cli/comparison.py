"""The command `compare`: pairwise comparison of the spaces of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prunestats.cli.analysis import (
    Level,
    LoadedRuns,
    Plot,
    Regimes,
    Seed,
    Spaces,
    Split,
    finite_or_none,
    load_runs,
    print_frame,
    print_note,
    record_analysis,
    save_plot,
)
from prunestats.cli.headings import print_heading
from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.cli.response import Response
from prunestats.cli.run_choice import OneDataset, OneProtocol, Originals, RunChoice
from prunestats.cli.terminal import print_table
from prunestats.metric import metric_of
from prunestats.wording import share

if TYPE_CHECKING:
    from prunestats.comparison.comparison import Comparison


@app.command()
def compare(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    split: Split = "test",
    response: Response = "error",
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    every: Annotated[
        bool,
        typer.Option("--all", help="Print all statistics, one row each. Default: those of the verdict."),
    ] = False,
    paste: Annotated[
        Literal["markdown", "latex"] | None,
        typer.Option(help="Print the main columns as a Markdown or LaTeX table, and nothing else."),
    ] = None,
    plot: Plot = None,
) -> None:
    """Compare spaces pairwise, in every regime and pooled: means, quantiles, best of k, distributions."""
    import numpy as np

    from prunestats.comparison.comparison import compare as comparison
    from prunestats.reports.figures.single import plot_comparison

    options = {"response": response, "level": level, "seed": seed}
    loaded = load_runs(db, study, regime, space, split, options, RunChoice(dataset, original, protocol))
    found = comparison(loaded.frame, response=loaded.response, level=level, rng=np.random.default_rng(seed))
    if paste is not None:
        print(found.to_markdown() if paste == "markdown" else found.to_latex())
    elif form != "table":
        print_frame(found.frame, form)
    else:
        (_print_all if every else _print_verdicts)(loaded, found)
        for sentence in dict.fromkeys(sentence for pair in found.pairs for sentence in pair.notes):
            print_note(sentence, form)
    record_analysis(loaded, "compare", found.to_dict()["pairs"])
    save_plot(plot, lambda: plot_comparison(found))


def _print_verdicts(loaded: LoadedRuns, found: Comparison) -> None:
    """Print difference of means, P(A < B) and verdict of every pair: what fits a terminal."""
    from prunestats.comparison.tables import verdict_table

    pairs, metric = (*found.pairs, *found.pooled), metric_of(loaded.frame, loaded.response)
    unit = " in percentage points" if metric.is_fraction else ""
    probability = f"the probability that A has the {metric.better} {metric.label}"
    what = f"difference of mean {metric.label} between spaces A and B{unit}, and {probability}"
    print_heading(loaded, "are strata", f"{what}, with {share(pairs[0].level)} confidence intervals", "table")
    print_table(*verdict_table(pairs), wrapped=("verdict",))
    side = "<" if metric.sign > 0 else ">"
    print_note(
        f"The verdict is that of the Brunner-Munzel test of P(A {side} B) = 1/2 at significance level "
        f"{share(1 - pairs[0].level)}, Holm-adjusted over the pairs of all regimes, and separately over pooled pairs.",
        "table",
    )
    print_note(f"All {len(found.frame.columns)} statistics of each pair: --all, or -f csv.", "table")


def _print_all(loaded: LoadedRuns, found: Comparison) -> None:
    """Print every statistic in a row and every pair in a column: there are more statistics than a line can hold."""
    name = metric_of(loaded.frame, loaded.response).label
    what = f"all statistics of {name} for each pair of spaces a and b, one column per pair; differences are a - b"
    print_heading(loaded, "are strata", f"{what}, with {share(found.pairs[0].level)} confidence intervals", "table")
    frame = found.frame
    rows = [(column, *map(finite_or_none, frame[column])) for column in frame.columns]
    print_table(("statistic", *(f"pair {number}" for number in range(1, len(frame) + 1))), rows)
