"""What `prunestats check` says of a study whose training is the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prunestats.wording import counted

if TYPE_CHECKING:
    from prunestats.metric import Metric
    from prunestats.runners.execution.own_trial import OwnStep
    from prunestats.runners.execution.study_plan import StudyPlan
    from prunestats.runners.execution.trial import Trial
    from prunestats.runners.pruning.coupling import Group


def data_lines(planned: StudyPlan) -> Iterator[str]:
    """Name, input and metric of a study that loads no data."""
    shape = " x ".join(map(str, planned.data.example_input.shape[1:]))
    yield f"study      {planned.study.name}"
    yield f"data       none is loaded: the network takes {shape}, and its training reads its own"
    yield metric_line(planned.study.measured)


def metric_line(metric: Metric) -> str:
    """Name, unit, direction and range of a metric."""
    low, high = ("" if bound is None else f"{bound:g}" for bound in (metric.low, metric.high))
    within = f", in [{low or '-∞'}, {high or '∞'}]" if low or high else ""
    unit = ", a fraction" if metric.is_fraction else f", in {metric.unit}" if metric.unit else ""
    return f"metric     {metric.name}{unit}{within}: {metric.better} is better"


def trial_lines(planned: StudyPlan, trial: Trial) -> Iterator[str]:
    """What each of the user's functions returned in its trial."""
    from prunestats.runners.execution.own_identity import own_training
    from prunestats.runners.study.tables import ASK

    original = trial.original
    yield f"network    {original.task.network}"
    groups = trial.trace.groups
    yield f"groups     {len(groups)} of filters that are pruned together, {counted(sum(map(_size, groups)), 'filter')}"
    yield f"cost       {original.flops:,} multiply-adds (MACs) for one input, {original.params:,} parameters"
    for step in trial.own:
        yield _step_line(step, planned.study.measured)
    trainings = (("the dense network", original.task.own), ("subnetworks", own_training(planned.study)))
    asked = [name for name, own in trainings if own is not None and own.train == ASK]
    if trial.own and asked:
        yield f"training   of {' and '.join(asked)} is asked for in Python, by prunestats.ask"
    if not trial.own:
        yield "training   none is called here: its runs are asked for in Python, by prunestats.ask"


def _step_line(step: OwnStep, metric: Metric) -> str:
    splits = [f"{metric.value(values[metric.name])} ({split})" for split, values in step.metrics.items()]
    return f"trial      {step.function} with {step.what}: {metric.name} {', '.join(splits)}, {step.seconds:.2g} s"


def _size(group: Group) -> int:
    return group.size
