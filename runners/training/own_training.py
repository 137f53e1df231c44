"""Trainings of the user's own: what a function is given, and what of its return is checked."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric
from prunestats.outcome import EpochMetric
from prunestats.runners.data.datasets import Data
from prunestats.runners.networks.user_networks import import_named

SPLITS = ("validation", "test")
Metrics = dict[str, dict[str, float]]
"""Metrics by split and name."""


@dataclass(frozen=True)
class OwnTraining:
    """Functions of the user's own that train and evaluate, and the metric that they must return.

    Parameters
    ----------
    train, evaluate : str or None
        ``"module:function"``.
    metric : Metric
    """

    train: str | None
    evaluate: str | None
    metric: Metric


@dataclass(frozen=True)
class Context:
    """What a training of the user's own is given beside the network.

    Parameters
    ----------
    device : torch.device
        Where the network is, and where to compute.
    seed : int
        In [0, 2**31). It derives from the study's seed and from what is trained, and so differs between the runs of two
        subnetworks too; the generators of torch, numpy and Python are seeded with it.
    folder : Path
        A folder of this run alone, where a training may leave files for its own restart; it goes when the run is
        stored.
    dense : bool
        Whether the network is the dense one, and not pruned.
    trial : bool
        Whether this is a trial, as `prunestats check` makes: one step is enough, and its metrics are not stored.
    data : Data or None
        The data of the study's ``[data]``, on the device: splits `train`, `validation` and `test` with `images` and
        `labels`; None where the study loads none.

    Examples
    --------
    >>> context = Context(torch.device("cpu"), 0, Path("run"))
    >>> context.report(1, miou=0.25)
    >>> context.log[0].metrics
    {'miou': 0.25}
    """

    device: torch.device
    seed: int
    folder: Path
    dense: bool = False
    trial: bool = False
    data: Data | None = None
    log: list[EpochMetric] = field(default_factory=list, repr=False)

    def report(self, epoch: int, **metrics: float) -> None:
        """Record metrics after an epoch; they are stored with the run.

        Parameters
        ----------
        epoch : int
            Number of epochs trained so far, 0 or more.
        **metrics : float
            Numbers by name.

        Raises
        ------
        InputError
            For an epoch that is no whole number of 0 or more, or a metric that is not a finite number.
        """
        if Metric("epoch", low=0).check(_number(epoch)) % 1:
            raise InputError(f"report: epoch must be a whole number; found {epoch!r}")
        named = {name: Metric(name).check(_number(value)) for name, value in metrics.items()}
        self.log[:] = [one for one in self.log if one.epoch != epoch]
        self.log.append(EpochMetric(int(epoch), None, metrics=named))


def call_own(name: str, network: nn.Module, context: Context, metric: Metric) -> Metrics:
    """Call a function of the user's own with a network and a context; return its metrics, checked.

    Parameters
    ----------
    name : str
        ``"module:function"``.
    network : torch.nn.Module
        Which the function may train in place.
    context : Context
    metric : Metric
        Which must be among the metrics of the validation split.

    Returns
    -------
    dict of str to dict of str to float

    Raises
    ------
    InputError
        If the function cannot be imported, or returns something else than metrics by split.
    """
    function: Callable[[nn.Module, Context], Any] = import_named(name, "function")
    if not callable(function):
        raise InputError(
            f"function {name!r}: expected a function of network and context; found a {type(function).__name__}"
        )
    context.folder.mkdir(parents=True, exist_ok=True)
    with seeded(context.seed):
        return checked(name, function(network, context), metric)


def checked(name: str, returned: Any, metric: Metric) -> Metrics:
    """Metrics by split as a function returned them, as plain numbers.

    Raises
    ------
    InputError
        If they are not metrics by split, or the one that counts is missing, not finite or outside its range.
    """
    wanted = f'{{"validation": {{"{metric.name}": ...}}, "test": {{...}}}}'
    if not isinstance(returned, Mapping) or "validation" not in returned:
        if isinstance(returned, Mapping):
            found, remedy = f"keys {', '.join(map(str, returned))}", 'put them under "validation"'
        else:
            found, remedy = f"a {type(returned).__name__}", "return a dictionary"
        raise InputError(f"{name} must return metrics by split, {wanted}; found {found}: {remedy}")
    unknown = [split for split in returned if split not in SPLITS]
    if unknown:
        raise InputError(f"{name} must return metrics of the splits {' and '.join(SPLITS)}; found {unknown[0]!r}")
    found_metrics: Metrics = {}
    for split, values in returned.items():
        if not isinstance(values, Mapping):
            raise InputError(f"{name} must return {wanted}; found a {type(values).__name__} for {split!r}")
        if metric.name not in values:
            why = "which [metric] names" if metric != ERROR else "as the study has no [metric]"
            raise InputError(
                f"{name} must return {metric.name!r} of the {split} split, {why}; found "
                f"{', '.join(map(str, values)) or 'no metric'}"
            )
        of = {str(key): metric if key == metric.name else Metric(str(key)) for key in values}
        try:
            found_metrics[split] = {key: of[key].check(_number(value)) for key, value in values.items()}
        except InputError as error:
            raise InputError(f"{name}, {split} split: {error}") from error
    return found_metrics


def _number(value: Any) -> Any:
    """The number in a tensor or an array of one element; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else value
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators of torch, numpy and Python, and leave them afterwards as they were."""
    states = np.random.get_state(), random.getstate()  # noqa: NPY002
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=list(gpus)):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(states[0])  # noqa: NPY002
            random.setstate(states[1])


def columns(metrics: Metrics, metric: Metric) -> dict[str, Any]:
    """Columns of a run or an original for metrics by split: the error has columns of its own."""
    values = [metrics.get(split, {}).get(metric.name) for split in SPLITS]
    names = ("val_error", "test_error") if metric.name == "error" else ("val_metric", "test_metric")
    return {**dict(zip(names, values, strict=True)), "metrics": metrics}
