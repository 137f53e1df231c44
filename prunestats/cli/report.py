"""The command that writes a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunestats.cli.analysis import Bucket
from prunestats.cli.options import Db, StudyName, app
from prunestats.cli.run_choice import OneDataset, OneProtocol
from prunestats.cli.terminal import complain, say
from prunestats.errors import InputError


@app.command()
def report(
    output: Annotated[Path, typer.Option("-o", "--output", help="PDF file to write.")] = Path("report.pdf"),
    db: Db = "prunestats.db",
    study: StudyName = None,
    dataset: OneDataset = None,
    protocol: OneProtocol = None,
    bucket: Bucket = 1,
    figures: Annotated[Path | None, typer.Option(help="Folder to save the figures in, too (.svg, .png).")] = None,
    timestamp: Annotated[
        str | None, typer.Option(help="Time printed in the report (ISO, UTC). Default: SOURCE_DATE_EPOCH, else now.")
    ] = None,
    analysis: Annotated[
        int | None, typer.Option(help="Rebuild a stored report, by its number in `prunestats analyses`.")
    ] = None,
) -> None:
    """Write the analysis of a study as a PDF report."""
    from prunestats.reports import build_report, rebuild_report

    if analysis is not None:
        given = {"--study": study, "--dataset": dataset, "--protocol": protocol, "--bucket": None if bucket == 1 else 1}
        for option, value in given.items():
            if value is not None:
                raise InputError(f"expected --analysis alone, as it implies the runs; found {option} too: leave it out")
        rebuilt = rebuild_report(db, output, analysis, figures=figures, timestamp=timestamp)
        for warning in rebuilt.warnings:
            complain(warning, "warning")
        built = rebuilt.report
    else:
        built = build_report(
            db,
            output,
            study=study,
            dataset=dataset,
            protocol=protocol,
            bucket=bucket,
            figures=figures,
            timestamp=timestamp,
        )
    for sentence in built.verdicts:
        say(sentence)
    say(f"Report: {output}")
