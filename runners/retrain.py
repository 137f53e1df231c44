"""Retraining a stored subnetwork from its study, so that it can be exported; the database is only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from prunestats.db import find_runs, open_database, read, stored_originals
from prunestats.errors import InputError
from prunestats.outcome import Outcome
from prunestats.runners.execution.study_plan import PlannedOriginal
from prunestats.runners.execution.worker import (
    prepare_original,
    run_task,
    train_subnetwork,
    training_key,
)
from prunestats.runners.export_files import check_export, write_subnetwork
from prunestats.runners.networks.weights import weights_folder
from prunestats.runners.reproduction import Reproduction, machine_differences, seed_noise
from prunestats.runners.stored_original import original_of_run, weights_of_run
from prunestats.runners.training.device import environment
from prunestats.runners.training.latency import BATCHES, measure_latency

METRICS = ("val_error", "test_error", "val_loss", "test_loss", "train_loss", "epochs")


@dataclass(frozen=True)
class Export:
    """An exported subnetwork.

    Parameters
    ----------
    folder : Path
    facts : dict
        Content of ``subnetwork.json``.
    reproduction : Reproduction
        How its metrics agree with those of the stored run.
    """

    folder: Path
    facts: dict[str, Any]
    reproduction: Reproduction

    @property
    def differences(self) -> dict[str, tuple[float, float]]:
        """Metrics that differ from the stored run, as (stored, found); empty on the machine that ran it."""
        return self.reproduction.differences


def export_subnetwork(
    key: str,
    db: str | Path,
    folder: str | Path,
    *,
    seed: int | None = None,
    protocol: str | None = None,
    weights: str | Path | None = None,
    onnx: bool = True,
) -> Export:
    """Retrain a stored subnetwork and write it as safetensors, ONNX, a `torch.export` program and JSON.

    Parameters
    ----------
    key : str
        The subnetwork's key, or a unique prefix of it.
    db : str or Path
        Results database.
    folder : str or Path
        Folder of the files, created if it does not exist.
    seed : int, optional
        Training seed of the run, by default the first whose run is done.
    protocol : str, optional
        Name or key of the protocol, where the subnetwork was run with several.
    weights : str or Path, optional
        Folder of the weights of the originals, by default beside the SQLite file.
    onnx : bool
        Whether to write ONNX, which needs the packages of the extra `export`.

    Returns
    -------
    Export

    Raises
    ------
    InputError
        If the key matches no subnetwork or several, its run failed, or the outputs of an exported file differ.
    ReproductionError
        If network or data are no longer those of the stored run; the message names what differs.
    DatabaseError
        If the database cannot be read, or the original's weights are lost and retraining gives others.

    Notes
    -----
    A study stores metrics, not the weights of thousands of subnetworks: these are reproduced by the same training from
    the same seed. On a machine of the same type with the same versions, weights and metrics are identical to the last
    bit; elsewhere they may differ slightly, and `Export.reproduction` says by how much, and whether by more than
    training seeds do.

    Examples
    --------
    >>> export = export_subnetwork("3f9c", "results.db", "my-subnetwork")     # doctest: +SKIP
    >>> export.facts["flops"], export.differences                             # doctest: +SKIP
    """
    folder = Path(folder)
    check_export(folder, onnx=onnx)
    engine = open_database(db, create=False)
    with read(engine) as connection:
        row = _select_run(find_runs(connection, key), seed, protocol)
        stored = stored_originals(connection)
    weights_of_originals = (
        Path(weights) if weights is not None else weights_folder(engine.url.drivername, engine.url.database)
    )
    engine.dispose()
    original = original_of_run(row, stored)
    content = weights_of_run(original, weights_of_originals, row)
    task = run_task(row.original, row.subnetwork, row.subnetwork_id, row.widths, row.parameters, row.seed)
    outcome, network = train_subnetwork(task, original.task, content)
    if network is None:
        raise InputError(f"expected a run that is done, as stored; found it failed when retrained: {outcome.failure}")
    prepared = prepare_original(original.task, content)
    example = prepared.data.example_input
    facts = {
        **_identity(row, original),
        **_metrics(row, outcome),
        "num_classes": prepared.data.num_classes,
        "input_shape": list(example.shape[1:]),
        "data_digest": prepared.data.digest,
        "normalisation": {"mean": list(prepared.data.mean), "spread": list(prepared.data.spread)},
        "latency": [_latency(network, prepared.network, example, batch) for batch in BATCHES],
        "environment": environment(),
    }
    noise = seed_noise(db, row.study, row.protocol_key, row.val_error, len(prepared.data.validation))
    reproduction = Reproduction(_differences(facts), machine_differences(row, environment()), noise)
    return Export(folder, write_subnetwork(network, example, folder, facts, onnx=onnx), reproduction)


def _differences(facts: dict[str, Any]) -> dict[str, tuple[float, float]]:
    stored, found = facts["stored_metrics"], facts["metrics"]
    return {name: (stored[name], found[name]) for name in METRICS if stored[name] != found[name]}


def _select_run(rows: Sequence[Any], seed: int | None, protocol: str | None) -> Any:
    """The run to export: done, of the given protocol or the only one, with the given seed or the first."""
    protocols = sorted({(row.protocol, row.protocol_key) for row in rows})
    named = [row for row in rows if protocol in (None, row.protocol, row.protocol_key)]
    if not named:
        raise InputError(f"--protocol: the subnetwork was run with {_listed(protocols)}; found {protocol!r}")
    if len({training_key(row.parameters) for row in named}) > 1:
        raise InputError(f"the subnetwork was run with {_listed(protocols)}: choose one with --protocol")
    seeded = [row for row in named if seed in (None, row.seed)]
    if not seeded:
        seeds = ", ".join(str(number) for number in sorted({row.seed for row in named}))
        raise InputError(f"--seed: the subnetwork was run with seed {seeds}; found {seed}")
    done = [row for row in seeded if row.state == "done"]
    if not done:
        raise InputError(f"expected a run that is done; found it failed: {seeded[0].failure}")
    return done[0]


def _listed(protocols: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"protocol {name!r} ({key})" for name, key in protocols)


def _identity(row: Any, original: PlannedOriginal) -> dict[str, Any]:
    return {
        "subnetwork": row.subnetwork,
        "study": row.study,
        "original": {
            "key": row.original,
            "network": original.task.network,
            "seed": original.task.seed,
            "recipe": original.task.recipe,
            "data": {name: value for name, value in original.task.data.items() if name != "folder"},
            "widths": dict(zip(original.cost.group_names, original.cost.group_sizes, strict=True)),
            "flops": original.flops,
            "params": original.params,
            "weights_sha256": row.weights_sha256,
        },
        "widths": dict(zip(original.cost.group_names, row.widths, strict=True)),
        "flops": row.flops,
        "params": row.params,
        "flops_convention": "multiply-adds",
        "protocol": {"name": row.protocol, "key": row.protocol_key, **row.parameters},
        "seed": row.seed,
    }


def _metrics(row: Any, outcome: Outcome) -> dict[str, Any]:
    """Metrics of the retrained subnetwork and of its stored run."""
    return {
        "metrics": {name: getattr(outcome, name) for name in METRICS},
        "stored_metrics": {name: getattr(row, name) for name in METRICS},
    }


def _latency(network: nn.Module, original: nn.Module, example: Tensor, batch: int) -> dict[str, Any]:
    pruned, dense = measure_latency([network, original], example, batch)
    return {
        **asdict(pruned),
        "original_median_ms": dense.median_ms,
        "speedup": dense.median_ms / pruned.median_ms,
    }
