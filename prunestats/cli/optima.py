"""Commands about the optimal ratio and the winner's curse: optimum, buckets and winners."""

from __future__ import annotations

from typing import Annotated

import typer

from prunestats.cli.analysis import (
    Bucket,
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
    known,
    note,
    print_frame,
)
from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.cli.terminal import print_rows


@app.command()
def optimum(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    split: Split = "validation",
    response: Response = "log_cross_entropy",
    bucket: Bucket = 1,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    plot: Plot = None,
) -> None:
    """Estimate the optimal ratio of FLOPs to parameter buckets in every regime, with a verdict and its reasons.

    Without --space it analyses the study's first space, as a report does.
    """
    import numpy as np

    from prunestats.conjectures.across_regimes import regime_trend
    from prunestats.optimum.optimum import find_optimum
    from prunestats.reports.figures.single import plot_optimum

    chosen = {"response": response, "bucket": bucket, "level": level, "seed": seed}
    asked = ask(db, study, regime, space, split, chosen, first=not space)
    found = {
        fraction: find_optimum(runs, bucket=bucket, response=response, level=level, rng=np.random.default_rng(seed))
        for fraction, runs in asked.regimes()
    }
    columns = ("verdict", "ratio", "low", "high", "n_subnetworks", "ratio_min", "ratio_max", "r2", "r2_widths")
    rows = [(fraction, *(known(getattr(one, name)) for name in columns)) for fraction, one in found.items()]
    print_rows(("regime", *columns), rows, form)
    for fraction, one in found.items():
        for reason in one.reasons:
            note(f"{fraction:g}: {reason}", form)
    trend = regime_trend(found, level=level)
    if trend.halving is not None:
        note(
            f"Halving the FLOPs multiplies the optimum by {trend.halving} (test of no trend: p = {trend.slope_p:.2g}; "
            f"of equal optima in all {trend.n_estimates} regimes: p = {trend.equality_p:.2g}).",
            form,
        )
    finish(asked, "optimum", [{"regime": fraction, **one.to_dict()} for fraction, one in found.items()])
    draw(plot, lambda: plot_optimum(found, asked.frame))


@app.command()
def buckets(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    split: Split = "validation",
    response: Response = "log_cross_entropy",
    size: Annotated[list[int] | None, typer.Option(min=1, help="Parameters per bucket; may be repeated.")] = None,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
) -> None:
    """Compare bucket sizes, parameters, FLOPs and all widths by cross-validated prediction error.

    Without --space it analyses the study's first space.
    """
    import numpy as np
    import pandas as pd

    from prunestats.bucket_size.comparison import SIZES, compare_buckets

    sizes = tuple(size or SIZES)
    chosen = {"response": response, "sizes": sizes, "level": level, "seed": seed}
    asked = ask(db, study, regime, space, split, chosen, first=not space)
    found = {
        fraction: compare_buckets(runs, sizes=sizes, response=response, level=level, rng=np.random.default_rng(seed))
        for fraction, runs in asked.regimes()
    }
    tables = [one.frame.assign(regime=fraction) for fraction, one in found.items()]
    table = pd.concat(tables, ignore_index=True)
    print_frame(table[["regime", *table.columns.drop("regime")]], form)
    for fraction, one in found.items():
        for reason in one.reasons:
            note(f"{fraction:g}: {reason}", form)
    finish(asked, "buckets", [{"regime": fraction, **one.to_dict()} for fraction, one in found.items()])


@app.command()
def winners(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    response: Response = "error",
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
) -> None:
    """Show the winner by validation in every population, with its test error corrected for the winner's curse."""
    import numpy as np

    from prunestats.noise.winners_curse import winner_error

    asked = ask(db, study, regime, space, "validation", {"response": response, "level": level, "seed": seed})
    tested = ask(db, study, regime, space, "test", {})
    group = ["regime", "space", "original"]
    tests = dict(list(tested.frame.groupby(group, sort=False)))
    found = {
        where: winner_error(runs, test=tests[where], response=response, level=level, rng=np.random.default_rng(seed))
        for where, runs in asked.frame.groupby(group, sort=False)
    }
    columns = ("subnetwork", "n_subnetworks", "n_runs", "seen", "test")
    rows = [
        (*where, *(known(getattr(one, name)) for name in columns), *ends(one.estimate)) for where, one in found.items()
    ]
    print_rows((*group, *columns, "expected", "low", "high"), rows, form)
    for sentence in dict.fromkeys(sentence for one in found.values() for sentence in one.notes):
        note(sentence, form)
    finish(asked, "winners", [dict(zip(group, where, strict=True)) | one.to_dict() for where, one in found.items()])
