"""Training a stored subnetwork again, from its study, so that it can be exported; the database is only read."""

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
    """What `export_subnetwork` wrote.

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
        """Metrics that came out otherwise than they are stored: stored, found. None on the machine that ran it."""
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
    """Train a stored subnetwork again and write it as safetensors, ONNX, a `torch.export` program and JSON.

    Parameters
    ----------
    key : str
        The subnetwork's key, or as much of its beginning as tells it from the others.
    db : str or Path
        Results database.
    folder : str or Path
        Where the files go; made if it is not there.
    seed : int, optional
        Which of its runs; by default the first seed whose run is done.
    protocol : str, optional
        Name or key of the protocol, where the subnetwork was run with several.
    weights : str or Path, optional
        Folder of the weights of the originals, by default beside the SQLite file.
    onnx : bool
        Whether to write ONNX, which needs the extra `export`.

    Returns
    -------
    Export

    Raises
    ------
    InputError
        If the key names no subnetwork or several, its run failed, or an exported file computes something else.
    DatabaseError
        If the database cannot be read, or the original's weights are lost and training gives others.

    Notes
    -----
    A study stores metrics, not the weights of thousands of subnetworks: the weights are made again by the same
    training from the same seed. On a machine of the same type and with the same versions they are the same to the last
    bit, and so are the metrics; elsewhere they may differ a little, which `Export.differences` tells.
    """
    folder = Path(folder)
    check_export(folder, onnx=onnx)
    engine = open_database(db, create=False)
    with read(engine) as connection:
        row = _choose(find_runs(connection, key), seed, protocol)
    place = Path(weights) if weights is not None else weights_folder(engine.url.drivername, engine.url.database)
    engine.dispose()
    original = _original(row)
    content = _weights(original.task, place, row.weights_sha256)
    task = run_task(row.original, row.subnetwork, row.subnetwork_id, row.widths, row.parameters, row.seed)
    outcome, network = train_subnetwork(task, original.task, content)
    if network is None:
        raise InputError(f"the run is stored as done, and failed when it was repeated: {outcome.failure}")
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


def _choose(rows: Sequence[Any], seed: int | None, protocol: str | None) -> Any:
    """The run that was asked for: done, of one protocol, of the seed or the first one."""
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
    """The original of a run, as its study describes it."""
    try:
        study = Study.model_validate_json(row.study_text)
    except ValidationError as error:
        raise InputError(
            f"expected a subnetwork that `prunestats run` trained; found one of study {row.study!r}, with results "
            "from outside: its weights are where it was trained"
        ) from error
    for original in plan_originals(study)[1]:
        if original.task.key == row.original:
            return original
    raise StudyError(
        f"expected the original {row.original} among those of study {row.study!r}; found others (has its data or "
        "network changed?): restore them"
    )


def _weights(task: OriginalTask, folder: Path, sha256: str) -> bytes:
    """The original's weights: the stored file, or else trained again if that gives the same."""
    path = weights_file(folder, task.key)
    if weights_match(path, sha256):
        return path.read_bytes()
    trained = train_original(task)
    if trained.sha256 != sha256:
        raise DatabaseError(
            f"the weights of original {task.network}, seed {task.seed}, are not in {str(folder)!r} as stored, and "
            "training gave others (another machine or version?): restore the file"
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
    """Metrics of the repeated run beside those that are stored."""
    return {
        "metrics": {name: getattr(outcome, name) for name in METRICS},
        "stored_metrics": {name: getattr(row, name) for name in METRICS},
    }


def _latency(network: nn.Module, original: nn.Module, example: Tensor, batch: int) -> dict[str, Any]:
    ours, whole = measure_latency([network, original], example, batch)
    return {
        **asdict(ours),
        "original_median_ms": whole.median_ms,
        "speedup": whole.median_ms / ours.median_ms,
    }
