"""Callbacks of the user's own: called in this process with each run that was stored, and with each of its epochs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prunestats.outcome import Outcome
from prunestats.runners.execution.study_plan import StudyPlan
from prunestats.runners.networks.user_errors import described, where
from prunestats.runners.networks.user_networks import import_named
from prunestats.runners.study.file import Study

Callback = Callable[[dict[str, Any]], Any]


class CallbackWarning(UserWarning):
    """A callback that raised an error, which does not stop a study."""


@dataclass(frozen=True)
class Callbacks:
    """Functions that receive rows, as dictionaries.

    Parameters
    ----------
    on_run : tuple of callable
        Each receives a row for every run after it is stored.
    on_epoch : tuple of callable
        Each receives a row for every epoch of the run, before those of `on_run`.
    complained : set of int
        Functions whose error was said.
    """

    on_run: tuple[Callback, ...] = ()
    on_epoch: tuple[Callback, ...] = ()
    complained: set[int] = field(default_factory=set)

    @classmethod
    def given(cls, on_run: Callback | None, on_epoch: Callback | None) -> Callbacks:
        """The callbacks of these functions."""
        return cls(() if on_run is None else (on_run,), () if on_epoch is None else (on_epoch,))

    def beside(self, study: Study) -> Callbacks:
        """These callbacks after those that a study's ``[callbacks]`` names.

        Raises
        ------
        InputError
            If one cannot be imported.
        """
        named = study.callbacks
        on_run, on_epoch = (
            () if name is None else (import_named(name, "callback"),) for name in (named.on_run, named.on_epoch)
        )
        return Callbacks((*on_run, *self.on_run), (*on_epoch, *self.on_epoch))

    def stored(self, planned: StudyPlan, run: Any, outcome: Outcome) -> None:
        """Call the functions for a stored run: a record with subnetwork_key, original_key, widths and seed."""
        if not self.on_run and not self.on_epoch:
            return
        row = _row(planned, run)
        for epoch in outcome.epochs_log:
            values = {"train_loss": epoch.train_loss, "val_error": epoch.val_error, "val_loss": epoch.val_loss}
            for function in self.on_epoch:
                self._call(function, {**row, "epoch": epoch.epoch, **_known(values), **(epoch.metrics or {})})
        for function in self.on_run:
            self._call(function, {**row, **_result(outcome)})

    def _call(self, function: Callback, row: dict[str, Any]) -> None:
        try:
            function(row)
        except Exception as error:
            if id(function) not in self.complained:
                self.complained.add(id(function))
                name, place = getattr(function, "__qualname__", repr(function)), where(error)
                message = f"callback {name} raises {described(error)}{f' at {place}' if place else ''}"
                warnings.warn(
                    f"{message}: the study goes on, and this is not said again", CallbackWarning, stacklevel=3
                )


def _row(planned: StudyPlan, run: Any) -> dict[str, Any]:
    original = next(one for one in planned.originals if one.task.key == run.original_key)
    flops = int(original.cost.flops([run.widths])[0])
    return {
        "study": planned.study.name,
        "network": original.task.network,
        "original": run.original_key,
        "subnetwork": run.subnetwork_key,
        "widths": list(run.widths),
        "flops": flops,
        "flops_fraction": flops / original.flops,
        "params": int(original.cost.params([run.widths])[0]),
        "protocol": planned.study.protocol.name,
        "seed": run.seed,
    }


def _result(outcome: Outcome) -> dict[str, Any]:
    """State and metrics of a run: what was measured, with metrics of one's own under their names by split."""
    values = {
        name: getattr(outcome, name)
        for name in ("val_error", "test_error", "val_loss", "test_loss", "train_loss", "epochs", "wall_s", "failure")
    }
    own = {
        f"{'val' if split == 'validation' else split}_{name}": value
        for split, metrics in (outcome.metrics or {}).items()
        for name, value in metrics.items()
    }
    return {"state": outcome.state, **_known(values), **own}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
