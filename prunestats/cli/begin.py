"""Commands before a study is run: init and check."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from prunestats.cli import own_training as own
from prunestats.cli.check_lines import count, data_lines, trial_lines
from prunestats.cli.options import StudyFile, Workers, app
from prunestats.cli.terminal import duration, make_folder, say
from prunestats.errors import InputError, TrialError

# FLOPs budgets of a short study: half and a quarter, at which losses are usually small and clear.
_FLOPS = (0.5, 0.25)

_MINUTES = 10.0
"""Minutes of a first study: long enough for populations of a small network, short enough to wait for."""


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Study file to write.")] = Path("study.toml"),
    network: Annotated[
        str | None,
        typer.Option(help="Network to prune: MODULE:NAME of your own, a built-in name, torchvision:NAME or timm:NAME."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Images: digits, cifar10, cifar100, a folder (CIFAR, IDX, parquet, or train/CLASS), an .npz file, or "
            "MODULE:FUNCTION that returns data sets of torch. Default: digits."
        ),
    ] = None,
    flops: Annotated[
        list[float] | None,
        typer.Option(help="FLOPs budget, as a fraction of the dense network's; repeatable. Default: 0.5 and 0.25."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes that the study may take on this machine. Default: 10.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="File with the trained weights of the network. Default: it is trained first.")
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Side of the images in pixels, for a folder of images or parquet. Default: theirs, up to 64."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Write the demo's study, with a comment on every key.")] = False,
) -> None:
    """Write a study file: a short one for --network, sized for this machine, or the demo's with every key."""
    if file.exists():
        raise InputError(f"expected a new file; found {file}, which is left as it is: name another file")
    if network is None or full:
        given = {
            "--network": network,
            "--data": data,
            "--flops": flops,
            "--minutes": minutes,
            "--checkpoint": checkpoint,
        }
        _refuse([name for name, value in given.items() if value], full)
        _write_demo(file)
        return
    _write_sized(file, _draft(network, data or "digits", tuple(flops or _FLOPS), checkpoint, image_size), minutes)


@app.command()
def check(study: StudyFile, workers: Workers = None) -> None:
    """Try a study without storing anything: one training step of every network, and how long the study will take."""
    from prunestats.runners.execution.dask_cluster import default_workers
    from prunestats.runners.execution.study_plan import plan_study
    from prunestats.runners.execution.timing import expected_s, time_trial
    from prunestats.runners.execution.trial import try_originals
    from prunestats.runners.study.file import read_study

    content = read_study(study)
    try:
        planned = plan_study(content)
    except InputError as error:
        raise TrialError(str(error)) from error
    for line in own.data_lines(planned) if content.data is None else data_lines(planned):
        say(line)
    trials = try_originals(planned)
    if content.protocol.train is not None:
        _say_own_trials(planned, trials, study)
        return
    timings = [time_trial(planned, trial) for trial in trials]
    for trial, timing in zip(trials, timings, strict=True):
        say("")
        for line in trial_lines(planned, trial, timing):
            say(line)
    processes = default_workers() if workers is None else workers
    seconds = expected_s(planned, trials, timings, processes)
    say("")
    expected = f"{planned.n_runs:,} runs will take about {duration(seconds)}"
    say(f"{expected} {_workers(processes)} on an otherwise idle machine.")
    say(planned.storage_sentence)
    say("Nothing was stored.")
    say(f"Next: prunestats run {quote(str(study))}")


def _say_own_trials(planned: Any, trials: Any, study: Path) -> None:
    for trial in trials:
        say("")
        for line in own.trial_lines(planned, trial):
            say(line)
    say("")
    say(f"{planned.n_runs:,} runs, whose duration depends on your training.")
    say(planned.storage_sentence)
    say("Nothing was stored.")
    if any(trial.own for trial in trials):
        say(f"Next: prunestats run {quote(str(study))}")


def _refuse(given: list[str], full: bool) -> None:
    if given and full:
        raise InputError(f"--full writes the demo's study as it is: expected no {given[0]} with it; edit the file")
    if given:
        raise InputError(f"{given[0]} needs --network, as in --network mynet:Net for the class Net in mynet.py")


def _write_demo(file: Path) -> None:
    from prunestats.files import write_atomically
    from prunestats.runners.study.file import demo_study_file

    make_folder(file.parent)
    write_atomically(file, demo_study_file().read_bytes())
    name = quote(str(file))
    say(f"Wrote {file}, the study of the demo. Edit it, then: prunestats check {name}, and prunestats run {name}")


def _draft(network: str, data: str, flops: tuple[float, ...], checkpoint: str | None, image_size: int | None) -> Any:
    from prunestats.runners.data.recognise import data_table
    from prunestats.runners.study.short_study import ShortStudy
    from prunestats.runners.study.sizing import StudySize

    for fraction in flops:
        if not 0 < fraction < 1:
            raise InputError(f"--flops must be a fraction of the dense network's, between 0 and 1; found {fraction:g}")
    table = data_table(data, image_size)
    what = network.rpartition(":")[2] or network
    label = table["name"].rpartition(":")[2]
    if label in ("images", "npz", "idx", "parquet"):
        label = Path(table["folder"]).resolve().stem
    size = StudySize(original_epochs=1, epochs=1, subnetworks=1, seeds=1)
    return ShortStudy(f"{what}-{label}", table, network, checkpoint, flops, None, True, 0, size)


def _write_sized(file: Path, draft: Any, minutes: float | None) -> None:
    from prunestats.files import write_atomically
    from prunestats.runners.execution.sized_study import sized_study

    allowed = _MINUTES if minutes is None else minutes
    if allowed <= 0:
        raise InputError(f"--minutes must be above 0; found {allowed:g}")
    found = sized_study(draft, minutes=allowed)
    make_folder(file.parent)
    write_atomically(file, found.draft.text.encode())
    for line in (_timed(found), _sized(found, file)):
        say(line)
    if found.draft.divisor is not None:
        say(
            f"Every group has many filters, so widths are multiples of {found.draft.divisor}: others cost time on many "
            "runtimes. For any widths, delete `constraints` from both spaces."
        )
    if not found.sizing.fits:
        say(_too_long(found, allowed))
    name = quote(str(file))
    say(f"Next: prunestats check {name}, then: prunestats run {name}")


def _timed(found: Any) -> str:
    timing, flops = found.timing, found.trial.original.flops
    paces = [
        f"{_milliseconds(timing.dense.train_s)} for the dense network ({flops:,} multiply-adds)",
        *(f"{_milliseconds(pace.train_s)} at {regime:g} of its FLOPs" for regime, pace in timing.pruned.items()),
    ]
    return f"Timed on this machine, a training step takes, for each image: {', '.join(paces)}."


def _sized(found: Any, file: Path) -> str:
    size, regimes = found.draft.size, len(found.draft.flops)
    budgets, seeds = count(regimes, "budget"), count(size.seeds, "training seed")
    product = f"{budgets} x 2 spaces x {size.subnetworks} subnetworks x {seeds}"
    return (
        f"Wrote {file}: {product}, {found.planned.n_runs:,} different runs of {count(size.epochs, 'epoch')}. "
        f"`prunestats run` will take about {duration(found.sizing.seconds)} {_workers(found.workers)} on "
        "an otherwise idle machine."
    )


def _too_long(found: Any, allowed: float) -> str:
    from prunestats.runners.study.sizing import fitted_size

    smallest = min(found.draft.flops)
    one = fitted_size(
        found.timing, [smallest], minutes=allowed, workers=found.workers, trained=found.draft.checkpoint is None
    )
    return (
        f"That is the least study that answers, and more than {allowed:g} minutes allow: it fits "
        f"--minutes {found.sizing.minutes:,}; with the budget {smallest:g} alone, --minutes {one.minutes:,}."
    )


def _workers(processes: int) -> str:
    return f"with {count(processes, 'worker process', 'worker processes')}" if processes else "in this process"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
