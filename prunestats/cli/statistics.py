"""Commands of one analysis each: edf, compare, optimum, best-of and noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.errors import DatabaseError, InputError
from prunestats.terminal import complain, print_rows, say

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from prunestats.best import BestOf
    from prunestats.intervals import Interval

Regimes = Annotated[list[float] | None, typer.Option("--regime", help="FLOPs fraction; may be repeated.")]
Spaces = Annotated[list[str] | None, typer.Option("--space", help="Space; may be repeated.")]
Split = Annotated[Literal["validation", "test"], typer.Option(help="Whose errors: what chooses, or what is reported.")]
Response = Annotated[Literal["error", "log_loss"], typer.Option(help="What should be small.")]
Level = Annotated[float, typer.Option(help="Confidence level.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of whatever is random in the analysis.")]
Plot = Annotated[Path | None, typer.Option(help="Draw it, too: a file that ends in .png, .svg or .pdf.")]
Bucket = Annotated[int, typer.Option(min=1, help="Parameters a bucket.")]

_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class _Asked:
    """What an analysis looks at: the runs, and how they were chosen."""

    db: str
    frame: pd.DataFrame
    parameters: dict[str, Any]

    def populations(self, response: str) -> Iterator[tuple[float | None, str, pd.Series[float]]]:
        """Regime, space and one value a subnetwork, largest regime first, spaces in the order of the study."""
        from prunestats.results import subnetwork_means

        means = subnetwork_means(self.frame, response)
        order = list(dict.fromkeys(self.frame["space"]))
        for regime in sorted(means["regime"].unique(), reverse=True):
            for space in order:
                values = means[(means["regime"] == regime) & (means["space"] == space)][response]
                if len(values):
                    yield float(regime), space, values

    def regimes(self) -> Iterator[tuple[float, pd.DataFrame]]:
        """The runs of each regime, the largest first."""
        for regime in sorted(self.frame["regime"].unique(), reverse=True):
            yield float(regime), self.frame[self.frame["regime"] == regime]


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
    from prunestats.distribution import edf as distribution
    from prunestats.reports.plots import plot_edf

    asked = _ask(db, study, regime, space, split, {"response": response, "level": level})
    found = {key[:2]: distribution(key[2], level=level) for key in asked.populations(response)}
    shares = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    columns = ("regime", "space", "subnetworks", "least", "q10", "q25", "median", "q75", "q90", "largest")
    rows = [(*where, one.n, float(one.x[0]), *one.quantile(shares[1:]).tolist()) for where, one in found.items()]
    print_rows(columns, rows, form)
    _finish(asked, "edf", [_keyed(where, one) for where, one in found.items()])
    _draw(plot, lambda: plot_edf(found, response))


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
    plot: Plot = None,
) -> None:
    """Compare every pair of spaces in every regime: means, medians, P(A < B) and whole distributions."""
    import numpy as np

    from prunestats.comparison import compare as comparison
    from prunestats.reports.plots import plot_comparison

    asked = _ask(db, study, regime, space, split, {"response": response, "level": level, "seed": seed})
    found = comparison(asked.frame, response=response, level=level, rng=np.random.default_rng(seed))
    _print_frame(found.frame, form)
    for note in dict.fromkeys(note for pair in found.pairs for note in pair.notes):
        _note(note, form)
    _finish(asked, "compare", found.to_dict()["pairs"])
    _draw(plot, lambda: plot_comparison(found))


@app.command()
def optimum(
    db: Db = "prunestats.db",
    study: StudyName = None,
    regime: Regimes = None,
    space: Spaces = None,
    split: Split = "validation",
    response: Response = "log_loss",
    bucket: Bucket = 1,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    plot: Plot = None,
) -> None:
    """Look for the optimal ratio of FLOPs to parameter buckets in every regime, and give a verdict with reasons.

    Without --space it looks at the study's first space, as a report does.
    """
    import numpy as np

    from prunestats.optimum import find_optimum
    from prunestats.reports.plots import plot_optimum

    chosen = {"response": response, "bucket": bucket, "level": level, "seed": seed}
    asked = _ask(db, study, regime, space, split, chosen, first=not space)
    found = {
        fraction: find_optimum(runs, bucket=bucket, response=response, level=level, rng=np.random.default_rng(seed))
        for fraction, runs in asked.regimes()
    }
    columns = ("verdict", "ratio", "low", "high", "n_subnetworks", "x_low", "x_high", "r2", "r2_widths")
    rows = [(fraction, *(_known(getattr(one, name)) for name in columns)) for fraction, one in found.items()]
    print_rows(("regime", *columns), rows, form)
    for fraction, one in found.items():
        for reason in one.reasons:
            _note(f"{fraction:g}: {reason}", form)
    _finish(asked, "optimum", [{"regime": fraction, **one.to_dict()} for fraction, one in found.items()])
    _draw(plot, lambda: plot_optimum(found, asked.frame))


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

    from prunestats.best import best_of as best
    from prunestats.reach import samples_to_reach
    from prunestats.reports.plots import plot_best_of

    chosen = {"response": response, "k": k, "target": target, "level": level, "seed": seed}
    asked = _ask(db, study, regime, space, split, chosen)
    drawn = {(fraction, name): values.to_numpy() for fraction, name, values in asked.populations(response)}
    curves = {where: best(values, level=level, rng=np.random.default_rng(seed)) for where, values in drawn.items()}
    if target is None:
        most = min(len(values) for values in drawn.values())
        sizes = k or [size for size in _SIZES if size <= most]
        rows = [
            (*where, *(_known(value) for value in row))
            for where, values in drawn.items()
            for row in _best_rows(best(values, k=sizes, level=level, rng=np.random.default_rng(seed)))
        ]
        print_rows(("regime", "space", "k", "expected", "low", "high"), rows, form)
    else:
        reached = {where: samples_to_reach(values, target, level=level) for where, values in drawn.items()}
        columns = ("target", "draws_expected", "low", "high", "best_of_k", "k_low", "k_high")
        rows = [(*where, target, *_ends(one.expected), *_ends(one.best_of)) for where, one in reached.items()]
        print_rows(("regime", "space", *columns), rows, form)
    _finish(asked, "best-of", [_keyed(where, one) for where, one in curves.items()])
    _draw(plot, lambda: plot_best_of(curves, response))


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
    from prunestats.components import variance_components
    from prunestats.planning import plan_precision

    asked = _ask(db, study, regime, space, split, {"response": response, "level": level})
    found = {
        (fraction, str(name)): variance_components(runs, response, level=level)
        for fraction, inside in asked.regimes()
        for name, runs in inside.groupby("space", sort=False)
    }
    columns = ("subnetworks", "runs", "sd_originals", "sd_subnetworks", "sd_seeds", "icc", "icc_low", "icc_high")
    rows = [
        (*where, one.n_subnetworks, one.n_runs, *map(_root, (one.original, one.subnetwork, one.seed)), *_ends(one.icc))
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
        _note(sentence if len(places) == len(found) else f"{', '.join(places)}: {sentence}", form)
    _finish(asked, "noise", [_keyed(where, one) for where, one in found.items()])


def _ask(
    db: str,
    study: str | None,
    regime: Sequence[float] | None,
    space: Sequence[str] | None,
    split: Literal["validation", "test"],
    options: Mapping[str, Any],
    *,
    first: bool = False,
) -> _Asked:
    """Load the runs of one study that the options name, `first` of its first space alone."""
    from prunestats.db import load_results

    bucket = int(options.get("bucket", 1))
    frame = load_results(db, study=study, regime=regime or None, space=space or None, split=split, bucket=bucket)
    studies = list(dict.fromkeys(frame["study"]))
    if len(studies) > 1:
        raise InputError(f"an analysis is of one study; found {', '.join(studies)}: name one with --study")
    if frame.empty:
        raise InputError("an analysis needs runs that are done; found none: run more, or choose others")
    chosen = {"study": studies[0], "regime": regime or None, "space": space or None, "split": split}
    if first:
        frame = frame[frame["space"] == frame["space"].iloc[0]]
    return _Asked(db, frame, {**chosen, **options})


def _finish(asked: _Asked, kind: str, result: list[dict[str, Any]]) -> None:
    """Store what was concluded, from which rows and by which code; a database that cannot be written stays as it is."""
    from prunestats.db import open_database, rows_hash, schema, store_analysis, write
    from prunestats.db.once import find_row
    from prunestats.reports.provenance import code_versions

    engine = open_database(asked.db, create=False)
    try:
        with write(engine) as connection:
            store_analysis(
                connection,
                study_id=find_row(connection, schema.study, {"name": asked.parameters["study"]}),
                kind=kind,
                parameters=asked.parameters,
                rows_hash=rows_hash(asked.frame),
                n_rows=len(asked.frame),
                result={"found": result},
                versions=code_versions(),
            )
    except DatabaseError as error:
        complain(f"the analysis is not on record: {error}", "note")
    finally:
        engine.dispose()


def _draw(plot: Path | None, figure: Callable[[], Figure]) -> None:
    if plot is not None:
        from prunestats.reports.plots import save_figure

        save_figure(figure, plot)
        complain(f"drawn in {plot}", "figure")


def _print_frame(frame: pd.DataFrame, form: str) -> None:
    rows = [tuple(_known(value) for value in row) for row in frame.itertuples(index=False)]
    print_rows([str(name) for name in frame.columns], rows, form)


def _note(sentence: str, form: str) -> None:
    """Say a sentence where people read, and keep it out of what programs read."""
    if form == "table":
        say(f"- {sentence}")


def _best_rows(one: BestOf) -> Iterator[tuple[Any, ...]]:
    return zip(one.k.tolist(), one.value.tolist(), one.low.tolist(), one.high.tolist(), strict=True)


def _keyed(where: tuple[float | None, str], result: Any) -> dict[str, Any]:
    return {"regime": where[0], "space": where[1], **result.to_dict()}


def _ends(interval: Interval | None) -> tuple[float | None, ...]:
    if interval is None:
        return (None, None, None)
    return tuple(_known(value) for value in (interval.value, interval.low, interval.high))


def _root(interval: Interval | None) -> float | None:
    """A standard deviation, from a variance."""
    return None if interval is None else interval.value**0.5


def _known(value: Any) -> Any:
    """None for what is not finite, which no format but the table could hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
