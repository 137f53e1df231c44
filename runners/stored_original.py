"""The original of a stored run, built and traced again, and its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from pydantic import ValidationError
from sqlalchemy import Row
from torch import Tensor, nn

from prunestats.errors import DatabaseError, InputError, ReproductionError
from prunestats.runners.data.no_data import load_any
from prunestats.runners.execution.study_plan import PlannedOriginal, plan_originals
from prunestats.runners.execution.worker import train_original
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.weights import weights_file, weights_match, with_names
from prunestats.runners.study.file import Study
from prunestats.runners.study.tables import OriginalConfig


def original_of_run(row: Any, stored: Sequence[Row[Any]]) -> PlannedOriginal:
    """The original of a run, planned from the stored text of its study, with its network as it is built now."""
    try:
        study = Study.model_validate_json(row.study_text)
    except ValidationError as error:
        raise InputError(
            f"expected a subnetwork that `prunestats run` trained; found one of study {row.study!r}, with external "
            "results: its weights are where it was trained"
        ) from error
    seen = []
    for config in _as_built_now(study, row):
        alone = study.model_copy(update={"originals": (config,)})
        seen += plan_originals(alone, stored)[1]
        if seen[-1].task.key == row.original:
            return seen[-1]
    mine = next(each for each in stored if each.key == row.original)
    reasons = [list(each.network.differences(mine, "original")) for each in seen]
    fewest = min((found for found in reasons if found), key=len, default=[])
    # a layer or a data set says more than that outputs differ
    telling = [each for each in fewest if each.key.startswith(("data", "layer"))] or fewest
    named = "; ".join(f"{each.key}: {each.stored} then, {each.now} now" for each in telling) or "another recipe or seed"
    raise ReproductionError(
        f"expected the network and data that subnetwork {row.subnetwork} of study {row.study!r} was trained with; "
        f"found that they changed ({named}): restore them"
    )


def _as_built_now(study: Study, row: Any) -> list[OriginalConfig]:
    """Tables of a study that may describe a run's original, under the name by which its network is built now."""
    named = [config for config in study.originals if config.network == row.network] or study.originals
    return [config.model_copy(update={"network": row.network, "seeds": (row.original_seed,)}) for config in named]


def weights_of_run(original: PlannedOriginal, folder: Path, row: Any) -> bytes:
    """The original's weights: from their file, or else retrained, if the hash is the stored one."""
    task = original.task
    path = weights_file(folder, task.key)
    if weights_match(path, row.weights_sha256):
        now = original.network.fingerprint.names
        return with_names(path.read_bytes(), row.fingerprint["names"] if row.fingerprint else now, now)
    trained = train_original(task)
    if trained.sha256 != row.weights_sha256:
        raise DatabaseError(
            f"expected the stored weights of original {task.network}, seed {task.seed}, in {str(folder)!r}; found "
            "none, and training gave others (another machine or version?): restore the file"
        )
    return trained.weights


def dense_network(original: PlannedOriginal, row: Any, folder: Path) -> tuple[nn.Module, Tensor, bool]:
    """The dense network of a run, an input of it, and whether it has its weights: random ones if their file is gone."""
    data = load_any(original.task.data)
    network = build_network(original.task.network, num_classes=data.num_classes, seed=0)
    file = weights_file(folder, original.task.key)
    is_trained = weights_match(file, row.weights_sha256)
    if is_trained:
        network.load_state_dict(safetensors.torch.load(weights_of_run(original, folder, row)))
    return network, data.example_input, is_trained
