"""The metric of an analysis: its option, and the check that the runs have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.terminal import complain
from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, metric_of

if TYPE_CHECKING:
    import pandas as pd


class DefaultResponse(str):
    """The error, where no metric was named: it stands for the metric of a study that has its own."""


def _response(name: str | None) -> str | None:
    if name is None:
        return None
    from prunestats.results.means import refuse_old_name

    refuse_old_name(name)
    return name


def _response_or_error(context: typer.Context, parameter: typer.CallbackParam, name: str | None) -> str:
    source = context.get_parameter_source(parameter.name or "")
    if name is None or (source is not None and source.name == "DEFAULT"):
        return DefaultResponse("error")
    return _response(name) or name


RESPONSES = ("error", "log_cross_entropy")
"""Metrics of a study of classification."""

_RESPONSE: dict[str, Any] = {
    "metavar": "METRIC",
    "help": (
        "Metric to analyse: `error` or `log_cross_entropy`, the natural logarithm of cross-entropy; in a study with a "
        "metric of its own that one, or another that its training returned."
    ),
}
Response = Annotated[
    str,
    typer.Option(
        "--response",
        callback=_response_or_error,
        show_default="the study's own metric; else error",
        **_RESPONSE,
    ),
]
RecordedResponse = Annotated[
    str | None,
    typer.Option(
        "--response",
        callback=_response,
        show_default="the study's own metric; else log_cross_entropy, or error where it is not recorded",
        **_RESPONSE,
    ),
]


def recorded_response(frame: pd.DataFrame, response: str | None, split: str) -> str:
    """Return the metric to analyse, after checking that all runs have it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Runs of one study.
    response : str or None
        Given on the command line; None and a `DefaultResponse` stand for the study's own metric, where it has one.
    split : str
        The split of the runs, for messages.
    """
    metric = metric_of(frame)
    if metric != ERROR:
        return _own_response(frame, metric, None if isinstance(response, DefaultResponse) else response, split)
    _refuse_unknown(response, RESPONSES)
    missing = {name: int(frame[name].isna().sum()) for name in RESPONSES}
    if missing["log_cross_entropy"] and response == "log_cross_entropy":
        raise InputError(
            f"expected a cross-entropy on the {split} split in every run; found {missing['log_cross_entropy']:,} of "
            f"{len(frame):,} runs without one: use --response error"
        )
    if missing["error"] and (response == "error" or missing["log_cross_entropy"]):
        raise InputError(
            f"expected an error on the {split} split in every run; found {missing['error']:,} of {len(frame):,} runs "
            "without one: analyse the other split, or import the errors of this one"
        )
    if response is None and missing["log_cross_entropy"]:
        complain(
            f"error is analysed, as {missing['log_cross_entropy']:,} of {len(frame):,} runs have no cross-entropy on "
            f"the {split} split",
            "note",
        )
        return "error"
    return response or "log_cross_entropy"


def _own_response(frame: pd.DataFrame, metric: Metric, response: str | None, split: str) -> str:
    """Return the metric to analyse in a study with a metric of its own."""
    name = response or metric.name
    _refuse_unknown(name, _own_metrics(frame, metric))
    missing = int(frame[name].isna().sum())
    if missing:
        remedy = f"use --response {metric.name}" if name != metric.name else "analyse the other split"
        raise InputError(
            f"expected {name} on the {split} split in every run; found {missing:,} of {len(frame):,} runs without it: "
            f"{remedy}"
        )
    if name != metric.name:
        complain(f"lower {name} is taken to be better: a study has the direction of its metric, {metric.name}", "note")
    return name


def _own_metrics(frame: pd.DataFrame, metric: Metric) -> list[str]:
    """The study's metric and the others that its training returned: columns that other studies do not have."""
    from prunestats.db.reading.results import COLUMNS

    others = [str(name) for name in frame.columns if name not in (*COLUMNS, "val_metric", "test_metric")]
    return list(dict.fromkeys([metric.name, *others]))


def _refuse_unknown(name: str | None, known: Sequence[str]) -> None:
    if name is not None and name not in known:
        listed = f"one of {', '.join(known)}" if len(known) > 1 else f"{known[0]}, the study's only metric,"
        raise InputError(f"expected {listed} for --response; found {name!r}: choose one that the runs have")
