"""Commands of one analysis each: edf, compare, best-of and noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from prunestats.cli.analysis import (
    Level,
    Plot,
    Regimes,
    Response,
    Seed,
    Spaces,
    Split,
    ask,
    draw,
    ends,
    finish,
    keyed,
    known,
    note,
    print_frame,
)
from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.cli.terminal import print_rows

if TYPE_CHECKING:
    from prunestats.distribution.best_of_k import BestOf
    from prunestats.numeric.intervals import Interval

_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@app.command()
def edf(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    split: Split = "test",
    response: Response = "error",
    level: Level = 0.95,
    form: Form = "table",
    plot: Plot = None,
) -> None:
    """Show the error distribution of every space in every regime."""
    from prunestats.distribution.empirical import edf as distribution
    from prunestats.reports.figures.single import plot_edf

    asked = ask(db, study, regime, space, split, {"response": response, "level": level})
    found = {key[:2]: distribution(key[2], level=level) for key in asked.populations(response)}
    shares = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    columns = ("regime", "space", "subnetworks", "least", "q10", "q25", "median", "q75", "q90", "largest")
    medians = {where: one.quantile_interval(0.5) for where, one in found.items()}
    rows = [
        (*where, one.n, float(one.x[0]), *one.quantile(shares).tolist(), *ends(medians[where])[1:])
        for where, one in found.items()
    ]
    print_rows((*columns, "median_low", "median_high"), rows, form)
    finish(asked, "edf", [keyed(where, one) for where, one in found.items()])
    draw(plot, lambda: plot_edf(found, response))


@app.command()
def compare(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    split: Split = "test",
    response: Response = "error",
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    paste: Annotated[
        Literal["markdown", "latex"] | None, typer.Option(help="Print the main columns as a table to paste.")
    ] = None,
    plot: Plot = None,
) -> None:
    """Compare every pair of spaces in every regime and over all: means, quantiles, best of k, distributions."""
    import numpy as np

    from prunestats.comparison.comparison import compare as comparison
    from prunestats.reports.figures.single import plot_comparison

    asked = ask(db, study, regime, space, split, {"response": response, "level": level, "seed": seed})
    found = comparison(asked.frame, response=response, level=level, rng=np.random.default_rng(seed))
    if paste is not None:
        print(found.to_markdown() if paste == "markdown" else found.to_latex())
        return
    print_frame(found.frame, form)
    for sentence in dict.fromkeys(sentence for pair in found.pairs for sentence in pair.notes):
        note(sentence, form)
    finish(asked, "compare", found.to_dict()["pairs"])
    draw(plot, lambda: plot_comparison(found))


@app.command("best-of")
def best_of(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    split: Split = "test",
    response: Response = "error",
    k: Annotated[list[int] | None, typer.Option("-k", min=1, help="Subnetworks to choose from; repeat it.")] = None,
    target: Annotated[float | None, typer.Option(help="Tell how many subnetworks it takes to reach this.")] = None,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    plot: Plot = None,
) -> None:
    """Show the expected best of k subnetworks of every space, or with --target how many it takes to get there."""
    import numpy as np

    from prunestats.distribution.best_of_k import best_of as best
    from prunestats.distribution.samples_needed import samples_to_reach
    from prunestats.reports.figures.single import plot_best_of

    chosen = {"response": response, "k": k, "target": target, "level": level, "seed": seed}
    asked = ask(db, study, regime, space, split, chosen)
    drawn = {(fraction, name): values.to_numpy() for fraction, name, values in asked.populations(response)}
    curves = {where: best(values, level=level, rng=np.random.default_rng(seed)) for where, values in drawn.items()}
    if target is None:
        most = min(len(values) for values in drawn.values())
        sizes = k or [size for size in _SIZES if size <= most]
        rows = [
            (*where, *(known(value) for value in row))
            for where, values in drawn.items()
            for row in _best_rows(best(values, k=sizes, level=level, rng=np.random.default_rng(seed)))
        ]
        print_rows(("regime", "space", "k", "expected", "low", "high"), rows, form)
    else:
        reached = {where: samples_to_reach(values, target, level=level) for where, values in drawn.items()}
        columns = ("target", "draws_expected", "low", "high", "best_of_k", "k_low", "k_high")
        rows = [(*where, target, *ends(one.expected), *ends(one.best_of)) for where, one in reached.items()]
        print_rows(("regime", "space", *columns), rows, form)
    finish(asked, "best-of", [keyed(where, one) for where, one in curves.items()])
    draw(plot, lambda: plot_best_of(curves, response))


@app.command()
def noise(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    split: Split = "test",
    response: Response = "error",
    half_width: Annotated[
        float | None, typer.Option(help="Tell how many subnetworks and seeds give a mean this well.")
    ] = None,
    level: Level = 0.95,
    form: Form = "table",
) -> None:
    """Split the variance between originals, subnetworks and seeds, and plan what a precision takes."""
    from prunestats.noise.components import variance_components
    from prunestats.noise.precision_plan import plan_precision

    asked = ask(db, study, regime, space, split, {"response": response, "level": level})
    found = {
        (fraction, str(name)): variance_components(runs, response, level=level)
        for fraction, inside in asked.regimes()
        for name, runs in inside.groupby("space", sort=False)
    }
    columns = ("subnetworks", "runs", "sd_originals", "sd_subnetworks", "sd_seeds", "icc", "icc_low", "icc_high")
    rows = [
        (*where, one.n_subnetworks, one.n_runs, *map(_root, (one.original, one.subnetwork, one.seed)), *ends(one.icc))
        for where, one in found.items()
    ]
    print_rows(("regime", "space", *columns), rows, form)
    said: dict[str, list[str]] = {}
    for (fraction, name), one in found.items():
        for sentence in one.notes:
            said.setdefault(sentence, []).append(f"{fraction:g} {name}")
        if half_width is not None:
            plan = plan_precision(one, half_width=half_width)
            seeds = f"{plan.seeds} seed{'s' * (plan.seeds > 1)}"
            sentence = f"A mean within ± {half_width:g} takes {plan.subnetworks:,} subnetworks with {seeds} each."
            said.setdefault(sentence, []).append(f"{fraction:g} {name}")
    for sentence, places in said.items():
        note(sentence if len(places) == len(found) else f"{', '.join(places)}: {sentence}", form)
    finish(asked, "noise", [keyed(where, one) for where, one in found.items()])


def _root(interval: Interval | None) -> float | None:
    """A standard deviation, from a variance."""
    return None if interval is None else interval.value**0.5


def _best_rows(one: BestOf) -> Iterator[tuple[Any, ...]]:
    return zip(one.k.tolist(), one.value.tolist(), one.low.tolist(), one.high.tolist(), strict=True)
