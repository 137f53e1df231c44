"""What differs between a study as it is stored and as its file, networks and data are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prunestats.runners.execution.identity import StoredOriginal
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan
from prunestats.runners.networks.same_network import Difference
from prunestats.runners.study.file import Study


def study_changes(
    planned: StudyPlan, text: str, drawn: Sequence[StoredOriginal], protocols: Sequence[Mapping[str, Any]] = ()
) -> list[Difference]:
    """What differs from a stored study, a row for each key; empty where nothing does.

    Parameters
    ----------
    planned : StudyPlan
    text : str
        Stored text of the study of this name.
    drawn : sequence of StoredOriginal
        Originals of its stored populations.
    protocols : sequence of mapping
        Parameters of the protocols of its planned runs.

    Returns
    -------
    list of Difference
        A network that computes the same under another name, data in another folder and a checkpoint of another folder
        are no differences.
    """
    try:
        stored = Study.model_validate_json(text)
    except ValidationError:
        return [Difference("study", "imported results", "a study file")]
    new = [original for original in planned.originals if original.task.key not in {row.key for row in drawn}]
    old = [row for row in drawn if row.key not in {original.task.key for original in planned.originals}]
    same_originals = bool(drawn) and not new and not old
    found = list(_content(stored, planned.study, same_originals))
    if drawn:
        found += _originals(planned, new, old)
    source = planned.protocol.get("train")
    found += [
        Difference("protocol.train", f"source {one['train']}", f"source {source}")
        for one in protocols
        if source is not None and one.get("train", source) != source
    ]
    return list(dict.fromkeys(found))


def _content(stored: Study, now: Study, same_originals: bool) -> Iterator[Difference]:
    before, after = _flat(stored), _flat(now)
    for key in {**before, **after}:
        # functions of the user's own are compared by their sources
        if before.get(key) == after.get(key) or key.endswith((".train", ".evaluate")):
            continue
        if same_originals and _names_original(key):
            continue
        yield Difference(key, _shown(before.get(key)), _shown(after.get(key)))


def _flat(study: Study) -> dict[str, Any]:
    left_out: Any = {"data": {"folder", "workers"}, "storage": True, "callbacks": True}
    found = dict(_leaves("", study.model_dump(mode="json", exclude=left_out)))
    return {key: Path(value).name if key.endswith(".checkpoint") and value else value for key, value in found.items()}


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Keys and values of nested tables, where lists of numbers or names are values."""
    items: Iterator[tuple[Any, Any]] | None = None
    if isinstance(value, Mapping):
        items = iter(value.items())
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        items = iter(enumerate(value))
    if items is None:
        yield prefix, value
        return
    for key, item in items:
        yield from _leaves(f"{prefix}.{key}" if prefix else str(key), item)


def _names_original(key: str) -> bool:
    return key.startswith("originals.") and key.endswith((".network", ".checkpoint", ".pretrained"))


def _shown(value: Any) -> str:
    return "the default" if value is None else str(value)


def _originals(
    planned: StudyPlan, new: Sequence[PlannedOriginal], old: Sequence[StoredOriginal]
) -> Iterator[Difference]:
    """Differences of each planned original that is not stored from the stored one in whose place it is."""
    tables = {config.network: f"originals.{number}" for number, config in enumerate(planned.study.originals)}
    for original in new:
        table = tables[original.task.network]
        if replaced := _counterpart(original, old):
            yield from original.network.differences(replaced, table)


def _counterpart(original: PlannedOriginal, old: Sequence[StoredOriginal]) -> StoredOriginal | None:
    """The stored original that is most like a planned one: of its name and seed, or else of its seed."""

    def likeness(row: StoredOriginal) -> tuple[bool, bool]:
        return row.network == original.task.network, row.seed == original.task.seed

    return max(old, key=likeness, default=None)
