"""The command that exports a subnetwork for use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunestats.cli.options import Db, app
from prunestats.cli.terminal import complain, print_table, say


@app.command()
def export_subnetwork(
    key: Annotated[str, typer.Argument(help="Key of the subnetwork, or a unique prefix of it.")],
    folder: Annotated[Path, typer.Option("-o", "--output", help="Folder for the files.")],
    db: Db = "prunestats.db",
    seed: Annotated[
        int | None, typer.Option(help="Training seed of the run; by default the first that is done.")
    ] = None,
    protocol: Annotated[str | None, typer.Option(help="Name or key of the protocol, if there are several.")] = None,
    onnx: Annotated[bool, typer.Option("--onnx/--no-onnx", help="Whether to write ONNX, too.")] = True,
) -> None:
    """Retrain a stored subnetwork and write it as safetensors, ONNX, a torch.export program and JSON."""
    from prunestats.runners.retrain import export_subnetwork as export

    done = export(key, db, folder, seed=seed, protocol=protocol, onnx=onnx)
    for name, (stored, found) in done.differences.items():
        complain(f"expected {name} {stored:.6g}, as stored; found {found:.6g}: another machine or version?", "differs")
    facts = done.facts
    same = "differ from" if done.differences else "equal"
    say(f"Subnetwork {facts['subnetwork']}, seed {facts['seed']}: its metrics {same} the stored ones.")
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
