"""What a study file says of trainings of the user's own: keys that are completed, and keys that must fit together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunestats.runners.study.tables import ASK, DataConfig, MetricConfig, OriginalConfig, ProtocolConfig, RecipeConfig


def with_own_training(table: dict[str, Any]) -> dict[str, Any]:
    """The content of a study file, completed: no data beside `input`, and runs to be asked for without a recipe."""
    originals = table.get("originals")
    tables = [one for one in originals if isinstance(one, dict)] if isinstance(originals, list | tuple) else []
    if "data" not in table and any(one.get("input") is not None for one in tables):
        table = {**table, "data": None}
    if table.get("metric") is None:
        return table
    protocol = table.get("protocol")
    completed = {**table, "originals": [_asked(one) if one in tables else one for one in originals or ()]}
    return {**completed, "protocol": _asked(protocol)} if isinstance(protocol, dict) else completed


def _asked(table: dict[str, Any]) -> dict[str, Any]:
    """A table with neither recipe, training nor checkpoint: its training is asked for."""
    known = {"train", "checkpoint", "pretrained", *RecipeConfig.model_fields}
    return table if known & {key for key, value in table.items() if value is not None} else {**table, "train": ASK}


def check_own_training(
    data: DataConfig | None,
    originals: Sequence[OriginalConfig],
    protocol: ProtocolConfig,
    metric: MetricConfig | None,
) -> None:
    """Refuse keys that do not fit together.

    Raises
    ------
    ValueError
        In one line: expected, found, what to do.
    """
    # without classes of images, top-1 error cannot be measured
    foreign = metric is not None or data is None
    for number, one in enumerate(originals):
        where = f"originals.{number}"
        if data is not None and one.input is not None:
            raise ValueError(
                f"{where}.input = {list(one.input)} makes no sense beside [data], whose images have a shape"
            )
        if data is None and one.input != originals[0].input:
            raise ValueError(f"{where}.input must be that of the first original; found {one.input}: one input a study")
        if foreign and (one.finetune or one.expected_error is not None):
            key = "finetune" if one.finetune else "expected_error"
            raise ValueError(f"{where}.{key} makes no sense beside [metric] or without data, as it is of top-1 error")
        if foreign and one.train is None and not one.is_given:
            raise ValueError(f"{where}.train is missing: {_WHY}, or give a checkpoint")
        if foreign and one.is_given and not (one.evaluate or protocol.evaluate):
            raise ValueError(f"protocol.evaluate is missing: {_WHY}, which measures the checkpoint of {where}")
    if foreign and protocol.train is None:
        raise ValueError(f"protocol.train is missing: {_WHY}")


_WHY = "with [metric], or without data, name a function of your own"
