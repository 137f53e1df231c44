"""The metric of an analysis: its option, and the check that the runs have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.terminal import complain
from prunestats.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def _response(name: str | None) -> str | None:
    if name is None:
        return None
    from prunestats.results.means import refuse_old_name

    refuse_old_name(name)
    if name not in RESPONSES:
        raise InputError(f"expected one of {', '.join(RESPONSES)} for --response; found {name!r}: choose one")
    return name


RESPONSES = ("error", "log_cross_entropy")
_RESPONSE: dict[str, Any] = {
    "callback": _response,
    "metavar": f"[{'|'.join(RESPONSES)}]",
    "help": "Metric to analyse (lower is better): error, or the natural logarithm of cross-entropy.",
}
Response = Annotated[str, typer.Option(**_RESPONSE)]
RecordedResponse = Annotated[
    str | None,
    typer.Option(
        "--response", show_default="log_cross_entropy; error where cross-entropy is not recorded", **_RESPONSE
    ),
]


def recorded_response(frame: pd.DataFrame, response: str | None, split: str) -> str:
    """Return the metric to analyse, after checking that all runs have it."""
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
