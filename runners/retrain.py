"""A stored subnetwork, with kept weights or trained again, to be exported; the database is only read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from prunestats.db import find_runs, open_database, read, stored_originals
from prunestats.db.connection.address import folder_beside
from prunestats.db.reading.find_run import kept_file
from prunestats.errors import InputError
from prunestats.metric import ERROR
from prunestats.runners.execution.kept_network import kept_metrics, kept_network
from prunestats.runners.execution.study_plan import PlannedOriginal
from prunestats.runners.execution.worker import (
    prepare_original,
    run_task,
    train_subnetwork,
    training_key,
)
from prunestats.runners.export_files import check_export, write_subnetwork
from prunestats.runners.networks.weights import weights_folder
from prunestats.runners.own_training_of_run import own_metrics, own_of_run, refuse_other_training
from prunestats.runners.reproduction import Reproduction, machine_differences, seed_noise
from prunestats.runners.stored_original import original_of_run, weights_of_run
from prunestats.runners.training.device import environment
from prunestats.runners.training.latency import BATCHES, measure_latency
from prunestats.runners.training.own_training import OwnTraining

METRICS = ("val_error", "test_error", "val_loss", "test_loss", "train_loss", "epochs")
OWN_METRICS = ("val_metric", "test_metric", "epochs")
"""Columns of the metrics of a run whose study has a metric of its own."""


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
    kept : bool
        Whether its kept weights were read; else it was trained again.
    evaluated : bool
        Whether its metrics were measured; else the hash of the file verifies kept weights.
    """

    folder: Path
    facts: dict[str, Any]
    reproduction: Reproduction
    kept: bool = False
    evaluated: bool = True

    @property
    def words(self) -> str:
        """Where its weights are from, and how its metrics agree with those of the stored run."""
        if not self.evaluated:
            return "kept weights, verified by the hash of their file, as the study names no `evaluate`"
        source = "kept weights, evaluated again" if self.kept else "trained again, as its weights are not kept"
        return f"{source}; {self.reproduction.words}"

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
    """Write a stored subnetwork as safetensors, ONNX, a `torch.export` program and JSON.

    Parameters
    ----------
    key : str
        The subnetwork's key, or a unique prefix of it.
    db : str or Path
        Results database.
    folder : str or Path
        Folder of the files, created if it does not exist.
    seed : int, optional
        Training seed of the run, by default that of the run with the best validation metric among those with kept
        weights, or without any the first whose run is done.
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
    A study keeps the weights of its best runs (`keep_weights`): they are read and verified by evaluation. Weights of
    other runs are reproduced by the same training from the same seed. On a machine of the same type with the same
    versions, weights and metrics are identical to the last bit; elsewhere they may differ slightly, and
    `Export.reproduction` says by how much, and whether by more than training seeds do.

    Examples
    --------
    >>> export = export_subnetwork("3f9c", "results.db", "my-subnetwork")     # doctest: +SKIP
    >>> export.facts["flops"], export.differences                             # doctest: +SKIP
    """
    folder = Path(folder)
    check_export(folder, onnx=onnx)
    engine = open_database(db, create=False)
    kept_folder = folder_beside(engine.url, "weights")
    with read(engine) as connection:
        row = _select_run(find_runs(connection, key), seed, protocol, lambda run: _kept_content(kept_folder, run))
        stored = stored_originals(connection)
    weights_of_originals = (
        Path(weights) if weights is not None else weights_folder(engine.url.drivername, engine.url.database)
    )
    engine.dispose()
    original = original_of_run(row, stored)
    content = weights_of_run(original, weights_of_originals, row)
    prepared, kept = prepare_original(original.task, content), _kept_content(kept_folder, row)
    own = own_of_run(row)
    if kept is None:
        network, metrics = _trained_again(row, original, content, own)
    else:
        network = kept_network(prepared, row.widths, kept)
        found = kept_metrics(network, prepared.data) if own is None else own_metrics(network, own, prepared.data)
        metrics = {name: getattr(row, name) for name in _names(row)} | found
    example = prepared.data.example_input
    facts = {
        **_identity(row, original),
        "weights": "retrained" if kept is None else "kept",
        "metrics": metrics,
        "stored_metrics": {name: getattr(row, name) for name in _names(row)},
        "num_classes": prepared.data.num_classes,
        "input_shape": list(example.shape[1:]),
        "data_digest": prepared.data.digest,
        "normalisation": {"mean": list(prepared.data.mean), "spread": list(prepared.data.spread)},
        "latency": [_latency(network, prepared.network, example, batch) for batch in BATCHES],
        "environment": environment(),
    }
    noise = seed_noise(db, row.study, row.protocol_key, row.val_error, len(prepared.data.validation))
    metric = ERROR if own is None else own.metric
    reproduction = Reproduction(_differences(facts), machine_differences(row, environment()), noise, metric)
    evaluated = kept is None or own is None or own.evaluate is not None
    written = write_subnetwork(network, example, folder, facts, onnx=onnx)
    return Export(folder, written, reproduction, kept is not None, evaluated)


def _kept_content(folder: Path, row: Any) -> bytes | None:
    """Kept weights of a run; None where there are none, or the file has another hash than stored."""
    file = kept_file(folder, row)
    content = None if file is None else file.read_bytes()
    return content if content is not None and hashlib.sha256(content).hexdigest() == row.kept_sha256 else None


def _trained_again(
    row: Any, original: PlannedOriginal, content: bytes, own: OwnTraining | None
) -> tuple[nn.Module, dict[str, Any]]:
    """The subnetwork of a run, trained again from its seed, and its metrics."""
    if own is not None:
        refuse_other_training(row, own)
    task = run_task(row.original, row.subnetwork, row.subnetwork_id, row.widths, row.parameters, row.seed, own)
    outcome, network = train_subnetwork(task, original.task, content)
    if network is None:
        raise InputError(f"expected a run that is done, as stored; found it failed when retrained: {outcome.failure}")
    return network, {name: getattr(outcome, name) for name in _names(row)}


def _names(row: Any) -> tuple[str, ...]:
    """Columns of the metrics of a run."""
    return METRICS if row.metric == ERROR.name else OWN_METRICS


def _differences(facts: dict[str, Any]) -> dict[str, tuple[float, float]]:
    stored, found = facts["stored_metrics"], facts["metrics"]
    return {name: (stored[name], found[name]) for name in stored if stored[name] != found[name]}


def _select_run(
    rows: Sequence[Any], seed: int | None, protocol: str | None, kept: Callable[[Any], bytes | None]
) -> Any:
    """The run to export: done, of the given protocol and seed; by default the best with kept weights, or the first."""
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
    weighted = [row for row in done if kept(row) is not None]
    return min(weighted, key=_rank) if weighted else done[0]


def _rank(row: Any) -> tuple[float, float]:
    sign = -1 if row.direction == "maximize" else 1
    return sign * row.val_metric, row.val_loss or 0.0


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


def _latency(network: nn.Module, original: nn.Module, example: Tensor, batch: int) -> dict[str, Any]:
    pruned, dense = measure_latency([network, original], example, batch)
    return {
        **asdict(pruned),
        "original_median_ms": dense.median_ms,
        "speedup": dense.median_ms / pruned.median_ms,
    }
