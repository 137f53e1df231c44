"""Commands that produce results: demo, sample, run and status."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from prunestats.cli.options import Db, Form, OneStudy, Scheduler, StudyFile, Workers, app
from prunestats.cli.removal import agreed, would_remove
from prunestats.cli.terminal import complain, duration, make_folder, print_rows, print_table, say, show_progress
from prunestats.errors import InputError, StudyChangedError

QUERIES = (
    (
        "mean and best test error by regime and space",
        "SELECT regime, space, count(*) AS runs, avg(test_error) AS mean_test_error, min(test_error) AS best "
        "FROM results WHERE study = 'demo' AND state = 'done' GROUP BY regime, space "
        "ORDER BY regime DESC, mean_test_error",
    ),
    (
        "the subnetworks with the lowest validation loss, and their test error",
        "SELECT regime, space, subnetwork, widths, ratio, val_error, test_error "
        "FROM results WHERE study = 'demo' AND state = 'done' ORDER BY val_loss LIMIT 10",
    ),
    (
        "mean test error by FLOPs-to-parameter ratio, in bins of 5",
        "SELECT regime, 5 * cast(ratio / 5 AS integer) AS ratio_from, count(*) AS runs, avg(test_error) AS mean_error "
        "FROM results WHERE study = 'demo' AND space = 'initial' AND state = 'done' GROUP BY 1, 2 ORDER BY 1 DESC, 2",
    ),
)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Folder for the study, database, report and figures.")] = Path(
        "prunestats-demo"
    ),
    workers: Workers = None,
    subnetworks: Annotated[
        int | None, typer.Option(min=1, help="Subnetworks per population, for a shorter demo. Default: 60.")
    ] = None,
) -> None:
    """Run the whole workflow on scikit-learn's digits, from training to the PDF report."""
    from prunestats.files import write_atomically
    from prunestats.reports import build_report
    from prunestats.runners.run import run_study
    from prunestats.runners.study.file import demo_study_file, read_study, with_subnetworks

    make_folder(folder)
    text = demo_study_file().read_text(encoding="utf-8")
    if subnetworks is not None:
        text = with_subnetworks(text, subnetworks)
    study = folder / "study.toml"
    write_atomically(study, text.encode())
    db, pdf = folder / "results.db", folder / "report.pdf"
    say(f"The study is {study}: two originals, three regimes, two spaces.")
    with show_progress() as progress:
        summary = run_study(study, db, workers=workers, progress=progress)
    say(_summary_sentence(summary))
    refined = _refined_demo(study, db)
    if refined is not None:
        with show_progress() as progress:
            summary = run_study(refined, db, workers=workers, progress=progress)
        say(_summary_sentence(summary))
    report = build_report(db, pdf, study=read_study(study).name, figures=folder / "figures")
    say("")
    for sentence in (*report.verdicts, *(one.sentence for one in report.analysis.refined)):
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


def _refined_demo(study: Path, db: Path) -> Path | None:
    """Write a study that tests the first estimated optimum; None where no regime allows a refinement."""
    from prunestats.db import load_results
    from prunestats.files import write_atomically
    from prunestats.runners.study.file import read_study
    from prunestats.runners.study.refined import refined_study

    content = read_study(study)
    files = {regime: study.with_name(f"{study.stem}-refined-{regime:g}.toml") for regime in content.regimes.flops}
    found = {}
    for regime, file in files.items():
        if file.exists():
            return file
        frame = load_results(db, study=content.name, space=content.spaces[0].name, regime=regime)
        with suppress(InputError):
            found[regime] = refined_study(content, frame, regime=regime)
    for kind, words in (("band", "the optimal ratio"), ("one_sided", "the better side of the ratios")):
        for regime, made in found.items():
            if made.refinement.kind == kind and made.text is not None:
                write_atomically(files[regime], made.text.encode())
                say(f"{files[regime]} tests {words} at {regime:g} of the FLOPs on an independent sample.")
                return files[regime]
    say("No regime shows an optimal ratio by which to refine the space.")
    return None


@app.command()
def sample(study: StudyFile, form: Form = "table") -> None:
    """Sample populations without training; print FLOPs, ratio range, acceptance rate."""
    from prunestats.runners.execution.study_plan import plan_study
    from prunestats.runners.study.file import read_study

    columns = ("original", "seed", "regime", "space", "subnetworks", "attempts", "acceptance", "duplicates")
    spread = ("flops_min", "flops_max", "ratio_min", "ratio_median", "ratio_max")
    rows = []
    for population in plan_study(read_study(study)).populations:
        sampled, task = population.sample, population.original.task
        ratios = sorted(population.original.cost.ratio(sampled.widths).tolist())
        rows.append(
            (
                *(task.network, task.seed, population.regime.flops, population.space.name, len(sampled.widths)),
                *(sampled.attempts, sampled.acceptance, sampled.duplicates),
                *(int(sampled.flops.min()), int(sampled.flops.max())),
                *(ratios[0], ratios[len(ratios) // 2], ratios[-1]),
            )
        )
    print_rows((*columns, *spread), rows, form)


@app.command()
def run(
    study: StudyFile,
    db: Db = "prunestats.db",
    workers: Workers = None,
    scheduler: Scheduler = None,
    max_runs: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of runs before stopping. Default: all that are missing.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Replace the stored study of this name if it differs: shows what goes, asks, backs up."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Replace without asking, for scripts.")] = False,
) -> None:
    """Run what is missing of a study; stop it at any time, and resume it with the same command."""
    from prunestats.runners.run import run_study

    options: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "max_runs": max_runs}
    try:
        with show_progress() as progress:
            summary = run_study(study, db, **options, progress=progress, announce=say)
    except StudyChangedError as changed:
        print_table(("differs", "stored", "now"), changed.differences)
        if not replace:
            raise
        _show_replacement(db, changed.study)
        if not (yes or agreed("Replace it?")):
            say("Nothing was changed")
            raise typer.Exit(1) from None
        with show_progress() as progress:
            summary = run_study(study, db, **options, replace=True, progress=progress, announce=say)
    for note in summary.notes:
        complain(note, "note")
    say(_summary_sentence(summary))
    if summary.missing:
        say(f"To resume: prunestats run {quote(str(study))} --db {quote(db)}")
    else:
        say(f"Next: prunestats best --db {quote(db)}, and prunestats report --db {quote(db)} -o report.pdf")


def _show_replacement(db: str, study: str) -> None:
    """Say what goes when a study is replaced."""
    from prunestats.db import open_database, remove_study

    engine = open_database(db, create=False)
    removed = would_remove(engine, lambda connection: remove_study(connection, study, keep_originals=True))
    backup = "a backup is written beside it first" if engine.dialect.name == "sqlite" else "no backup is made"
    engine.dispose()
    say(f"Replacing study {study!r} deletes {removed.words}, less what the changed study has too; {backup}.")


@app.command()
def status(db: Db = "prunestats.db", study: OneStudy = None, form: Form = "table") -> None:
    """Show the progress of studies: runs done, failed and missing, rate, time left, failures by reason."""
    from prunestats.db import open_database, read, stored_originals, study_progress, study_status

    with read(open_database(db, create=False)) as connection:
        rows = study_status(connection, study)
        studies = study_progress(connection, study)
        originals = stored_originals(connection, study=study)
    what = ["study", "network", "dataset", "original_seed", "original", "regime", "space"]
    if form == "table" and len({(row.network, row.dataset, row.original_seed) for row in rows}) == len(
        {row.original for row in rows}
    ):
        # the key is needed only where originals differ in nothing else that is shown
        what.remove("original")
    columns = (*what, "drawn", "done", "failed", "missing", "mean_wall_s")
    print_rows(columns, [tuple(getattr(row, name) for name in columns) for row in rows], form)
    if form == "table":
        for progress in studies:
            say(_progress_sentence(progress))
            for reason, count in progress.failures:
                say(f"  {count:,} failed: {reason}")
        for network in sorted({row.network for row in originals if row.fingerprint is None}):
            say(f"network {network} is not fingerprinted: an earlier version stored its results, by its name alone")


def _progress_sentence(progress: Any) -> str:
    stored = progress.done + progress.failed
    if not progress.missing:
        return f"{progress.study}: all {progress.runs:,} runs are stored."
    pace = f"; {progress.per_minute:.3g} runs a minute recently" if progress.per_minute else ""
    if progress.left_s is not None:
        left = f", about {duration(progress.left_s)} left" + ("" if progress.running else " once it is resumed")
    elif progress.mean_wall_s:
        left = f": about {duration(progress.missing * progress.mean_wall_s)} of one worker"
    else:
        left = ""
    now = "running" if progress.running else "not running"
    what = f"{progress.study}: {stored:,} of {progress.runs:,} runs are stored, {progress.missing:,} runs are missing"
    return f"{what}; {now}{pace}{left}."


def _summary_sentence(summary: Any) -> str:
    failed = f", {summary.failed_now:,} of them failed" if summary.failed_now else ""
    now = summary.done_now + summary.failed_now
    if not now and not summary.missing:
        return f"All {summary.runs:,} runs of study {summary.study!r} were stored already."
    missing = f"; {summary.missing:,} are missing" if summary.missing else ""
    return (
        f"{now:,} runs in {summary.wall_s:.0f} s{failed}; "
        f"{summary.done_before + now:,} of {summary.runs:,} of study {summary.study!r} are stored{missing}."
    )
