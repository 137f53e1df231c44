"""Errors of a selected subnetwork, or another metric: expected, and beside the dense network and uniform pruning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from prunestats.metric import ERROR, Metric
from prunestats.noise.best_result import BestSubnetwork
from prunestats.noise.winners_curse import winner_error
from prunestats.numeric.generators import own_generator
from prunestats.numeric.intervals import Interval
from prunestats.study_record import Original

_NO_UNIFORM = {
    True: (
        "Not compared with uniform pruning, as the study has no such space: add one to the study file under a new "
        'name, with sampler = "jittered_uniform" and jitter = 0.1; runs that are stored are used again.'
    ),
    False: "Not compared with uniform pruning, as no space is named uniform: name one by --uniform or uniform=.",
}
"""What to do without a space of uniform pruning: by whether it is a study of this package, or imported results."""

_MORE_SEEDS = (
    "For a corrected {label} with its interval, set seeds = [0, 1] or more under [protocol] in the study file, under a "
    "new name; runs that are stored are used again."
)


def with_errors(
    found: BestSubnetwork,
    near: pd.DataFrame,
    comparable: pd.DataFrame,
    dense: Original,
    uniform: str | None,
    rng: np.random.Generator | None,
) -> BestSubnetwork:
    """Add the errors on the split that is reported, and the differences to the dense network and uniform pruning.

    Parameters
    ----------
    found : BestSubnetwork
        What was selected, with its metric.
    near : DataFrame
        Runs of its original and regime with similar FLOPs: the metric on validation, and reported, the metric on test
        or NaN.
    comparable : DataFrame
        The runs among which its mean is shrunk.
    dense : Original
    uniform : str or None
        Space of uniform pruning.
    rng : numpy.random.Generator or None
        It is not advanced.
    """
    metric, reported = found.metric, comparable["reported"]
    tested = bool(reported.notna().all()) and not bool((reported == comparable[metric.name]).all())
    winner = winner_error(
        comparable,
        test=comparable.assign(**{metric.name: reported}) if tested else None,
        subnetwork=found.subnetwork,
        response=metric.name,
        level=found.level,
        rng=own_generator(rng),
    )
    seen = winner.seen if winner.test is None else winner.test
    expected = winner.estimate or Interval(seen, -np.inf, np.inf, found.level)
    split = "test" if tested else "validation"
    dense_error = dense_value(dense, split, metric)
    mean = _mean(near[near["space"] == uniform], "reported" if tested else metric.name, found.level)
    found = replace(
        found,
        split=split,
        dense_error=dense_error,
        seen=winner.seen,
        expected=expected,
        corrected=winner.estimate is not None,
        drop=None if dense_error is None else _worse_by(expected, dense_error, metric),
        uniform=uniform,
        uniform_error=mean,
        versus_uniform=None if mean is None else _difference(expected, mean),
    )
    return replace(found, notes=(*found.notes, *winner.notes, *_missing_notes(found, own=dense.has_weights)))


def _missing_notes(found: BestSubnetwork, *, own: bool) -> list[str]:
    metric, label = found.metric, found.metric.label
    notes = [_MORE_SEEDS.format(label=label)] if own and not found.corrected and found.n_seeds == 1 else []
    if found.split == "validation":
        notes.append(f"No test {label} is recorded apart from validation {label}: the split that selected is reported.")
    if found.dense_error is None:
        notes.append(f"The {label} of the dense network is not recorded, so the drop is unknown.")
    if found.uniform is None:
        notes.append(_NO_UNIFORM[own])
    elif found.uniform_error is None:
        notes.append(f"Space {found.uniform!r} has no run of this original and regime to compare with.")
    if found.versus_uniform is not None and found.corrected and _is_worse(found.versus_uniform, metric):
        notes.append(
            f"For {found.budget.words} it is worse than uniform pruning on the {found.split} split, which takes no "
            f"part in the selection: validation {label} does not separate these subnetworks. More "
            f"validation {_data(metric)} or training seeds may; until then uniform pruning is the safer choice."
        )
    limit = found.budget.max_drop
    if limit is not None and found.drop is not None and found.drop.value > limit:
        notes.append(
            f"Its estimated drop on the {found.split} split, {metric.value(found.drop.value)}, is above the limit: it "
            f"was selected by its validation {label}."
        )
    return notes


def dense_value(dense: Original, split: str, metric: Metric) -> float | None:
    """Metric of the dense network on a split; None where it is not recorded."""
    own, error = (dense.test_metric, dense.test_error) if split == "test" else (dense.val_metric, dense.val_error)
    return error if own is None and metric == ERROR else own


def _data(metric: Metric) -> str:
    """What a split consists of: images for the error, examples of any kind for a metric of the study's own."""
    return "images" if metric == ERROR else "examples"


def _is_worse(difference: Interval, metric: Metric) -> bool:
    """Whether a difference is significant, and to the worse side."""
    return difference.low > 0 if metric.sign > 0 else difference.high < 0


def _mean(runs: pd.DataFrame, column: str, level: float) -> Interval | None:
    """Student's interval of the mean over subnetworks; no bounds with one subnetwork, None without any."""
    means = runs.groupby("subnetwork", sort=True)[column].mean().to_numpy(dtype=float)
    if means.size == 0:
        return None
    mean = float(means.mean())
    if means.size == 1:
        return Interval(mean, -np.inf, np.inf, level)
    half = float(stats.t.isf((1 - level) / 2, means.size - 1) * means.std(ddof=1) / np.sqrt(means.size))
    return Interval(mean, mean - half, mean + half, level)


def _worse_by(interval: Interval, dense: float, metric: Metric) -> Interval:
    """How much worse than the dense network: the difference, positive where worse."""
    value, low, high = (metric.sign * (bound - dense) for bound in (interval.value, interval.low, interval.high))
    return Interval(value, min(low, high), max(low, high), interval.level)


def _difference(a: Interval, b: Interval) -> Interval:
    """Interval of a - b from those of two independent estimates (Zou and Donner 2008)."""
    value = a.value - b.value
    below = float(np.hypot(a.value - a.low, b.high - b.value))
    above = float(np.hypot(a.high - a.value, b.value - b.low))
    return Interval(value, value - below, value + above, a.level)
