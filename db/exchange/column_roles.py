"""Roles of the columns of an external table (error, FLOPs, seed, ...), and how columns are mapped to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from prunestats.db.exchange.digit_widths import DigitWidths
from prunestats.db.exchange.table_files import KEY_COLUMN
from prunestats.db.schema import tables as schema
from prunestats.errors import InputError
from prunestats.results.units import ERROR_UNITS, SCALE, FlopsConvention, Unit, check_convention

ROLES = {
    "subnetwork": "key of the subnetwork",
    "widths": "kept filters: a column of arrays, or one column per group of filters",
    "flops": "FLOPs for one input",
    "params": "parameters",
    "error": "1 - top-1 accuracy, on the split that --split names",
    "accuracy": "top-1 accuracy, on the split that --split names",
    "val_error": "error on the validation split",
    "val_accuracy": "accuracy on the validation split",
    "test_error": "error on the test split",
    "test_accuracy": "accuracy on the test split",
    "loss": "cross-entropy in nats, on the split that --split names",
    "val_loss": "cross-entropy on the validation split, nats",
    "test_loss": "cross-entropy on the test split, nats",
    "train_loss": "cross-entropy in training, nats",
    "seed": "training seed of the run",
    "study": "name of the study",
    "space": "name of the space",
    "regime": "FLOPs target as a fraction of the original's",
    "tolerance": "relative tolerance of the regime",
    "original": "name of the original network; its key where `network` is mapped too",
    "network": "name of the original's network",
    "dataset": "name of the data set",
    "original_seed": "training seed of the original",
    "original_flops": "FLOPs of the original",
    "original_params": "parameters of the original",
    "draw": "order in which the population was sampled",
    "protocol": "name of the protocol",
    "protocol_key": "key of the protocol",
    "state": "'done' or 'failed'",
    "failure": "reason of a failed run",
    "epochs": "epochs trained",
    "wall_s": "wall-clock seconds of the run",
    "host": "name of the machine",
    "platform": "operating system and processor",
    "python": "version of Python",
    "versions": "versions of packages, a JSON object",
    "created_at": "time of storing, UTC",
    "planned": "whether the plan of the study contains the run",
    "flops_convention": "'multiply-adds' in every row",
}
"""Meaning of a column by its role."""

OPTIONAL_ROLES = {name: str(schema.run.c[name].comment) for name in schema.OPTIONAL_METRICS}
"""Roles of latencies and proxies, named as the columns of the table `run`."""

METRICS = ("error", "accuracy", "val_error", "val_accuracy", "test_error", "test_accuracy")
LOSSES = ("loss", "val_loss", "test_loss", "train_loss")
SEEDED = (*METRICS, *LOSSES)
"""Roles with one value per seed: several columns, or a column of lists."""
_SEVERAL = (*SEEDED, "widths")

SplitName = Literal["validation", "test"]


@dataclass(frozen=True)
class Meaning:
    """Columns of an external table by role, and the units of these columns.

    Parameters
    ----------
    columns : dict of str to tuple of str
        The columns of each role.
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        What one FLOP is in the table; the database stores multiply-adds, so the latter are halved.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
    error_unit : {"fraction", "percent"}
    split : {"validation", "test"} or None
        Split on which `error`, `accuracy` and `loss` were measured.
    digits : DigitWidths or None
        What the digits of the column of widths stand for.
    """

    columns: dict[str, tuple[str, ...]]
    flops_convention: FlopsConvention
    flops_unit: Unit = "counts"
    params_unit: Unit = "counts"
    error_unit: Literal["fraction", "percent"] = "fraction"
    split: SplitName | None = None
    digits: DigitWidths | None = None

    def of_split(self, role: str) -> str:
        """Return the database column of a metric."""
        for prefix in ("val_", "test_", "train_"):
            if role.startswith(prefix):
                return role.replace("accuracy", "error")
        return ("val_" if self.split == "validation" else "test_") + role.replace("accuracy", "error")

    @property
    def selects_by_test(self) -> bool:
        """Whether the table lacks a validation error, so that selection can only use the test error."""
        return not any(role in self.columns and self.of_split(role) == "val_error" for role in METRICS)


def find_columns(names: Sequence[str], given: Mapping[str, str | Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each role: the given ones, else the column of the same name.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    given : mapping
        By role, one column or several; in a string, commas separate several.

    Raises
    ------
    InputError
        For an unknown role, a missing column, or roles that contradict one another.

    Examples
    --------
    >>> find_columns(["arch", "flops", "params", "acc_0", "acc_1"], {"subnetwork": "arch", "accuracy": "acc_0,acc_1"})
    {'subnetwork': ('arch',), 'accuracy': ('acc_0', 'acc_1'), 'flops': ('flops',), 'params': ('params',)}
    """
    found = {role: _columns_of(role, value, names) for role, value in given.items()}
    used = {name for columns in found.values() for name in columns}
    skipped = set(METRICS) if any(role in found for role in METRICS) else set()
    skipped |= set(LOSSES) if any(role in found for role in LOSSES) else set()
    for role in (*ROLES, *OPTIONAL_ROLES):
        if role not in found and role not in skipped and role in names and role not in used:
            found[role] = (role,)
    if not {"subnetwork", "widths"} & set(found) and KEY_COLUMN in names:
        found["subnetwork"] = (KEY_COLUMN,)
    _check_roles(found, names)
    return found


def _columns_of(role: str, value: str | Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    if role not in ROLES and role not in OPTIONAL_ROLES:
        near = get_close_matches(role, ROLES, n=1)
        hint = f"do you mean {near[0]}?" if near else f"use one of {', '.join(ROLES)}"
        raise InputError(f"expected a role of a column; found {role!r}: {hint}")
    listed: list[str] = []
    for part in [value] if isinstance(value, str) else value:
        listed += [part] if part in names else [piece.strip() for piece in part.split(",")]
    for name in listed:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            shown = f"do you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, names[:12]))}"
            raise InputError(f"expected a column for {role}; found none called {name!r}: {shown}")
    if len(listed) > 1 and role not in _SEVERAL:
        raise InputError(
            f"expected one column for {role}; found {len(listed)}: only {', '.join(_SEVERAL)} take several"
        )
    return tuple(listed)


def _check_roles(found: dict[str, tuple[str, ...]], names: Sequence[str]) -> None:
    for role in ("flops", "params"):
        if role not in found:
            raise InputError(
                f"expected a column for {role}; found none among {', '.join(map(repr, names[:12]))}: map it: "
                f"{role}=NAME"
            )
    if not {"subnetwork", "widths"} & set(found):
        raise InputError(
            "expected a column that identifies the subnetworks; found none: map a column to subnetwork or to widths"
        )
    if not any(role in found for role in METRICS):
        raise InputError("expected an error or an accuracy; found neither: map a column, for example accuracy=NAME")
    if "seed" in found and any(len(found.get(role, ())) > 1 for role in SEEDED):
        raise InputError("expected one row per seed or one column per seed; found both: leave one of them out")


def check_meaning(meaning: Meaning) -> None:
    """Refuse unknown units, metrics without a split, and two roles for one metric."""
    check_convention(meaning.flops_convention)
    choices = {"flops_unit": tuple(SCALE), "params_unit": tuple(SCALE), "error_unit": tuple(ERROR_UNITS)}
    for name, known in {**choices, "split": ("validation", "test", None)}.items():
        if getattr(meaning, name) not in known:
            choice = ", ".join(map(str, known))
            raise InputError(f"{name} must be one of {choice}; found {getattr(meaning, name)!r}: pass one of these")
    bare = [role for role in ("error", "accuracy", "loss") if role in meaning.columns]
    if bare and meaning.split is None:
        raise InputError(
            f"expected the split on which the {bare[0]} was measured; found none: pass --split validation or test"
        )
    targets = [meaning.of_split(role) for role in SEEDED if role in meaning.columns]
    for target in targets:
        if targets.count(target) > 1:
            raise InputError(f"expected one column for {target}; found several roles that map to it: leave one out")
