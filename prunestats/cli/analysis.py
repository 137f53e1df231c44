"""What the commands of one analysis share: which runs they look at, and what becomes of what they find."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from prunestats.cli.terminal import complain, print_rows, say
from prunestats.errors import DatabaseError, InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from prunestats.numeric.intervals import Interval

Regimes = Annotated[list[float] | None, typer.Option("--regime", help="FLOPs fraction; may be repeated.")]
Spaces = Annotated[list[str] | None, typer.Option("--space", help="Space; may be repeated.")]
Split = Annotated[Literal["validation", "test"], typer.Option(help="Whose errors: what chooses, or what is reported.")]


def _response(name: str) -> str:
    from prunestats.results.means import refuse_old_name

    refuse_old_name(name)
    if name not in RESPONSES:
        raise InputError(f"expected one of {', '.join(RESPONSES)} for --response; found {name!r}: choose one")
    return name


RESPONSES = ("error", "log_cross_entropy")
Response = Annotated[
    str,
    typer.Option(callback=_response, metavar=f"[{'|'.join(RESPONSES)}]", help="Metric to analyse (lower is better)."),
]
Level = Annotated[float, typer.Option(help="Confidence level.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of whatever is random in the analysis.")]
Plot = Annotated[Path | None, typer.Option(help="Draw it, too: a file that ends in .png, .svg or .pdf.")]
Bucket = Annotated[int, typer.Option(min=1, help="Parameters a bucket.")]


@dataclass(frozen=True)
class Asked:
    """What an analysis looks at: the runs, and how they were chosen."""

    db: str
    frame: pd.DataFrame
    parameters: dict[str, Any]

    def populations(self, response: str) -> Iterator[tuple[float | None, str, pd.Series[float]]]:
        """Regime, space and one value a subnetwork, largest regime first, spaces in the order of the study."""
        from prunestats.results.means import subnetwork_means

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


def ask(
    db: str,
    study: str | None,
    regime: Sequence[float] | None,
    space: Sequence[str] | None,
    split: Literal["validation", "test"],
    options: Mapping[str, Any],
    *,
    first: bool = False,
    refining: bool = False,
) -> Asked:
    """Load the runs of one study that the options name, `first` of its first space alone.

    Without a name it is the only study that no other led to; or, `refining`, the only one that refines another.
    """
    from prunestats.db import load_results

    bucket = int(options.get("bucket", 1))
    study = study or _only(db, refining=refining)
    frame = load_results(db, study=study, regime=regime or None, space=space or None, split=split, bucket=bucket)
    studies = list(dict.fromkeys(frame["study"]))
    if len(studies) > 1:
        raise InputError(f"an analysis is of one study; found {', '.join(studies)}: name one with --study")
    if frame.empty:
        raise InputError("an analysis needs runs that are done; found none: run more, or choose others")
    chosen = {"study": studies[0], "regime": regime or None, "space": space or None, "split": split}
    if first:
        frame = frame[frame["space"] == frame["space"].iloc[0]]
    return Asked(db, frame, {**chosen, **options})


def _only(db: str, *, refining: bool) -> str | None:
    """The one study that an analysis can mean; None where there are several, or none."""
    from sqlalchemy import select

    from prunestats.db import follow_ups, open_database, read, refinements
    from prunestats.db.schema import tables as schema

    engine = open_database(db, create=False)
    with read(engine) as connection:
        refined, others = refinements(connection), follow_ups(connection)
        names = connection.scalars(select(schema.study.c.name)).all()
    engine.dispose()
    wanted = [name for name in names if (name in refined if refining else name not in others)]
    return wanted[0] if len(wanted) == 1 else None


def finish(asked: Asked, kind: str, result: list[dict[str, Any]]) -> None:
    """Store what was concluded, from which rows and by which code; a database that cannot be written stays as it is."""
    from prunestats.db import open_database, rows_hash, store_analysis, write
    from prunestats.db.schema import tables as schema
    from prunestats.db.storing.insert_once import find_row
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


def draw(plot: Path | None, figure: Callable[[], Figure]) -> None:
    """Draw a figure into a file, where one was asked for."""
    if plot is not None:
        from prunestats.reports.figures.files import save_figure

        save_figure(figure, plot)
        complain(f"drawn in {plot}", "figure")


def print_frame(frame: pd.DataFrame, form: str) -> None:
    """Print the rows of a frame."""
    rows = [tuple(known(value) for value in row) for row in frame.itertuples(index=False)]
    print_rows([str(name) for name in frame.columns], rows, form)


def note(sentence: str, form: str) -> None:
    """Say a sentence where people read, and keep it out of what programs read."""
    if form == "table":
        say(f"- {sentence}")


def keyed(where: tuple[float | None, str], result: Any) -> dict[str, Any]:
    """A result as plain data, with the population that it is of."""
    return {"regime": where[0], "space": where[1], **result.to_dict()}


def ends(interval: Interval | None) -> tuple[float | None, ...]:
    """An estimate and the ends of its interval, None where there is none."""
    if interval is None:
        return (None, None, None)
    return tuple(known(value) for value in (interval.value, interval.low, interval.high))


def known(value: Any) -> Any:
    """None for what is not finite, which no format but the table could hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
