"""The training of a stored run where it is the user's own: its functions, and its metrics measured again."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from prunestats.errors import InputError, ReproductionError
from prunestats.runners.data.datasets import Data
from prunestats.runners.execution.own_identity import own_training, source_or_version
from prunestats.runners.execution.own_runs import OwnRun, own_data
from prunestats.runners.study.file import Study
from prunestats.runners.study.tables import ASK
from prunestats.runners.training.own_training import OwnTraining, call_own


def own_of_run(row: Any) -> OwnTraining | None:
    """The functions of the study of a run of `find_runs`; None where our own recipe trains."""
    return own_training(Study.model_validate_json(row.study_text))


def refuse_other_training(row: Any, own: OwnTraining) -> None:
    """Refuse to train a run again whose training is not here, or is another one by now.

    Raises
    ------
    InputError
        If it was trained elsewhere.
    ReproductionError
        If the function was changed since.
    """
    version = Study.model_validate_json(row.study_text).protocol.version
    if own.train is None or own.train == ASK:
        raise InputError(
            f"expected the kept weights of subnetwork {row.subnetwork}, which was trained elsewhere; found none: keep "
            "more with keep_weights in [storage], or export one whose weights are kept"
        )
    now = source_or_version(own.train, version)
    if now != row.parameters["train"]:
        raise ReproductionError(
            f"expected the training that subnetwork {row.subnetwork} of study {row.study!r} was trained with; found "
            f"that {own.train!r} changed (source {row.parameters['train']} then, {now} now): restore it"
        )


def own_metrics(network: nn.Module, own: OwnTraining, data: Data) -> dict[str, Any]:
    """Metrics of kept weights by the study's `evaluate`; none without it, where the hash of the file verifies them."""
    if own.evaluate is None:
        return {}
    with TemporaryDirectory(prefix="prunestats-evaluate-") as folder:
        context = OwnRun(own, Path(folder), 0).context(own_data(data))
        found = call_own(own.evaluate, network, context, own.metric)
    values = {f"{name}_metric": found.get(split, {}).get(own.metric.name) for name, split in _SPLITS}
    return {name: value for name, value in values.items() if value is not None}


_SPLITS = (("val", "validation"), ("test", "test"))
