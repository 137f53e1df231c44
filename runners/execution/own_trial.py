"""A trial of trainings of the user's own: each function is called once with `context.trial` set."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from prunestats.errors import TrialError
from prunestats.runners.execution.own_identity import own_training
from prunestats.runners.execution.own_runs import OwnRun, own_data, own_seed, pruned_network, reason_of
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan
from prunestats.runners.networks.function_source import reads
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.study.tables import ASK
from prunestats.runners.training.device import place_data
from prunestats.runners.training.own_training import Metrics, OwnTraining, call_own
from prunestats.runners.training.seeds import derived_rng


@dataclass(frozen=True)
class OwnStep:
    """A call of a user's function in a trial: of which network, what it returned, and seconds."""

    what: str
    function: str
    metrics: Metrics
    seconds: float


def try_own_functions(
    planned: StudyPlan,
    original: PlannedOriginal,
    network: nn.Module,
    trace: Trace,
    widths: Sequence[tuple[float, list[int]]],
    *,
    only_short: bool = False,
) -> tuple[OwnStep, ...]:
    """Call the user's functions with the dense network, and with the smallest subnetwork in every regime.

    Parameters
    ----------
    planned : StudyPlan
    original : PlannedOriginal
    network : torch.nn.Module
        The dense network, which is not changed.
    trace : Trace
    widths : sequence of (float, list of int)
        FLOPs target of each regime, and the widths of a subnetwork in it.
    only_short : bool
        Call only functions that read `context.trial`: others would train for as long as they do.

    Raises
    ------
    TrialError
        In one line: what failed, the line of the user's own file, and the error.
    """
    data = place_data(planned.data, torch.contiguous_format)
    rng = derived_rng(original.task.seed, original.task.key, "trial")
    steps: list[OwnStep] = []

    def step(what: str, function: str | None, functions: OwnTraining, tried: nn.Module, dense: bool) -> None:
        if function is None or function == ASK or (only_short and not reads(function, "trial")):
            return
        with TemporaryDirectory(prefix="prunestats-trial-") as folder:
            run = OwnRun(functions, Path(folder), own_seed(rng))
            context = run.context(own_data(data), dense=dense, trial=True)
            started = time.perf_counter()
            try:
                metrics = call_own(function, tried, context, functions.metric)
            except Exception as error:
                raise TrialError(
                    f"{original.task.network}: {function}, called with {what}, fails: {reason_of(error)}"
                ) from error
            steps.append(OwnStep(what, function, metrics, time.perf_counter() - started))

    if (dense := original.task.own) is not None:
        step("the dense network", dense.train or dense.evaluate, dense, copy.deepcopy(network), True)
    if (pruned := own_training(planned.study)) is not None:
        for regime, kept in widths:
            small = pruned_network(network, trace, tuple(kept), planned.protocol, rng)
            step(f"a subnetwork at {regime:g} of the FLOPs", pruned.train, pruned, small, False)
    return tuple(steps)
