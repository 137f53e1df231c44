"""The command that writes a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunestats.cli.options import Db, StudyName, app
from prunestats.cli.terminal import complain, say
from prunestats.errors import InputError


@app.command()
def report(
    output: Annotated[Path, typer.Option("-o", "--output", help="PDF file to write.")] = Path("report.pdf"),
    db: Db = "prunestats.db",
    study: StudyName = None,
    bucket: Annotated[int, typer.Option(min=1, help="Size of a parameter bucket, in parameters.")] = 1,
    figures: Annotated[Path | None, typer.Option(help="Folder to also save the figures in, as SVG and PNG.")] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(help="ISO time in the PDF; the same gives the same bytes."),
    ] = None,
    analysis: Annotated[int | None, typer.Option(help="Rebuild a stored report: its number in `analyses`.")] = None,
) -> None:
    """Write a PDF report of all results of a study."""
    from prunestats.reports import build_report, rebuild_report

    if analysis is not None:
        if study is not None or bucket != 1:
            raise InputError(
                "expected --analysis alone, as it implies study and bucket; found --study or --bucket: leave it out"
            )
        rebuilt = rebuild_report(db, output, analysis, figures=figures, timestamp=timestamp)
        for warning in rebuilt.warnings:
            complain(warning, "warning")
        built = rebuilt.report
    else:
        built = build_report(db, output, study=study, bucket=bucket, figures=figures, timestamp=timestamp)
    for sentence in built.verdicts:
        say(sentence)
    say(f"Report: {output}")
