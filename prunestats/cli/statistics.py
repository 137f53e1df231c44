"""Commands on distributions and noise: edf, best-of and noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.analysis import (
    Level,
    Plot,
    Regimes,
    Seed,
    Spaces,
    Split,
    finite_or_none,
    interval_columns,
    load_runs,
    population_result,
    print_note,
    record_analysis,
    save_plot,
)
from prunestats.cli.headings import mixture_notes, print_heading
from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.cli.response import Response
from prunestats.cli.run_choice import OneDataset, OneProtocol, Originals, RunChoice
from prunestats.cli.second_seed import second_seed_notes
from prunestats.cli.terminal import print_rows
from prunestats.metric import metric_of
from prunestats.wording import share

if TYPE_CHECKING:
    from prunestats.distribution.best_of_k import BestOf
    from prunestats.noise.components import VarianceComponents
    from prunestats.numeric.intervals import Interval

# Steps of about a factor of 2, so that a row is a doubling of the search.
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@app.command()
def edf(
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
    form: Form = "table",
    plot: Plot = None,
) -> None:
    """Print quantiles of the metric's empirical distribution in every population."""
    from prunestats.distribution.empirical import edf as distribution
    from prunestats.reports.figures.single import plot_edf

    options = {"response": response, "level": level}
    loaded = load_runs(db, study, regime, space, split, options, RunChoice(dataset, original, protocol))
    metric = metric_of(loaded.frame, loaded.response)
    found = {key[:2]: distribution(key[2], level=level) for key in loaded.populations(metric.name)}
    shares = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    columns = ("regime", "space", "subnetworks", "least", "q10", "q25", "median", "q75", "q90", "largest")
    medians = {where: one.quantile_interval(0.5) for where, one in found.items()}
    rows = [
        (*where, one.n, float(one.x[0]), *one.quantile(shares).tolist(), *interval_columns(medians[where])[1:])
        for where, one in found.items()
    ]
    what = f"quantiles of {metric.label} over the subnetworks of each population"
    content = f"{what}, and the {share(level)} confidence interval of the median"
    print_heading(loaded, "form one sample", content, form)
    print_rows((*columns, "median_low", "median_high"), rows, form)
    for sentence in mixture_notes(loaded):
        print_note(sentence, form)
    record_analysis(loaded, "edf", [population_result(where, one) for where, one in found.items()])
    save_plot(plot, lambda: plot_edf(found, metric))


@app.command("best-of")
def best_of(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    split: Split = "test",
    response: Response = "error",
    k: Annotated[
        list[int] | None,
        typer.Option(
            "-k",
            min=1,
            help="Number k of subnetworks of which the best is taken; may be repeated. Default: 1, 2, 5, 10, ...",
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(help="Print instead how many subnetworks it takes to reach this value of the metric."),
    ] = None,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    plot: Plot = None,
) -> None:
    """Estimate the expected best of k subnetworks of every population, or the k that reaches a target."""
    import numpy as np

    from prunestats.distribution.best_of_k import best_of as best
    from prunestats.distribution.samples_needed import samples_to_reach
    from prunestats.reports.figures.single import plot_best_of

    options = {"response": response, "k": k, "target": target, "level": level, "seed": seed}
    loaded = load_runs(db, study, regime, space, split, options, RunChoice(dataset, original, protocol))
    metric = metric_of(loaded.frame, loaded.response)
    samples = {(fraction, name): values.to_numpy() for fraction, name, values in loaded.populations(metric.name)}
    curves = {
        where: best(values, level=level, rng=np.random.default_rng(seed), direction=metric.direction)
        for where, values in samples.items()
    }
    if target is None:
        smallest = min(len(values) for values in samples.values())
        sizes = k or [size for size in _SIZES if size <= smallest]
        rows = [
            (*where, *(finite_or_none(value) for value in row))
            for where, values in samples.items()
            for row in _best_of_rows(
                best(values, k=sizes, level=level, rng=np.random.default_rng(seed), direction=metric.direction)
            )
        ]
        what = f"expected {metric.extreme} {metric.label} among k subnetworks of each population"
        print_heading(loaded, "form one sample", f"{what}, with its {share(level)} confidence interval", form)
        print_rows(("regime", "space", "k", "expected", "low", "high"), rows, form)
    else:
        reached = {
            where: samples_to_reach(values, target, level=level, direction=metric.direction)
            for where, values in samples.items()
        }
        columns = ("target", "draws_expected", "low", "high", "best_of_k", "k_low", "k_high")
        rows = [
            (*where, target, *interval_columns(one.expected), *interval_columns(one.best_of))
            for where, one in reached.items()
        ]
        what = f"subnetworks with {metric.label} of at {'most' if metric.sign > 0 else 'least'} {target:g}"
        numbers = "expected number of samples to the first one, and least k whose expected best is one"
        content = f"{what}: {numbers}, with {share(level)} confidence intervals"
        print_heading(loaded, "form one sample", content, form)
        print_rows(("regime", "space", *columns), rows, form)
    for sentence in mixture_notes(loaded):
        print_note(sentence, form)
    record_analysis(loaded, "best-of", [population_result(where, one) for where, one in curves.items()])
    save_plot(plot, lambda: plot_best_of(curves, metric))


@app.command()
def noise(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    split: Split = "test",
    response: Response = "error",
    half_width: Annotated[
        float | None,
        typer.Option(
            help="Also plan how many subnetworks and seeds estimate a mean to within this, in the unit of the metric."
        ),
    ] = None,
    level: Level = 0.95,
    form: Form = "table",
) -> None:
    """Estimate variance components of originals, subnetworks and seeds; plan sample sizes."""
    from prunestats.noise.components import variance_components

    options = {"response": response, "level": level}
    loaded = load_runs(db, study, regime, space, split, options, RunChoice(dataset, original, protocol))
    metric = metric_of(loaded.frame, loaded.response)
    found = {
        (fraction, str(name)): variance_components(runs, metric.name, level=level)
        for fraction, inside in loaded.regimes()
        for name, runs in inside.groupby("space", sort=False)
    }
    columns = ("subnetworks", "runs", "sd_originals", "sd_subnetworks", "sd_seeds", "icc", "icc_low", "icc_high")
    rows = [(*where, *_component_columns(one)) for where, one in found.items()]
    what = f"standard deviations of {metric.label} between originals, subnetworks and training seeds"
    share_of = f"intraclass correlation of a subnetwork's seeds (icc) with its {share(level)} confidence interval"
    print_heading(loaded, "are a random factor", f"{what}, and the {share_of}", form)
    print_rows(("regime", "space", *columns), rows, form)
    populations: dict[str, list[str]] = {}
    for (fraction, name), one in found.items():
        for sentence in _noise_sentences(one, half_width):
            populations.setdefault(sentence, []).append(f"{fraction:g} {name}")
    for sentence, names in populations.items():
        print_note(sentence if len(names) == len(found) else f"{', '.join(names)}: {sentence}", form)
    for sentence in second_seed_notes(loaded, ("sd_subnetworks", "sd_seeds", "icc")):
        print_note(sentence, form)
    record_analysis(loaded, "noise", [population_result(where, one) for where, one in found.items()])


def _best_of_rows(one: BestOf) -> Iterator[tuple[Any, ...]]:
    return zip(one.k.tolist(), one.value.tolist(), one.low.tolist(), one.high.tolist(), strict=True)


def _component_columns(one: VarianceComponents) -> tuple[Any, ...]:
    deviations = map(_standard_deviation, (one.original, one.subnetwork, one.seed))
    return (one.n_subnetworks, one.n_runs, *deviations, *interval_columns(one.icc))


def _standard_deviation(variance: Interval | None) -> float | None:
    return None if variance is None else variance.value**0.5


def _noise_sentences(one: VarianceComponents, half_width: float | None) -> Iterator[str]:
    """Yield what could not be estimated, and the sample sizes for a half-width where one is given."""
    from prunestats.noise.precision_plan import plan_precision

    yield from one.notes
    if half_width is not None:
        plan = plan_precision(one, half_width=half_width)
        subnetworks = f"{plan.subnetworks:,} subnetwork{'s' * (plan.subnetworks > 1)}"
        seeds = f"{plan.seeds} seed{'s' * (plan.seeds > 1)}"
        interval = f"confidence interval of ± {half_width:g} for a mean ({100 * one.level:g} %)"
        yield f"A {interval} takes {subnetworks} with {seeds} each."
