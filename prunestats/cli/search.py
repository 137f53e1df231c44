"""The command that searches for a good subnetwork."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunestats.cli.analysis import Level, load_runs, record_analysis
from prunestats.cli.options import Db, Onnx, Scheduler, StudyFile, Workers, app
from prunestats.cli.terminal import print_table, say, show_progress


@app.command()
def search(
    study: StudyFile,
    flops: Annotated[float, typer.Option(help="Target FLOPs as a fraction of the original's.")],
    budget: Annotated[
        int,
        typer.Option(
            min=1, help="Training budget in full trainings (of the protocol's epochs), confirmation included."
        ),
    ],
    db: Db = "prunestats.db",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder to export the winner to. Default: no export.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="Network of the study to prune. Required where there are several.")
    ] = None,
    finalists: Annotated[
        int, typer.Option(min=1, help="Subnetworks retrained with new seeds, to select the winner from.")
    ] = 3,
    finalist_seeds: Annotated[int, typer.Option(min=1, help="New training seeds per finalist.")] = 2,
    confirm_seeds: Annotated[
        int, typer.Option(min=2, help="Further training seeds, from which the winner's test error is estimated.")
    ] = 3,
    eta: Annotated[
        int, typer.Option(min=2, help="Successive-halving factor: keep the best 1/eta, train eta times longer.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampled candidates.")] = 0,
    level: Level = 0.95,
    workers: Workers = None,
    scheduler: Scheduler = None,
    onnx: Onnx = True,
) -> None:
    """Find a subnetwork by successive halving, and estimate its test error from independent seeds."""
    from prunestats.runners.search import search as find

    def announce(name: str, subnetworks: int, epochs: int) -> None:
        say(f"{name}: {subnetworks} subnetworks, {epochs} epoch{'s' if epochs > 1 else ''}")

    with show_progress() as progress:
        found = find(
            study, db, flops=flops, budget=budget, network=network, finalists=finalists, finalist_seeds=finalist_seeds,
            confirm_seeds=confirm_seeds, eta=eta, seed=seed, level=level, workers=workers, scheduler=scheduler,
            progress=progress, on_round=announce,
        )  # fmt: skip
    say("")
    for reason in found.reasons:
        say(f"- {reason}")
    rows = [
        (one.study.rsplit(", ", 1)[1], one.epochs, one.subnetworks, one.seeds, one.failed, one.best_val_error)
        for one in found.rounds
    ]
    print_table(("round", "epochs", "subnetworks", "seeds", "failed", f"best val {found.test.metric.label}"), rows)
    say("")
    say(f"Winner: {found.winner}, widths {list(found.widths)}")
    say(f"{found.flops_fraction:.4g} of the FLOPs, {found.params_fraction:.4g} of the parameters.")
    for sentence in found.sentences:
        say(f"- {sentence}")
    confirmed = found.rounds[-1].study
    loaded = load_runs(db, confirmed, None, None, "test", {"level": level})
    record_analysis(loaded, "search", [found.to_dict()])
    if output is None:
        say(f"To export it: prunestats export-subnetwork {found.winner} --protocol {found.protocol} -o FOLDER")
        return
    from prunestats.runners.retrain import export_subnetwork

    done = export_subnetwork(found.winner, db, output, protocol=found.protocol, onnx=onnx)
    say(f"Exported to {output}: {done.words}.")
