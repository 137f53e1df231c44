"""Plausibility of imported costs and errors: values that suggest another unit or another FLOPs convention."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prunestats.db.exchange.column_roles import Meaning
from prunestats.db.exchange.refused_rows import COSTS, RefusedError, Run
from prunestats.errors import InputError, UnitWarning
from prunestats.metric import as_metric
from prunestats.results.frame import results_frame
from prunestats.results.units import FLOPS_PER_MULTIPLY_ADD, SCALE

Costs = Mapping[str, tuple[int | None, int]]
"""FLOPs, None where they are not known, and parameters of originals, by key."""

RUN_KEY = ("original", "subnetwork", "protocol_key", "seed")
"""Key of a run; with study, space and regime it identifies the copy of a run in one population."""

LEAST, MOST = 0.001, 1.5
"""Bounds of FLOPs and parameters as fractions of the original's.

A slip of units is a factor of 1,000 or more, and one of conventions a factor of 2: both take the largest subnetworks of
most tables out of the bounds. 1.5 and not 1, because an original's cost may have been counted by another program.
"""


@dataclass(frozen=True)
class _Slip:
    """A factor that brings every fraction between the bounds: a power of 1000, and for FLOPs perhaps 2 or 1/2."""

    unit: float
    convention: float = 1.0

    @property
    def factor(self) -> float:
        """What the fractions are multiplied by."""
        return self.unit * self.convention

    def distance(self, fraction: float) -> float:
        """Distance of a repaired fraction from 1, in natural logarithms; two slips at once are less likely than one."""
        # 1 lies between log 2, by which a second slip can come closer to 1, and log 1000, a slip of units
        return abs(math.log(fraction * self.factor)) + (self.unit != 1 and self.convention != 1)


_UNITS = tuple(_Slip(1000.0**power) for power in (-3, -2, -1, 1, 2, 3))
_CONVENTIONS = tuple(_Slip(1.0, convention) for convention in (0.5, 2.0))
_BOTH = tuple(_Slip(slip.unit, convention) for slip in _UNITS for convention in (0.5, 2.0))


def check_units(runs: Sequence[Run]) -> tuple[str, ...]:
    """Check the units of runs by `prunestats.results_frame`, which every statistic starts from.

    Returns
    -------
    tuple of str
        Warnings of values that suggest another unit but do not prove it.

    Raises
    ------
    InputError
        As `prunestats.results_frame`.
    """
    done = {tuple(run[name] for name in RUN_KEY): run for run in runs if run["state"] == "done"}
    groups: dict[tuple[bool, str], list[Run]] = {}
    for run in done.values():
        groups.setdefault((run["flops"] is not None, str(run.get("metric"))), []).append(run)
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always", UnitWarning)
        for mine in groups.values():
            _check_frame(mine)
    return tuple(dict.fromkeys(str(doubt.message) for doubt in doubts))


def _check_frame(runs: Sequence[Run]) -> None:
    """Check the units of runs of one metric, all with FLOPs or all without."""
    costs = ["params"] if runs[0]["flops"] is None else ["flops", "params"]
    metric = runs[0].get("metric")
    value = "val_error" if metric is None else "val_metric"
    columns = [*RUN_KEY, *costs, value]
    frame = pd.DataFrame([[run[name] for name in columns] for run in runs], columns=columns)
    response: dict[str, Any] = {"error": value}
    if metric is not None:
        own = as_metric(metric)
        response = {"metric": value, "metric_name": own.name, "direction": own.direction, "unit": own.unit}
        response["metric_range"] = (own.low, own.high)
    keys = {"subnetwork": "subnetwork", "original": "original", "protocol": "protocol_key", "seed": "seed"}
    roles: dict[str, Any] = {**keys, **{cost: cost for cost in costs}, **response}
    results_frame(frame, **roles)


def check_fractions(
    records: Sequence[tuple[int, Run]], meaning: Meaning, defaults: Mapping[str, Any], stored: Costs
) -> None:
    """Refuse a table whose costs are implausible fractions of the original's, where one change of units repairs them.

    Parameters
    ----------
    records : sequence of (int, dict)
        Number of the row, and its values with the costs of its original.
    meaning : Meaning
    defaults : mapping
        Values of roles for which a row has none.
    stored : mapping
        FLOPs and parameters of the originals in the database, by key.

    Raises
    ------
    InputError
        The message names the option that brings every fraction between the bounds, or the row whose cost stands for
        the original's.
    """
    for role, words in COSTS.items():
        if any(run[role] is None for _, run in records):
            continue
        fractions = [_fraction(run, role) for _, run in records]
        far = [place for place, fraction in enumerate(fractions) if not LEAST <= fraction <= MOST]
        if not far:
            continue
        row, run = records[far[0]]
        if f"original_{role}" not in {*meaning.columns, *defaults} and run["original"] not in stored:
            question: str | None = _largest(role, run, records)
        else:
            question = _question(role, run, _slip(fractions, role), meaning, defaults)
        if question:
            found = [fractions[place] for place in far]
            raise InputError(
                f"expected {words} between {LEAST} and {MOST} of the original's {_short(run[f'original_{role}'])}; "
                f"found {min(found):.3g} to {max(found):.3g} of it in {len(far):,} of {len(records):,} rows, first in "
                f"row {row}: {question}; if it is meant, pass --any-fraction"
            )


def _largest(role: str, run: Run, records: Sequence[tuple[int, Run]]) -> str:
    mine = [(other[role], row) for row, other in records if other["original"] == run["original"]]
    return f"row {max(mine)[1]} has the most and stands for the original: repair it, or pass --original-{role}"


def check_fraction(run: Run) -> None:
    """Refuse a row whose cost is an implausible fraction of the original's."""
    for role, words in COSTS.items():
        if run[role] is not None and not LEAST <= _fraction(run, role) <= MOST:
            found = f"{_fraction(run, role):.3g} of it; if it is meant, pass --any-fraction"
            raise RefusedError(f"{words} between {LEAST} and {MOST} of the original's", found)


def _fraction(run: Run, role: str) -> float:
    # a cost below 1 is refused later, with its own message
    return float(run[role] / max(run[f"original_{role}"], 1))


def _slip(fractions: Sequence[float], role: str) -> _Slip | None:
    """Return the slip that explains the fractions best: the one after which the largest is closest to 1."""
    low, high = min(fractions), max(fractions)
    candidates = _UNITS + _CONVENTIONS + _BOTH if role == "flops" else _UNITS
    fitting = [slip for slip in candidates if low * slip.factor >= LEAST and high * slip.factor <= MOST]
    return min(fitting, key=lambda slip: slip.distance(high), default=None)


def _question(role: str, run: Run, slip: _Slip | None, meaning: Meaning, defaults: Mapping[str, Any]) -> str | None:
    """Return what the slip suggests: the value of an option, or a column to convert."""
    if slip is None:
        return None
    if f"original_{role}" in meaning.columns:
        column = meaning.columns[f"original_{role}"][0]
        return f"is the column {column!r} in another unit than {meaning.columns[role][0]!r}? convert one of them"
    unit = meaning.flops_unit if role == "flops" else meaning.params_unit
    per_count = FLOPS_PER_MULTIPLY_ADD[meaning.flops_convention] if role == "flops" else 1
    if f"original_{role}" in defaults:
        value = run[f"original_{role}"] * per_count / SCALE[unit] / slip.factor
        return f"is it in the unit and convention of the column ({unit})? pass --original-{role} {value:.10g}"
    options = _options(role, slip, unit, per_count)
    if options is None:
        return "was the original imported in another unit? `prunestats remove --original` deletes it"
    return f"are they in {' of '.join(words for words, _ in options)}? pass {' '.join(option for _, option in options)}"


def _options(role: str, slip: _Slip, unit: str, per_count: int) -> list[tuple[str, str]] | None:
    """Return unit and convention under which the table has plausible costs, as words and options; None if none has."""
    units = {scale: name for name, scale in SCALE.items()}
    conventions = {count: name for name, count in FLOPS_PER_MULTIPLY_ADD.items()}
    scale, count = round(SCALE[unit] * slip.unit, 9), per_count / slip.convention
    if scale not in units or (role == "flops" and count not in conventions):
        return None
    found = []
    if slip.unit != 1:
        found.append((units[int(scale)], f"--{role}-unit {units[int(scale)]}"))
    if slip.convention != 1:
        found.append((conventions[int(count)], f"--flops-convention {conventions[int(count)]}"))
    return found


def _short(count: int) -> str:
    """Return a count in the largest unit that it reaches: 40.6 M."""
    for scale, letter in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if count >= scale:
            return f"{count / scale:.3g}{letter}"
    return str(count)
