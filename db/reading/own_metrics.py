"""Metrics of a study's own in the results frame: their columns, and the mark that tells which one counts."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, as_metric

_OF_ERROR = ("error", "loss", "log_cross_entropy")
_SPLITS = ("val_metric", "test_metric")


def study_metrics(populations: pd.DataFrame) -> list[Metric]:
    """Distinct metrics of the studies of some populations, in their order."""
    fields = [ERROR if text is None or pd.isna(text) else as_metric(json.loads(text)) for text in populations["metric"]]
    return list(dict.fromkeys(fields))


def add_own_metrics(runs: pd.DataFrame, metrics: Sequence[Metric], split: str) -> list[str]:
    """Add a column for each metric that a training of the user's own returned on a split; return their names.

    The studies' metrics have a column in any case, without values where no run has the split.
    """
    texts = runs["metrics"] if "metrics" in runs.columns else [None] * len(runs)
    rows = [json.loads(text).get(split, {}) if isinstance(text, str) else {} for text in texts]
    names = list(dict.fromkeys(name for row in rows for name in row))
    own = [metric.name for metric in metrics if metric != ERROR]
    for name in dict.fromkeys([*names, *own]):
        runs[name] = np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)
    return names


def columns_with_metrics(
    chosen: Sequence[str], metrics: Sequence[Metric], others: Sequence[str], *, known: Sequence[str]
) -> list[str]:
    """Columns of a frame in which the studies' metrics take the place of error and cross-entropy.

    Raises
    ------
    InputError
        For a column that is not there.
    """
    own = [metric.name for metric in metrics if metric != ERROR]
    everything = [*known, *(name for name in (*_SPLITS, *own, *others) if own and name not in known)]
    for name in chosen:
        if name not in everything:
            raise InputError(f"expected columns of the results frame; found {name!r}: it has {', '.join(everything)}")
    if not own:
        return list(chosen)
    kept = [
        name
        for name in chosen
        if ERROR in metrics or name not in (*_OF_ERROR, "val_error", "test_error", "val_loss", "test_loss")
    ]
    beside = [name for name in chosen if name in _OF_ERROR or name == "val_error"]
    added = [*own, *(name for name in others if name not in own), *_SPLITS] if beside else []
    place = min((list(chosen).index(name) for name in beside), default=0)
    place = sum(name in kept for name in chosen[:place])
    return list(dict.fromkeys([*kept[:place], *added, *kept[place:]]))


def mark_metrics(frame: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Write the metrics into the attributes of a frame, where `metric_of` finds them."""
    if len(metrics) == 1 and metrics[0] != ERROR:
        frame.attrs["metric"] = metrics[0].to_dict()
    elif len(metrics) > 1:
        frame.attrs["metrics"] = [metric.to_dict() for metric in metrics]
    return frame
