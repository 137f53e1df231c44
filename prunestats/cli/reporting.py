"""The command that writes a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunestats.cli.options import Db, StudyName, app
from prunestats.terminal import say


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
