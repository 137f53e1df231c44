"""Retraining a stored subnetwork from its study, so that it can be exported; the database is only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor, nn

from prunestats.db import find_runs, open_database, read
from prunestats.errors import DatabaseError, InputError, StudyError
from prunestats.outcome import Outcome
from prunestats.runners.execution.study_plan import PlannedOriginal, plan_originals
from prunestats.runners.execution.worker import (
    OriginalTask,
    prepare_original,
    run_task,
    train_original,
    train_subnetwork,
    training_key,
)
from prunestats.runners.export_files import check_export, write_subnetwork
from prunestats.runners.networks.weights import weights_file, weights_folder, weights_match
from prunestats.runners.study.file import Study
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
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def differences(self) -> dict[str, tuple[float, float]]:
        """Metrics that differ from the stored run, as (stored, found); empty on the machine that ran it."""
        stored, found = self.facts["stored_metrics"], self.facts["metrics"]
        return {name: (stored[name], found[name]) for name in METRICS if stored[name] != found[name]}


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
    DatabaseError
        If the database cannot be read, or the original's weights are lost and retraining gives others.

    Notes
    -----
    A study stores metrics, not the weights of thousands of subnetworks: these are reproduced by the same training from
    the same seed. On a machine of the same type with the same versions, weights and metrics are identical to the last
    bit; elsewhere they may differ slightly, and `Export.differences` lists the metrics that do.

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
    weights_of_originals = (
        Path(weights) if weights is not None else weights_folder(engine.url.drivername, engine.url.database)
    )
    engine.dispose()
    original = _original(row)
    content = _weights(original.task, weights_of_originals, row.weights_sha256)
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
    return Export(folder, write_subnetwork(network, example, folder, facts, onnx=onnx))


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


def _original(row: Any) -> PlannedOriginal:
    """The original of a run, planned from the stored text of its study."""
    try:
        study = Study.model_validate_json(row.study_text)
    except ValidationError as error:
        raise InputError(
            f"expected a subnetwork that `prunestats run` trained; found one of study {row.study!r}, with external "
            "results: its weights are where it was trained"
        ) from error
    for original in plan_originals(study)[1]:
        if original.task.key == row.original:
            return original
    raise StudyError(
        f"expected the original {row.original} among those of study {row.study!r}; found others (has its data or "
        "network changed?): restore them"
    )


def _weights(task: OriginalTask, folder: Path, sha256: str) -> bytes:
    """The original's weights: from their file, or else retrained, if the hash is the stored one."""
    path = weights_file(folder, task.key)
    if weights_match(path, sha256):
        return path.read_bytes()
    trained = train_original(task)
    if trained.sha256 != sha256:
        raise DatabaseError(
            f"expected the stored weights of original {task.network}, seed {task.seed}, in {str(folder)!r}; found "
            "none, and training gave others (another machine or version?): restore the file"
        )
    return trained.weights


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
