"""The application, and the options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

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
Workers = Annotated[
    int | None, typer.Option(min=0, help="Worker processes; 0 runs inline. Default: one a GPU, or else one a core.")
]
Form = Annotated[Literal["table", "csv", "json"], typer.Option("-f", "--format", help="How rows are printed.")]
