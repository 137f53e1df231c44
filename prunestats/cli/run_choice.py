"""Options that restrict an analysis to a data set, originals or a protocol, and the refusal of runs that mix them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

OneDataset = Annotated[
    str | None,
    typer.Option(help="Only the data set of this name, with its hash. Required where runs of several are selected."),
]
Originals = Annotated[
    list[str] | None,
    typer.Option("--original", help="Only this original, by its key, or this network; may be repeated. Default: all."),
]
OneProtocol = Annotated[
    str | None, typer.Option(help="Only the protocol of this name. Required where runs of several are selected.")
]


@dataclass(frozen=True)
class RunChoice:
    """The data set, originals and protocol that an analysis is restricted to; None for all."""

    dataset: str | None = None
    original: Sequence[str] | None = None
    protocol: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The restrictions that were given, by name of the option: arguments of `load_results`."""
        every = {"dataset": self.dataset, "original": self.original or None, "protocol": self.protocol}
        return {name: value for name, value in every.items() if value is not None}


def refuse_mixed_selection(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse runs of several data sets or protocols, and name the option that chooses one."""
    from prunestats.results.pooling import SAME_IN_ALL_RUNS, distinct_names, listed

    for column in columns:
        found = distinct_names(frame, column)
        if len(found) > 1:
            words = SAME_IN_ALL_RUNS[column]
            raise InputError(f"expected one {words}; found {listed(found)}: choose one with --{column}")
