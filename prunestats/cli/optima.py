"""Commands about the optimal ratio and the winner's curse: optimum, buckets and winners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.analysis import (
    Bucket,
    Level,
    LoadedRuns,
    Plot,
    PooledSpaces,
    Regimes,
    Seed,
    Spaces,
    Split,
    finite_or_none,
    interval_columns,
    load_runs,
    print_frame,
    print_note,
    record_analysis,
    save_plot,
)
from prunestats.cli.headings import original_notes, print_heading, print_sentence, study_words
from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.cli.response import RecordedResponse, Response
from prunestats.cli.run_choice import OneDataset, OneProtocol, Originals, RunChoice
from prunestats.cli.second_seed import second_seed_notes
from prunestats.cli.terminal import print_rows, print_table
from prunestats.metric import metric_of
from prunestats.wording import fixed, p_value, share

if TYPE_CHECKING:
    from prunestats.bucket_size.scores import BucketComparison


@app.command()
def optimum(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: PooledSpaces = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    split: Split = "validation",
    response: RecordedResponse = None,
    bucket: Bucket = 1,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    plot: Plot = None,
) -> None:
    """Estimate the optimal ratio of FLOPs to parameters in every regime: a verdict, with its reasons."""
    import numpy as np

    from prunestats.conjectures.across_regimes import regime_trend
    from prunestats.conjectures.regime_optima import optima_of_regimes
    from prunestats.reports.figures.single import plot_optimum

    chosen = {"response": response, "bucket": bucket, "level": level, "seed": seed}
    loaded = load_runs(db, study, regime, space, split, chosen, RunChoice(dataset, original, protocol), first=not space)
    found = {
        regime: optimum
        for regime, optimum in optima_of_regimes(
            loaded.frame, bucket=bucket, response=loaded.response, level=level, rng=np.random.default_rng(seed)
        ).items()
        if regime is not None
    }
    columns = ("verdict", "ratio", "low", "high", "n_subnetworks", "ratio_min", "ratio_max", "r2", "r2_widths")
    rows = [(fraction, *(finite_or_none(getattr(one, name)) for name in columns)) for fraction, one in found.items()]
    what = f"verdict on an optimal ratio for {metric_of(loaded.frame, loaded.response).label}"
    content = f"{what}{_in_spaces(loaded)}, and the optimum with its {share(level)} confidence set"
    print_heading(loaded, "are fixed effects", content, form)
    print_rows(("regime", *columns), rows, form)
    for fraction, one in found.items():
        for reason in one.reasons:
            print_note(f"{fraction:g}: {reason}", form)
    trend = regime_trend(found, level=level)
    if trend.halving is not None:
        print_note(
            f"Halving the FLOPs multiplies the optimum by {trend.halving} (test of no trend: p = {trend.slope_p:.2g}; "
            f"of equal optima in all {trend.n_estimates} regimes: p = {trend.equality_p:.2g}).",
            form,
        )
    record_analysis(loaded, "optimum", [{"regime": fraction, **one.to_dict()} for fraction, one in found.items()])
    save_plot(plot, lambda: plot_optimum(found, loaded.frame))


@app.command()
def buckets(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: PooledSpaces = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    split: Split = "validation",
    response: RecordedResponse = None,
    size: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Bucket size in parameters; may be repeated. Default: 1, 1024, 4096, 16384."),
    ] = None,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
) -> None:
    """Compare bucket sizes by how well the ratio predicts the metric (cross-validation)."""
    import numpy as np
    import pandas as pd

    from prunestats.bucket_size.comparison import SIZES, compare_buckets

    sizes = tuple(size or SIZES)
    chosen = {"response": response, "sizes": sizes, "level": level, "seed": seed}
    loaded = load_runs(db, study, regime, space, split, chosen, RunChoice(dataset, original, protocol), first=not space)
    found = {
        fraction: compare_buckets(
            runs, sizes=sizes, response=loaded.response, level=level, rng=np.random.default_rng(seed)
        )
        for fraction, runs in loaded.regimes()
    }
    tables = [one.frame.assign(regime=fraction) for fraction, one in found.items()]
    table = pd.concat(tables, ignore_index=True)
    name = metric_of(loaded.frame, loaded.response).label
    what = f"share of the variance of {name} that each predictor explains in cross-validation (r2)"
    gain = f"its gain over the parameter count with its {share(level)} confidence interval"
    print_heading(loaded, "are fixed effects", f"{what}{_in_spaces(loaded)}, and {gain}", form)
    if form == "table":
        print_table(*_gains(found, level), wrapped=("predictor",))
        print_note(f"All {len(table.columns)} columns: -f csv or -f json.", form)
    else:
        print_frame(table[["regime", *table.columns.drop("regime")]], form)
    for fraction, one in found.items():
        for reason in one.reasons:
            print_note(f"{fraction:g}: {reason}", form)
    record_analysis(loaded, "buckets", [{"regime": fraction, **one.to_dict()} for fraction, one in found.items()])


@app.command()
def winners(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    response: Response = "error",
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
) -> None:
    """Print the subnetworks selected by validation, test metric corrected for the winner's curse."""
    import numpy as np

    from prunestats.noise.choice import LEAST, counted_notes
    from prunestats.noise.winners_curse import winner_error

    options, choice = {"response": response, "level": level, "seed": seed}, RunChoice(dataset, original, protocol)
    loaded = load_runs(db, study, regime, space, "validation", options, choice, one=["protocol"])
    response = loaded.response
    tested = load_runs(db, study, regime, space, "test", {"response": response}, choice, one=["protocol"])
    group = ["regime", "space", "original"]
    tests = dict(list(tested.frame.groupby(group, sort=False)))
    found = {
        where: winner_error(runs, test=tests[where], response=response, level=level, rng=np.random.default_rng(seed))
        for where, runs in loaded.frame.groupby(group, sort=False)
    }
    columns = ("subnetwork", "n_subnetworks", "n_runs", "seen", "test")
    rows = [
        (*where, *(finite_or_none(getattr(one, name)) for name in columns), *interval_columns(one.estimate))
        for where, one in found.items()
    ]
    # with fewer subnetworks a second seed does not fill the columns either, as a note says
    correctable = any(one.n_subnetworks >= LEAST for one in found.values())
    metric = metric_of(loaded.frame, response)
    print_sentence(
        f"{study_words(loaded, 'have a row each')}: subnetwork of {metric.extreme} mean {metric.label} on the "
        "validation split (for selection), with that mean (seen), its mean on the test split (for reporting; it "
        "selects nothing), and the mean expected of new training seeds, which is corrected for the winner's curse, "
        f"with its {share(level)} confidence interval.",
        form,
    )
    print_rows((*group, *columns, "expected", "low", "high"), rows, form)
    for sentence in (
        *original_notes(loaded),
        *counted_notes([one.notes for one in found.values()]),
        *(second_seed_notes(loaded, ("expected", "low", "high")) if correctable else ()),
    ):
        print_note(sentence, form)
    record_analysis(
        loaded, "winners", [dict(zip(group, where, strict=True)) | one.to_dict() for where, one in found.items()]
    )


def _gains(found: Mapping[float, BucketComparison], level: float) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return what answers which predictor is best, in columns that fit a terminal."""
    columns = ("regime", "predictor", "r2", f"gain [{share(level)} CI]", "p", "correlation with parameters")
    rows: list[tuple[Any, ...]] = [
        (
            *(f"{regime:g}", score.predictor, fixed(score.r2, 3)),
            f"{fixed(score.gain.value, 3)} [{fixed(score.gain.low, 3)}, {fixed(score.gain.high, 3)}]",
            *(p_value(score.p, ""), fixed(score.correlation, 3)),
        )
        for regime, one in found.items()
        for score in one.scores
    ]
    return columns, rows


def _in_spaces(loaded: LoadedRuns) -> str:
    names = list(dict.fromkeys(loaded.frame["space"]))
    return f" in space {names[0]}" if len(names) == 1 else f" in spaces {', '.join(names)} pooled"
