"""Lines that `prunestats check` prints: the data, and each original that has been tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prunestats.cli.terminal import duration


def data_lines(planned: Any) -> Iterator[str]:
    """Study, data set and splits."""
    data, table = planned.data, planned.study.data
    where = "" if table.folder is None else f" from {table.folder}"
    yield f"study      {planned.study.name}"
    yield f"data       {table.name}{where}: {data.num_classes} classes, {_shape(data.example_input.shape[1:])}"
    splits = {"training": data.train, "validation": data.validation, "test": data.test}
    yield f"images     {', '.join(f'{len(split):,} {name}' for name, split in splits.items())}"


def trial_lines(planned: Any, trial: Any, timing: Any) -> Iterator[str]:
    """An original that has been tried: its groups, cost, weights with their errors, and the times of its runs."""
    original, protocol = trial.original, planned.study.protocol
    recipe = original.task.recipe
    seeds = [one.task.seed for one in planned.originals if _same(one.task, original.task)]
    yield f"network    {original.task.network}" + (f", seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else "")
    yield f"groups     {_groups(trial.trace.groups)}"
    yield f"cost       {original.flops:,} multiply-adds (MACs) for one image, {original.params:,} parameters"
    yield f"weights    {_weights(recipe, trial, timing)}"
    yield f"pixels     normalised by {trial.normalisation}"
    yield from _dense_lines(trial)
    yield f"memory     {_layout(trial.layout)}"
    if protocol.latency:
        yield "latency    timed on workers while other runs use the machine: `prunestats latency` times after the runs"
    for regime, _ in trial.pruned:
        seconds = _seconds(timing.run_s(regime.flops, protocol))
        yield f"run        of {count(protocol.epochs, 'epoch')} at {regime.flops:g} of the FLOPs: about {seconds}"
    for problem in trial.diverged:
        yield f"note       {problem}: a run that does so is stored as failed; is the learning rate too high?"


def _same(one: Any, other: Any) -> bool:
    return (one.network, one.recipe) == (other.network, other.recipe)


def _weights(recipe: dict[str, Any], trial: Any, timing: Any) -> str:
    given = trial.original.given
    if given is None:
        return f"trained for {_trained(recipe, timing)}"
    read = trial.checkpoint or "a state dict with the network's own names"
    what = f"of checkpoint {recipe['checkpoint']}: {read}" if "checkpoint" in recipe else given.origin
    further = f"fine-tuned for {_trained(recipe['finetune'], timing)}" if "finetune" in recipe else ""
    return "; ".join(filter(None, (what, given.head_words, further)))


def _trained(recipe: dict[str, Any], timing: Any) -> str:
    return f"{count(recipe['epochs'], 'epoch')}, about {_seconds(timing.original_s(recipe['epochs']))}"


def _dense_lines(trial: Any) -> Iterator[str]:
    """Errors of the dense network where its weights are given, before it is fine-tuned."""
    from prunestats.runners.execution.dense_check import is_below_chance, trained_on_validation

    found = trial.dense
    if found is None:
        return
    before = ", before fine-tuning" if "finetune" in trial.original.task.recipe else ""
    errors = f"validation error {found.validation.words}, test error {found.test.words}"
    yield f"dense      {errors}{before}; by chance {100 * found.validation.chance:.3g} %"
    if not is_below_chance(found.validation):
        yield "note       that is near chance: are its classes others, or is the normalisation not that of its weights?"
    if trained_on_validation(found):
        yield (
            "note       its validation error is significantly below its test error: were its weights trained on the "
            "validation images? Then errors of subnetworks there are too low as well: report those on test images"
        )


def _groups(groups: Any) -> str:
    shown = ", ".join(f"{group.name} {group.size}" for group in groups[:6])
    return f"{len(groups)} of filters that are pruned together: {shown}" + (", ..." if len(groups) > 6 else "")


def _layout(layout: Any) -> str:
    import torch

    if layout == torch.channels_last:
        return "channels last, which is faster on a CPU"
    if torch.cuda.is_available():
        return "contiguous, as on any GPU"
    return "contiguous: its forward pass fails with channels last, as `x.view(x.size(0), -1)` does"


def _shape(shape: Any) -> str:
    channels, height, width = shape
    return f"{count(channels, 'channel')}, {height} x {width} pixels"


def count(number: int, one: str, several: str | None = None) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else f"{seconds:.2g} s"
