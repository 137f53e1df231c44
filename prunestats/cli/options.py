"""The application, the panels of its commands, and the options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

# `prunestats --help` lists the commands in this order: that of a study, from its file to what is kept of it.
PANELS = {
    "Study": ("init", "check", "run", "status", "latency", "best", "report", "demo", "sample", "refine", "search"),
    "Questions": (
        *("edf", "compare", "best-of", "noise", "winners"),
        *("optimum", "buckets", "transfer", "head-to-head"),
    ),
    "Data in and out": ("import", "export", "export-subnetwork"),
    "Database": ("sql", "analyses", "remove", "db"),
}


class WorkflowGroup(TyperGroup):
    """Commands in the panels of `PANELS`, and after them any that it does not name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for panel, names in PANELS.items():
            for command in map(self.commands.get, names):
                if isinstance(command, TyperCommand | TyperGroup):
                    command.rich_help_panel = panel

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        named = [name for names in PANELS.values() for name in names if name in self.commands]
        return [*named, *(name for name in self.commands if name not in named)]


# Typer keeps the line breaks of a second paragraph, so each is one line here.
_HELP = (
    "Statistics over populations of pruned networks.\n\n"
    "A population is the subnetworks that were sampled from a pruning space (a distribution over widths) in a regime "
    "(a FLOPs budget, as a fraction of those of the dense network, the original). FLOPs are multiply-adds (MACs). The "
    "ratio of a subnetwork is its FLOPs over its parameters, or over buckets: a layer of P parameters fills "
    "ceil(P / size) of them."
)

app = typer.Typer(
    name="prunestats",
    cls=WorkflowGroup,
    help=_HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Db = Annotated[
    str, typer.Option("--db", envvar="PRUNESTATS_DB", help="Results database: SQLite file or PostgreSQL URL.")
]


def on_import_path(folder: Path) -> None:
    """Let the modules of a folder be imported, after those installed; worker processes inherit the import path."""
    if str(folder.resolve()) not in sys.path:
        sys.path.append(str(folder.resolve()))


def _study_file(path: Path) -> Path:
    on_import_path(path.parent)
    return path


StudyFile = Annotated[
    Path, typer.Argument(help="Study file (TOML). Modules beside it can be imported.", callback=_study_file)
]
StudyName = Annotated[
    str | None,
    typer.Option(
        "--study",
        help="Name of the study. Default: the only one that neither refines another nor is a round of a search.",
    ),
]
RefinementName = Annotated[
    str | None, typer.Option("--study", help="Name of the study. Default: the only one that refines another.")
]
OneStudy = Annotated[str | None, typer.Option("--study", help="Only the study of this name. Default: all.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0, help="Number of worker processes; 0 runs in this process. Default: one per GPU, or else one per core."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(help="Address or file of a Dask scheduler whose workers are used instead of local processes."),
]
Onnx = Annotated[bool, typer.Option("--onnx/--no-onnx", help="Export ONNX, too.")]
Form = Annotated[Literal["table", "csv", "json"], typer.Option("-f", "--format", help="Output format.")]
