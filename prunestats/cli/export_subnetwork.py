"""The command that exports a subnetwork for use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunestats.cli.options import Db, Onnx, app
from prunestats.cli.terminal import complain, print_table, say


@app.command()
def export_subnetwork(
    key: Annotated[str, typer.Argument(help="Key of the subnetwork, or an unambiguous prefix of it.")],
    folder: Annotated[Path, typer.Option("-o", "--output", help="Folder to write the files to.")],
    db: Db = "prunestats.db",
    seed: Annotated[
        int | None,
        typer.Option(
            help="Training seed of the run. Default: the best one whose weights are kept, else the first one."
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Name or key of the protocol. Required where the subnetwork was run with several."),
    ] = None,
    onnx: Onnx = True,
) -> None:
    """Write a stored subnetwork, by its kept weights or retrained, as safetensors, ONNX, torch.export and JSON."""
    from prunestats.runners.retrain import export_subnetwork as export

    done = export(key, db, folder, seed=seed, protocol=protocol, onnx=onnx)
    facts, agreed = done.facts, done.reproduction
    for name, (stored, found) in done.differences.items():
        complain(f"{name} is {found:.6g}; stored {stored:.6g}", "differs")
    say(f"Subnetwork {facts['subnetwork']}, seed {facts['seed']}: {done.words}.")
    original = facts["original"]
    rows = [("FLOPs", facts["flops"], original["flops"], original["flops"] / facts["flops"])]
    rows += [("parameters", facts["params"], original["params"], original["params"] / facts["params"])]
    for found in facts["latency"]:
        what = f"ms, batch of {found['batch']}"
        rows.append((what, found["median_ms"], found["original_median_ms"], found["speedup"]))
    print_table(("", "subnetwork", "original", "reduction factor"), rows)
    measured = facts["latency"][0]
    say(f"Latency: median of {measured['repeats']} passes on {measured['device']} with {measured['threads']} thread.")
    say(f"Wrote {', '.join(facts['sha256'])} and subnetwork.json in {done.folder}")
    if not agreed.is_accepted:
        raise typer.Exit(1)
