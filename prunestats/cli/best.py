"""The command `best`: the subnetwork to take for each budget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.analysis import (
    Level,
    LoadedRuns,
    Plot,
    Seed,
    finite_or_none,
    print_note,
    record_analysis,
    save_plot,
)
from prunestats.cli.headings import print_sentence
from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.cli.run_choice import OneDataset, OneProtocol, RunChoice, refuse_mixed_selection
from prunestats.cli.terminal import print_block, print_rows, say

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from prunestats.noise.best_result import BestSubnetwork

_INTERVALS = ("expected", "drop", "versus_uniform")
_COLUMNS = (
    *("network", "dataset", "original", "regime", "subnetwork", "n_candidates", "flops", "params"),
    *("flops_fraction", "params_fraction", "speedup_1", "speedup_64", "latency_ms", "speedup", "split", "dense_error"),
    *("seen", "corrected"),
    "as_good",
)


@app.command()
def best(
    db: Db = "prunestats.db",
    study: StudyName = None,
    flops: Annotated[
        float | None, typer.Option(help="FLOPs budget: at most this fraction of the original's. Default: each regime.")
    ] = None,
    params: Annotated[
        float | None,
        typer.Option(help="Parameters budget: at most this fraction of the original's, or above 1 this count."),
    ] = None,
    speedup: Annotated[
        float | None, typer.Option(help="Least speed-up over the dense network, as `prunestats latency` measured it.")
    ] = None,
    latency_ms: Annotated[
        float | None, typer.Option(help="Most milliseconds of a batch, as `prunestats latency` measured them.")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="Runtime of these latencies. Required where those of several are stored.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Images in a batch, likewise.")] = None,
    device: Annotated[str | None, typer.Option(help="Device, by any part of its name, likewise.")] = None,
    precision: Annotated[str | None, typer.Option(help="Precision, likewise.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads, likewise.")] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            help="Most that the error, a fraction, or the study's metric, in its unit, may be worse than the dense "
            "network's: takes the subnetwork with the fewest FLOPs."
        ),
    ] = None,
    uniform: Annotated[
        str | None,
        typer.Option(help="Pruning space to compare with. Default: uniform pruning, where the study has it."),
    ] = None,
    dataset: OneDataset = None,
    protocol: OneProtocol = None,
    level: Level = 0.95,
    seed: Seed = 0,
    plot: Plot = None,
    form: Form = "table",
) -> None:
    """Print the subnetwork to take for each budget: widths, cost, expected error, and how to export it."""
    import numpy as np

    from prunestats.db import open_database
    from prunestats.db.reading.best_subnetworks import best_of_study, given_budget, runs_to_select, with_latencies
    from prunestats.db.reading.latencies import LatencySetting
    from prunestats.noise.best_sentences import splits_sentence

    chosen = RunChoice(dataset, None, protocol).given
    limits: dict[str, Any] = {"flops": flops, "params": params, "speedup": speedup, "max_drop": max_drop}
    limits["latency_ms"] = latency_ms
    setting = LatencySetting(runtime, batch, device, precision, threads)
    engine = open_database(db, create=False)
    try:
        runs = runs_to_select(engine, study, dataset=dataset, protocol=protocol)
        refuse_mixed_selection(runs.frame, ["protocol"])
        metric = runs.facts.metric
        runs = with_latencies(engine, runs, setting, given_budget(**limits, metric=metric))
        budget = given_budget(**limits, metric=metric, measured_in=runs.measured_in)
        rng = np.random.default_rng(seed)
        found = best_of_study(engine, runs, db, budget=budget, uniform=uniform, level=level, rng=rng)
    finally:
        engine.dispose()
    if form == "json":
        print(json.dumps([one.to_dict() for one in found], indent=2, ensure_ascii=False))
    elif form == "csv":
        _print_csv(found)
    else:
        print_sentence(f"Study {runs.facts.name!r}. {splits_sentence(found)}", form)
        _print_answers(found)
    save_plot(plot, lambda: _front(runs.frame, runs.measured_in))
    measured = {"latency": runs.measured_in} if runs.measured_in else {}
    options = {
        "study": runs.facts.name,
        **limits,
        **measured,
        "uniform": uniform,
        **chosen,
        "level": level,
        "seed": seed,
    }
    record_analysis(LoadedRuns(db, runs.frame, options), "best", [one.to_dict() for one in found])


def _front(runs: pd.DataFrame, setting: str) -> Figure:
    from prunestats.reports.figures.latency import plot_latency_front

    return plot_latency_front(runs, setting)


def _print_answers(found: Sequence[BestSubnetwork]) -> None:
    """Print a sentence and a block of lines per budget, and below them each note once."""
    from prunestats.noise.best_sentences import answer_sentence, cost_lines, error_lines
    from prunestats.noise.choice import counted_notes

    for one in found:
        say("")
        print_block(answer_sentence(one))
        if one.subnetwork is None:
            continue
        print_block([*cost_lines(one), *error_lines(one)])
        if one.export is not None:
            say(f"  {one.export}")
    say("")
    for sentence in counted_notes([one.notes for one in found if one.subnetwork is not None], "budget"):
        print_note(sentence, "table")


def _print_csv(found: Sequence[BestSubnetwork]) -> None:
    bounds = [f"{name}{end}" for name in _INTERVALS for end in ("", "_low", "_high")]
    rows = [[*(getattr(one, name) for name in _COLUMNS), *_bounds(one), *_texts(one)] for one in found]
    label = found[0].metric.name if found else "error"
    heads = [f"dense_{label}" if name == "dense_error" else name for name in _COLUMNS]
    print_rows((*heads, *bounds, "budget", "spaces", "widths", "export"), rows, "csv")


def _bounds(one: BestSubnetwork) -> list[Any]:
    found = [getattr(one, name) for name in _INTERVALS]
    return [
        finite_or_none(getattr(interval, end)) if interval else None
        for interval in found
        for end in ("value", "low", "high")
    ]


def _texts(one: BestSubnetwork) -> list[Any]:
    widths = None if one.widths is None else json.dumps(one.widths)
    return [one.budget.words, ", ".join(one.spaces), widths, one.export]
