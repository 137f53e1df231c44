"""What the commands of one analysis share: options that select runs, loading them, and storing the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from prunestats.cli.response import recorded_response
from prunestats.cli.run_choice import RunChoice, refuse_mixed_selection
from prunestats.cli.terminal import complain, print_rows, say
from prunestats.errors import DatabaseError, InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from prunestats.numeric.intervals import Interval

Regimes = Annotated[
    list[float] | None,
    typer.Option(
        "--regime",
        help="Only this regime: FLOPs budget, as a fraction of the original's; may be repeated. Default: all.",
    ),
]
Regime = Annotated[
    float | None, typer.Option(help="Only this regime: FLOPs budget, as a fraction of the original's. Default: all.")
]
Spaces = Annotated[
    list[str] | None,
    typer.Option("--space", help="Only the space of this name; may be repeated. Default: all."),
]
PooledSpaces = Annotated[
    list[str] | None,
    typer.Option("--space", help="Space, by name; repeat to pool several. Default: the study's first."),
]
Split = Annotated[
    Literal["validation", "test"],
    typer.Option(help="Split to analyse: validation (selection) or test (reporting)."),
]


Level = Annotated[float, typer.Option(help="Confidence level, between 0 and 1.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the analysis: the same seed and runs give the same numbers.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Also save a figure (.png, .svg, .pdf).")]
Bucket = Annotated[
    int,
    typer.Option(
        min=1, help="Bucket size in parameters: a layer fills ceil(parameters / size) buckets, so 1 counts parameters."
    ),
]

_ALL = RunChoice()


@dataclass(frozen=True)
class LoadedRuns:
    """The runs that an analysis looks at, with the parameters that its record in the database holds.

    Parameters
    ----------
    db : str
        File or URL of the results database.
    frame : pandas.DataFrame
        A results frame: one row per run in a population.
    parameters : dict
        How the runs were selected, and the options of the analysis.
    """

    db: str
    frame: pd.DataFrame
    parameters: dict[str, Any]

    @property
    def response(self) -> str:
        """Metric that is analysed: the chosen one, or the default that the runs allow."""
        return str(self.parameters["response"])

    def populations(self, response: str) -> Iterator[tuple[float | None, str, pd.Series[float]]]:
        """Yield regime, space and seed averages of every population: largest regime first, then the study's order.

        The regime is None in results without FLOPs.
        """
        from prunestats.results.means import subnetwork_means

        means = subnetwork_means(self.frame, response)
        order = list(dict.fromkeys(self.frame["space"]))
        for regime, inside in _by_regime(means):
            for space in order:
                values = inside[inside["space"] == space][response]
                if len(values):
                    yield regime, space, values

    def regimes(self) -> Iterator[tuple[Any, pd.DataFrame]]:
        """Yield each regime with its runs, the largest regime first; None for results without FLOPs."""
        yield from _by_regime(self.frame)


def _by_regime(frame: pd.DataFrame) -> Iterator[tuple[float | None, pd.DataFrame]]:
    if bool(frame["regime"].isna().all()):
        yield None, frame
        return
    for regime in sorted(frame["regime"].unique(), reverse=True):
        yield float(regime), frame[frame["regime"] == regime]


def load_runs(
    db: str,
    study: str | None,
    regime: Sequence[float] | None,
    space: Sequence[str] | None,
    split: Literal["validation", "test"],
    options: Mapping[str, Any],
    choice: RunChoice = _ALL,
    *,
    first: bool = False,
    refining: bool = False,
    one: Sequence[str] = ("dataset", "protocol"),
) -> LoadedRuns:
    """Load the runs of one study that the options select; with `first`, those of its first space only.

    The runs must agree in the columns of `one`: analyses that keep data sets apart name the protocol alone.

    Without a name the study is the only one that neither refines another nor is a round of a search; with `refining`,
    the only one that refines another. A response of None becomes log_cross_entropy, or error where cross-entropy is not
    recorded in all runs, which a note says.

    Raises
    ------
    InputError
        For several studies to choose from, no run that is done, runs of several data sets or protocols, or runs without
        the chosen response.
    """
    from prunestats.db import load_results

    bucket = int(options.get("bucket", 1))
    study = study or _default_study(db, refining=refining)
    frame = load_results(
        db, study=study, regime=regime or None, space=space or None, split=split, bucket=bucket, **choice.given
    )
    studies = list(dict.fromkeys(frame["study"]))
    if len(studies) > 1:
        raise InputError(f"expected one study to analyse; found {', '.join(studies)}: name one with --study")
    if frame.empty:
        raise InputError(
            "expected runs that are done; found none in what was selected: `prunestats status` shows what there is"
        )
    selected = {"study": studies[0], "regime": regime or None, "space": space or None, "split": split, **choice.given}
    if first:
        frame = frame[frame["space"] == frame["space"].iloc[0]]
    refuse_mixed_selection(frame, one)
    if "response" in options:
        options = {**options, "response": recorded_response(frame, options["response"], split)}
    return LoadedRuns(db, frame, {**selected, **options})


def _default_study(db: str, *, refining: bool) -> str | None:
    """Return the only study that an analysis can mean; None where there are several, or none."""
    from sqlalchemy import select

    from prunestats.db import follow_ups, open_database, read, refinements
    from prunestats.db.schema import tables as schema

    engine = open_database(db, create=False)
    with read(engine) as connection:
        refined, others = refinements(connection), follow_ups(connection)
        names = connection.scalars(select(schema.study.c.name)).all()
    engine.dispose()
    candidates = [name for name in names if (name in refined if refining else name not in others)]
    return candidates[0] if len(candidates) == 1 else None


def record_analysis(loaded: LoadedRuns, kind: str, result: list[dict[str, Any]]) -> None:
    """Store a result with the hash of its rows and the code's versions, or say why the database refuses it.

    The result has been printed by then, and a database may be read-only: a refusal is a note, not an error.
    """
    from prunestats.db import open_database, rows_hash, store_analysis, write
    from prunestats.db.schema import tables as schema
    from prunestats.db.storing.insert_once import find_row
    from prunestats.reports.provenance import code_versions

    engine = open_database(loaded.db, create=False)
    try:
        with write(engine) as connection:
            store_analysis(
                connection,
                study_id=find_row(connection, schema.study, {"name": loaded.parameters["study"]}),
                kind=kind,
                parameters=loaded.parameters,
                rows_hash=rows_hash(loaded.frame),
                n_rows=len(loaded.frame),
                result={"found": result},
                versions=code_versions(),
            )
    except DatabaseError as error:
        complain(f"the analysis was not stored in the database: {error}", "note")
    finally:
        engine.dispose()


def save_plot(file: Path | None, figure: Callable[[], Figure]) -> None:
    """Draw a figure and save it, where `--plot` names a file."""
    if file is not None:
        from prunestats.reports.figures.files import save_figure

        save_figure(figure, file)
        complain(f"saved as {file}", "figure")


def print_frame(frame: pd.DataFrame, form: str) -> None:
    """Print the rows of a frame; cells without a value are empty."""
    known = frame.astype(object).where(frame.notna(), None)
    rows = [tuple(finite_or_none(value) for value in row) for row in known.itertuples(index=False)]
    print_rows([str(name) for name in frame.columns], rows, form)


def print_note(sentence: str, form: str) -> None:
    """Print a sentence below a table; CSV and JSON, which programs read, go without."""
    if form == "table":
        say(f"- {sentence}")


def population_result(population: tuple[float | None, str], result: Any) -> dict[str, Any]:
    """Return a result as plain data, with the regime and space of its population."""
    return {"regime": population[0], "space": population[1], **result.to_dict()}


def interval_columns(interval: Interval | None) -> tuple[float | None, ...]:
    """Return an estimate and the bounds of its confidence interval; None where it could not be estimated."""
    if interval is None:
        return (None, None, None)
    return tuple(finite_or_none(value) for value in (interval.value, interval.low, interval.high))


def finite_or_none(value: Any) -> Any:
    """Return a plain value, with None for a number that is not finite: JSON has no sign for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
