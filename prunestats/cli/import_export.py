"""Commands that import external results and export stored ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from prunestats.cli.analysis import Regimes, Spaces
from prunestats.cli.import_lines import import_lines
from prunestats.cli.options import Db, app
from prunestats.cli.terminal import complain, say
from prunestats.errors import InputError

_UNIT = Literal["counts", "thousands", "millions", "billions"]


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(help="Table of external results: .csv, .json (records, or a dictionary of them) or .parquet."),
    ],
    db: Db = "prunestats.db",
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="ROLE=NAME: column that holds a role, or one column per seed (accuracy=acc_0,acc_1); once per role."
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            help="Metric of the table. With another than error, NAME, val_NAME and test_NAME are roles, and FLOPs are "
            "optional."
        ),
    ] = "error",
    direction: Annotated[
        Literal["minimize", "maximize"] | None,
        typer.Option(
            help="Whether lower or higher values of --metric are better. Required unless its name is known, such as "
            "perplexity, miou or psnr."
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="Unit of --metric; `fraction` for values that are printed as percentages. Default: none."),
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option("--range", help="LOW:HIGH, possible values of --metric; either may be left out. Default: all."),
    ] = None,
    original: Annotated[
        str | None,
        typer.Option(help="Name of the original network. Required unless a column holds it, or --metric is given."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of the data set. Default: not recorded.")] = None,
    study: Annotated[
        str | None, typer.Option(help="Name of the study. Default: the file's, without its suffix.")
    ] = None,
    space: Annotated[str | None, typer.Option(help="Name of the pruning space. Default: `outside`.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Name of the training protocol. Default: `outside`.")] = None,
    regime: Annotated[
        list[float] | None,
        typer.Option(
            help="Pruning regime to assign runs to: FLOPs as a fraction of the original's; may be repeated. "
            "Default: one that holds all."
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Relative tolerance of the regimes: 0.02 is 0.98 to 1.02 times the FLOPs. Required with --regime."
        ),
    ] = None,
    split: Annotated[
        Literal["validation", "test"] | None,
        typer.Option(
            help="Split that the columns error, accuracy and loss were measured on, or that of --metric. Default with "
            "--metric: test."
        ),
    ] = None,
    flops_convention: Annotated[
        Literal["multiply-adds", "multiplications-and-additions"] | None,
        typer.Option(
            help="What the file counts as FLOPs; multiplications and additions counted apart are halved. Required "
            "where the table has FLOPs."
        ),
    ] = None,
    flops_unit: Annotated[_UNIT, typer.Option(help="Unit of the FLOPs.")] = "counts",
    params_unit: Annotated[_UNIT, typer.Option(help="Unit of the parameters.")] = "counts",
    error_unit: Annotated[
        Literal["fraction", "percent"], typer.Option(help="Unit of errors and accuracies, or of --metric.")
    ] = "fraction",
    original_flops: Annotated[
        float | None,
        typer.Option(help="FLOPs of the original, in the unit and convention of the file. Default: the largest in it."),
    ] = None,
    original_params: Annotated[
        float | None, typer.Option(help="Parameters of the original, in the unit of the file. Default: the most in it.")
    ] = None,
    widths_digits: Annotated[
        str | None,
        typer.Option(
            help="Column whose digits are the widths of a subnetwork, one digit per group of filters, such as `4412`. "
            "Requires --digit-widths."
        ),
    ] = None,
    digit_widths: Annotated[
        str | None,
        typer.Option(
            help="What a digit stands for: with --original-widths a fraction of the original's filters "
            "(`1=0.25,2=0.5,4=1`), without it a number of filters (`1=16,2=32`)."
        ),
    ] = None,
    original_widths: Annotated[
        str | None,
        typer.Option(help="Filters of the original in each group, in the order of the digits (`64,64,128`)."),
    ] = None,
    any_fraction: Annotated[
        bool,
        typer.Option(
            "--any-fraction",
            help="Accept FLOPs and parameters below 0.001 or above 1.5 of the original's, which suggest another unit.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how the table is read and what would be stored; store nothing.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Skip and report rows that cannot be stored, instead of refusing the table."),
    ] = False,
) -> None:
    """Import external results from a table: every row, or none."""
    from prunestats.db import import_results

    summary = import_results(
        db,
        file,
        columns=_roles(column or []),
        original=original,
        dataset=dataset,
        study=study,
        space=space,
        protocol=protocol,
        regimes=regime or (),
        tolerance=tolerance,
        split=split,
        flops_convention=flops_convention,
        flops_unit=flops_unit,
        params_unit=params_unit,
        error_unit=error_unit,
        original_flops=original_flops,
        original_params=original_params,
        any_fraction=any_fraction,
        widths_digits=widths_digits,
        digit_widths=None if digit_widths is None else _digits(digit_widths),
        original_widths=None if original_widths is None else _counts(original_widths),
        metric=metric,
        direction=direction,
        unit=unit,
        metric_range=None if range_ is None else _range(range_),
        dry_run=dry_run,
        skip_bad=skip_bad,
    )
    for doubt in summary.doubts:
        complain(doubt, "doubt")
    given = {"direction": direction, "split": split, "original": original}
    for line in [*import_lines(summary, given), _outcome(summary, skip_bad)]:
        say(line)
    if dry_run and summary.refused and not skip_bad:
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="File to write: .csv, .json or .parquet.")],
    db: Db = "prunestats.db",
    study: Annotated[
        list[str] | None, typer.Option(help="Only the study of this name; may be repeated. Default: all.")
    ] = None,
    space: Spaces = None,
    regime: Regimes = None,
    state: Annotated[
        Literal["done", "failed"] | None, typer.Option(help="Only runs in this state. Default: both.")
    ] = None,
) -> None:
    """Export results to a file that `prunestats import` reads back unchanged."""
    from prunestats.db import export_results

    n = export_results(db, file, study=study or None, space=space or None, regime=regime or None, state=state)
    say(f"{n:,} results in {file}")


def _roles(given: list[str]) -> dict[str, list[str]]:
    roles: dict[str, list[str]] = {}
    for text in given:
        role, sign, name = text.partition("=")
        if not sign:
            raise InputError(f"expected --column ROLE=NAME; found {text!r}: write, for example, accuracy={text}")
        roles.setdefault(role.strip(), []).append(name)
    return roles


def _digits(text: str) -> dict[str, Any]:
    parts = [part.partition("=") for part in text.split(",")]
    for digit, sign, _ in parts:
        if not sign:
            raise InputError(
                f"expected DIGIT=WIDTH, separated by commas; found {digit!r}: for example 1=0.25,2=0.5,4=1"
            )
    digits = [digit.strip() for digit, _, _ in parts]
    if len(set(digits)) < len(digits):
        raise InputError(f"expected each digit once in --digit-widths; found {text!r}: leave the repeated ones out")
    return {digit: value for digit, (_, _, value) in zip(digits, parts, strict=True)}


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"expected filters of each group, separated by commas; found {text!r}: write, for example, 64,64,128"
        ) from None


def _range(text: str) -> tuple[float | None, float | None]:
    low, sign, high = text.partition(":")
    try:
        if not sign:
            raise ValueError
        return (float(low) if low.strip() else None, float(high) if high.strip() else None)
    except ValueError:
        raise InputError(
            f"expected --range LOW:HIGH, two numbers; found {text!r}: write, for example, 0:1, or 0: without a bound"
        ) from None


def _outcome(summary: Any, skip_bad: bool) -> str:
    new = f"{summary.new_runs:,} new runs and {summary.new_subnetworks:,} new subnetworks"
    if not summary.stored and summary.refused and not skip_bad:
        return (
            "A dry run: nothing was stored, and nothing would be: repair these rows, or leave them out with --skip-bad"
        )
    if not summary.stored:
        return f"A dry run: nothing was stored; there would be {new}"
    return f"Stored {new}" if summary.new_runs else "All runs were stored already: 0 new runs"
