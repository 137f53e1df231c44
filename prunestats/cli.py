"""The command line: the one module that sees everything."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal, NoReturn

import typer

from prunestats import __version__
from prunestats.errors import InputError, PrunestatsError
from prunestats.terminal import complain, duration, leave_progress, print_rows, say, show_progress

app = typer.Typer(
    name="prunestats",
    help="Statistics over populations of pruned networks.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Db = Annotated[str, typer.Option("--db", envvar="PRUNESTATS_DB", help="SQLite file or database URL.")]
StudyFile = Annotated[Path, typer.Argument(help="Study file (TOML).")]
StudyName = Annotated[str | None, typer.Option("--study", help="Name of the study, if there are several.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Worker processes; 0 runs inline. Default: one a core.")]
Form = Annotated[Literal["table", "csv", "json"], typer.Option("-f", "--format", help="How rows are printed.")]

QUERIES = (
    (
        "which regime loses least, space by space",
        "SELECT regime, space, count(*) AS runs, avg(test_error) AS mean_test_error, min(test_error) AS best "
        "FROM results WHERE state = 'done' GROUP BY regime, space ORDER BY regime DESC, mean_test_error",
    ),
    (
        "the subnetworks that validation chooses, with their test error",
        "SELECT regime, space, subnetwork, widths, ratio, val_error, test_error "
        "FROM results WHERE state = 'done' ORDER BY val_loss LIMIT 10",
    ),
    (
        "error against the FLOPs-to-parameter ratio, in bins of 5",
        "SELECT regime, 5 * cast(ratio / 5 AS integer) AS ratio_from, count(*) AS runs, avg(test_error) AS mean_error "
        "FROM results WHERE space = 'initial' AND state = 'done' GROUP BY 1, 2 ORDER BY 1 DESC, 2",
    ),
)


# Seconds that an interrupted command takes to close its workers before it leaves them to end by themselves.
_PATIENCE_S = 2.0


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    context.obj = {"debug": debug}
    if version:
        say(f"prunestats {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("prunestats-demo"),
    workers: Workers = None,
    subnetworks: Annotated[
        int | None, typer.Option(min=1, help="Subnetworks a population, for a shorter demo.")
    ] = None,
) -> None:
    """Run the whole loop on scikit-learn's digits: train, prune, store, analyse, report."""
    from prunestats.reports import build_report
    from prunestats.runners.run import run_study
    from prunestats.runners.study import demo_study_file

    _make_folder(folder)
    text = demo_study_file().read_text(encoding="utf-8")
    if subnetworks is not None:
        text = text.replace("subnetworks = 60 ", f"subnetworks = {subnetworks} ")
    study = folder / "study.toml"
    study.write_text(text, encoding="utf-8")
    db, pdf = folder / "results.db", folder / "report.pdf"
    say(f"The study is {study}: two originals, three regimes, two spaces.")
    with show_progress() as progress:
        summary = run_study(study, db, workers=workers, progress=progress)
    say(_summary_sentence(summary))
    report = build_report(db, pdf, figures=folder / "figures")
    say("")
    for sentence in report.verdicts:
        say(sentence)
    say("")
    say(f"Database: {db}")
    say(f"Report:   {pdf}")
    say(f"Figures:  {folder / 'figures'}")
    say("")
    say("Three queries to try next:")
    for purpose, query in QUERIES:
        say(f"\n# {purpose}")
        say(f'prunestats sql --db {quote(str(db))} "{query}"')


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("study.toml"),
) -> None:
    """Write a commented study file to start from."""
    from prunestats.runners.study import demo_study_file

    if file.exists():
        raise InputError(f"{file} is there already and is left as it is: name another file")
    _make_folder(file.parent)
    file.write_text(demo_study_file().read_text(encoding="utf-8"), encoding="utf-8")
    say(f"Wrote {file}. Edit it, then: prunestats sample {quote(str(file))}, and prunestats run {quote(str(file))}")


@app.command()
def sample(study: StudyFile, form: Form = "table") -> None:
    """Draw and cost a study's populations without training: how many, how spread, which acceptance."""
    from prunestats.runners.plan import plan
    from prunestats.runners.study import read_study

    columns = ("original", "seed", "regime", "space", "subnetworks", "attempts", "acceptance", "duplicates")
    spread = ("flops_min", "flops_max", "ratio_min", "ratio_median", "ratio_max")
    rows = []
    for population in plan(read_study(study)).populations:
        drawn, task = population.sample, population.original.task
        ratios = sorted((drawn.flops / drawn.params).tolist())
        rows.append(
            (
                *(task.network, task.seed, population.regime.flops, population.space.name, len(drawn.widths)),
                *(drawn.attempts, drawn.acceptance, drawn.duplicates, int(drawn.flops.min()), int(drawn.flops.max())),
                *(ratios[0], ratios[len(ratios) // 2], ratios[-1]),
            )
        )
    print_rows((*columns, *spread), rows, form)


@app.command()
def run(
    study: StudyFile,
    db: Db = "prunestats.db",
    workers: Workers = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    max_runs: Annotated[int | None, typer.Option(min=1, help="Stop after this many runs.")] = None,
) -> None:
    """Run what is missing of a study; stop it whenever you like, and call it again to go on."""
    from prunestats.runners.run import run_study

    with show_progress() as progress:
        summary = run_study(study, db, workers=workers, scheduler=scheduler, max_runs=max_runs, progress=progress)
    say(_summary_sentence(summary))
    if summary.missing:
        say(f"To go on: prunestats run {quote(str(study))} --db {quote(db)}")
    else:
        say(f"Next: prunestats report --db {quote(db)} -o report.pdf")


@app.command()
def status(db: Db = "prunestats.db", study: StudyName = None, form: Form = "table") -> None:
    """Show how far each study is: runs done, failed and missing, and the time that is left."""
    from prunestats.db import open_database, read, study_status

    with read(open_database(db, create=False)) as connection:
        rows = study_status(connection, study)
    what = ("study", "network", "original_seed", "regime", "space")
    columns = (*what, "drawn", "done", "failed", "missing", "mean_wall_s")
    print_rows(columns, [tuple(getattr(row, name) for name in columns) for row in rows], form)
    missing = sum(row.missing for row in rows)
    if form == "table" and missing:
        timed = [row for row in rows if row.mean_wall_s is not None]
        made = sum(row.done + row.failed for row in timed)
        pace = sum((row.mean_wall_s or 0.0) * (row.done + row.failed) for row in timed) / made if made else None
        left = f": about {duration(missing * pace)} of one worker" if pace else ""
        say(f"{missing:,} runs are missing{left}")


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="A SELECT; without one, the tables and views are listed.")] = None,
    db: Db = "prunestats.db",
    form: Form = "table",
    limit: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 10_000,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds after which the query is stopped.")] = 60.0,
) -> None:
    """Query the results database, read-only; without a query, list its views and tables."""
    from prunestats.db import query as ask

    if query is None:
        _list_tables(db, form)
        return
    answer = ask(db, query, limit=limit, timeout_s=timeout)
    print_rows(answer.columns, answer.rows, form)
    if answer.truncated:
        complain(f"only the first {limit:,} rows are shown: --limit raises that")


@app.command()
def report(
    output: Annotated[Path, typer.Option("-o", "--output", help="PDF file to write.")] = Path("report.pdf"),
    db: Db = "prunestats.db",
    study: StudyName = None,
    bucket: Annotated[int, typer.Option(min=1, help="Parameters a bucket.")] = 1,
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures as SVG and PNG, too.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="ISO time in the PDF; the same gives the same bytes.")] = None,
) -> None:
    """Write the whole story of a study as a PDF."""
    from prunestats.reports import build_report

    built = build_report(db, output, study=study, bucket=bucket, figures=figures, timestamp=timestamp)
    for sentence in built.verdicts:
        say(sentence)
    say(f"Report: {output}")


def main() -> NoReturn:
    """Run the command line: an error is one line, 2 for what was asked wrongly and 1 for what failed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    # An interrupted command leaves its workers to the system, and multiprocessing's tracker would comment on that.
    ignored = "ignore:resource_tracker:UserWarning"
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), ignored]))
    debug = "--debug" in sys.argv
    try:
        # Not app(): it would turn Ctrl-C into an exit code before it is seen here.
        command = typer.main.get_command(app)
        with command.make_context("prunestats", sys.argv[1:]) as context:
            command.invoke(context)
    except KeyboardInterrupt:
        _stop()
    except PrunestatsError as error:
        if debug:
            raise
        complain(str(error))
        _leave(2 if isinstance(error, InputError) else 1)
    except typer.Exit as leaving:
        _leave(leaving.exit_code)
    except BrokenPipeError:
        _leave(0)
    except Exception as error:
        if debug or not hasattr(error, "format_message"):
            raise
        complain(f"{error.format_message().rstrip('.')} (`prunestats --help` shows what there is)")
        _leave(2)
    _leave(0)


def _interrupt(number: int, frame: object) -> NoReturn:
    """Unwind in order, but not for long: Dask would wait for workers that are starting or in the middle of a run."""
    timer = threading.Timer(_PATIENCE_S, _stop)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _stop() -> NoReturn:
    """Say that all is well and go: what is stored is stored whole, and workers end with their parent."""
    sys.stdout.flush()
    leave_progress()
    complain("every run that had ended is stored; the same command goes on from there", "stopped")
    os._exit(130)


def _leave(code: int) -> NoReturn:
    sys.exit(code)


def _list_tables(db: str, form: str) -> None:
    from prunestats.db import comments, open_database, schema

    open_database(db, create=False).dispose()
    rows = [(name, "view", purpose) for name, purpose in comments.VIEWS.items()]
    rows += [(table.name, "table", table.comment or "") for table in schema.metadata.sorted_tables]
    print_rows(("name", "kind", "what it holds"), rows, form)


def _summary_sentence(summary: Any) -> str:
    failed = f", {summary.failed_now:,} of them failed" if summary.failed_now else ""
    now = summary.done_now + summary.failed_now
    if not now and not summary.missing:
        return f"All {summary.runs:,} runs of study {summary.study!r} were there already."
    missing = f"; {summary.missing:,} are missing" if summary.missing else ""
    return (
        f"{now:,} runs in {summary.wall_s:.0f} s{failed}; "
        f"{summary.done_before + now:,} of {summary.runs:,} of study {summary.study!r} are stored{missing}."
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"expected a folder that can be made at {str(folder)!r}; {error.strerror}") from error
