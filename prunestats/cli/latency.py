"""The command `latency`: how long subnetworks take where they will be deployed."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.options import Db, Form, app, on_import_path
from prunestats.cli.terminal import complain, print_rows, say, show_progress
from prunestats.wording import counted

if TYPE_CHECKING:
    import pandas as pd

_SETTING = ("runtime", "device", "precision", "batch", "threads")
_COLUMNS = ("subnetwork", "flops_fraction", "ms", "ms_low", "ms_high", "dense_ms", "speedup", "repeats")

_WIDE = 0.02
"""Relative half width from which an interval of a speed-up is called wide: twice what timing aims at."""


def _study(name: str | None) -> str | None:
    if name is not None and Path(name).is_file():
        on_import_path(Path(name).parent)
    return name


@app.command()
def latency(
    study: Annotated[
        str | None,
        typer.Argument(help="Study file, or name of a stored study. Default: the only one.", callback=_study),
    ] = None,
    runtime: Annotated[
        str,
        typer.Option(
            help="Runtime: eager (PyTorch), compile (torch.compile), onnx (onnxruntime), or module:function of "
            "your own, which is given a network and a batch, and returns milliseconds."
        ),
    ] = "eager",
    batch: Annotated[int, typer.Option(min=1, help="Images in a batch.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads that the runtime may use.")] = 1,
    precision: Annotated[
        str, typer.Option(help="Precision: float32; on a GPU also bf16 and fp16; with module:function any name.")
    ] = "float32",
    device: Annotated[
        str | None,
        typer.Option(
            help="Device: cpu or cuda; with module:function, the board's name. Default: a GPU where there is one."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Measure every subnetwork of the study.")] = False,
    best: Annotated[
        int, typer.Option(min=1, help="Subnetworks of each regime, and of uniform pruning in it, beside the front.")
    ] = 3,
    again: Annotated[bool, typer.Option("--again", help="Measure again what is stored, and replace it.")] = False,
    seconds: Annotated[float, typer.Option(min=0, help="Most seconds for one subnetwork.")] = 10.0,
    db: Db = "prunestats.db",
    form: Form = "table",
) -> None:
    """Measure the latency of stored subnetworks, after the runs and alone on the device, beside the dense network."""
    from prunestats.runners.latency import measure_latency

    with show_progress() as progress:
        done = measure_latency(
            study, db, runtime=runtime, batch=batch, threads=threads, precision=precision, device=device, every=every,
            best=best, again=again, limit_s=seconds, progress=progress,
        )  # fmt: skip
    for note in done.notes:
        complain(note, "note")
    found = _stored(db, done)
    if form != "table":
        every_column = (*_SETTING, "original", *_COLUMNS)
        print_rows(every_column, found[list(every_column)].to_numpy(dtype=object).tolist(), form)
        return
    say(_heading(done))
    columns: tuple[str, ...] = _COLUMNS if found["original"].drop_duplicates().size == 1 else ("original", *_COLUMNS)
    print_rows(columns, [[_short(value) for value in row] for row in found[list(columns)].itertuples(index=False)])
    for sentence in (*_precision(done), *_association(found)):
        say(f"- {sentence}")
    options = f"--runtime {quote(runtime)} --batch {batch}"
    say(f"Next: prunestats best --speedup {_reachable(found):g} {options} --db {quote(db)}")


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _stored(db: str, done: Any) -> pd.DataFrame:
    """All stored latencies of the study in this setting, the fastest first."""
    from prunestats.db import open_database, read
    from prunestats.db.reading.latencies import stored_latencies

    engine = open_database(db, create=False)
    with read(engine) as connection:
        found: pd.DataFrame = stored_latencies(connection, done.studies)
    engine.dispose()
    same: pd.Series[bool] = done.setting.holds(found)
    found = found[same].sort_values(["original", "ms"], ignore_index=True)
    return found.assign(flops_fraction=found["flops"] / found["original_flops"])


def _heading(done: Any) -> str:
    what = "all" if done.chosen == done.subnetworks else "the front, the best of each regime and of uniform pruning:"
    before = f", {done.before:,} of them before" if done.before else ""
    every = counted(done.subnetworks, "subnetwork")
    return (
        f"Study {done.study!r}, {done.setting.words}: {what} {done.chosen:,} of {every} measured{before}. "
        "Milliseconds of a batch: median, quartiles, and median of the dense network."
    )


def _precision(done: Any) -> list[str]:
    """How well the speed-ups that were measured now are known."""
    halves = [(one.high - one.low) / 2 / one.value for one in done.speedups.values()]
    if not halves:
        return []
    known = [half for half in halves if half <= _WIDE]
    sentence = f"{len(known):,} of {counted(len(halves), 'speed-up')} measured now are known to 2 % or better"
    widest = max(halves)
    unknown = f" (half width of the 95 % interval of the median ratio); the least known to {100 * widest:.2g} %"
    return [f"{sentence}{unknown if widest < 1 else ' (half width of the 95 % interval of the median ratio)'}."]


def _association(found: pd.DataFrame) -> list[str]:
    """How well FLOPs predict latency, for each original."""
    from prunestats.noise.flops_and_latency import association_sentence

    several = found["original"].drop_duplicates().size > 1
    return [
        sentence
        for original, mine in found.groupby("original", sort=True)
        if (sentence := association_sentence(mine["flops"], mine["ms"], f"original {original}" if several else ""))
    ]


def _reachable(found: pd.DataFrame) -> float:
    """A speed-up that a subnetwork has, with two digits."""
    return float(f"{max(float(found['speedup'].median()), 0.01):.2g}")
