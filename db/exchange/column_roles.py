"""Which columns of an outside table hold what: roles, and how they are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from prunestats.db.exchange.table_files import KEY_COLUMN
from prunestats.db.schema import tables as schema
from prunestats.db.schema.types import Real
from prunestats.errors import InputError

# What a column may be, and what is said of it.
ROLES = {
    "subnetwork": "key of the subnetwork",
    "widths": "kept filters: a column of arrays, or one column a group",
    "flops": "FLOPs for one input",
    "params": "parameters",
    "error": "error; --split says of which split",
    "accuracy": "1 - error; --split says of which split",
    "val_error": "error on the validation split",
    "val_accuracy": "accuracy on the validation split",
    "test_error": "error on the test split",
    "test_accuracy": "accuracy on the test split",
    "loss": "cross-entropy in nats; --split says of which split",
    "val_loss": "cross-entropy on the validation split, nats",
    "test_loss": "cross-entropy on the test split, nats",
    "train_loss": "cross-entropy in training, nats",
    "seed": "seed of the run",
    "study": "name of the study",
    "space": "name of the space",
    "regime": "FLOPs target as a fraction of the original's",
    "tolerance": "relative tolerance of the regime",
    "original": "name of the original; its key where `network` is given too",
    "network": "name of the original's network",
    "dataset": "name of the data set",
    "original_seed": "seed of the original",
    "original_flops": "FLOPs of the original",
    "original_params": "parameters of the original",
    "draw": "order of drawing",
    "protocol": "name of the protocol",
    "protocol_key": "key of the protocol",
    "state": "'done' or 'failed'",
    "failure": "why it failed",
    "epochs": "epochs trained",
    "wall_s": "seconds of the run",
    "host": "machine",
    "platform": "operating system and processor",
    "python": "version of Python",
    "versions": "versions of packages, a JSON object",
    "created_at": "when it was stored, UTC",
    "planned": "whether the study planned the run",
    "flops_convention": "'multiply-adds' in every row",
}
# whatever else a run measures, by the names of its columns
MEASURED = {
    column.name: str(column.comment)
    for column in schema.run.columns
    if isinstance(column.type, Real) and column.name not in ROLES
}
METRICS = ("error", "accuracy", "val_error", "val_accuracy", "test_error", "test_accuracy")
LOSSES = ("loss", "val_loss", "test_loss", "train_loss")
# a seed each: several columns, or lists
SEEDED = (*METRICS, *LOSSES)
_SEVERAL = (*SEEDED, "widths")

Unit = Literal["counts", "thousands", "millions", "billions"]
Split = Literal["validation", "test"]
Convention = Literal["multiply-adds", "multiplications-and-additions"]
SCALE: dict[str, int] = {"counts": 1, "thousands": 10**3, "millions": 10**6, "billions": 10**9}


@dataclass(frozen=True)
class Meaning:
    """What an outside table says, and by which units.

    Parameters
    ----------
    columns : dict of str to tuple of str
        The columns of each role.
    flops_convention : {"multiply-adds", "multiplications-and-additions"}
        What its FLOPs count; the latter are halved.
    flops_unit, params_unit : {"counts", "thousands", "millions", "billions"}
    error_unit : {"fraction", "percent"}
    split : {"validation", "test"} or None
        Which split `error`, `accuracy` and `loss` are of.
    """

    columns: dict[str, tuple[str, ...]]
    flops_convention: Convention
    flops_unit: Unit = "counts"
    params_unit: Unit = "counts"
    error_unit: Literal["fraction", "percent"] = "fraction"
    split: Split | None = None

    def of_split(self, role: str) -> str:
        """The column of the database that a metric goes to."""
        for prefix in ("val_", "test_", "train_"):
            if role.startswith(prefix):
                return role.replace("accuracy", "error")
        return ("val_" if self.split == "validation" else "test_") + role.replace("accuracy", "error")

    @property
    def test_chooses(self) -> bool:
        """Whether the table has no validation error, so that choices can only look at the test split."""
        return not any(role in self.columns and self.of_split(role) == "val_error" for role in METRICS)


def find_columns(names: Sequence[str], given: Mapping[str, str | Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each role: those that were given, and else those of the same name.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    given : mapping
        A column, or several, by role; a comma stands between several in one string.

    Raises
    ------
    InputError
        For a role or a column that is not there, and for roles that contradict one another.

    Examples
    --------
    >>> find_columns(["arch", "flops", "params", "acc_0", "acc_1"], {"subnetwork": "arch", "accuracy": "acc_0,acc_1"})
    {'subnetwork': ('arch',), 'accuracy': ('acc_0', 'acc_1'), 'flops': ('flops',), 'params': ('params',)}
    """
    found = {role: _columns_of(role, value, names) for role, value in given.items()}
    used = {name for columns in found.values() for name in columns}
    skipped = set(METRICS) if any(role in found for role in METRICS) else set()
    skipped |= set(LOSSES) if any(role in found for role in LOSSES) else set()
    for role in (*ROLES, *MEASURED):
        if role not in found and role not in skipped and role in names and role not in used:
            found[role] = (role,)
    if not {"subnetwork", "widths"} & set(found) and KEY_COLUMN in names:
        found["subnetwork"] = (KEY_COLUMN,)
    _check_roles(found, names)
    return found


def _columns_of(role: str, value: str | Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    if role not in ROLES and role not in MEASURED:
        near = get_close_matches(role, ROLES, n=1)
        hint = f"do you mean {near[0]}?" if near else f"one of {', '.join(ROLES)}"
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
                f"expected a column for {role}; found none among {', '.join(map(repr, names[:12]))}: map it, as in "
                f"{role}=NAME"
            )
    if not {"subnetwork", "widths"} & set(found):
        raise InputError(
            "expected what tells subnetworks apart; found neither: map a column to subnetwork or to widths"
        )
    if not any(role in found for role in METRICS):
        raise InputError("expected an error or an accuracy; found neither: map a column, as in accuracy=NAME")
    if "seed" in found and any(len(found.get(role, ())) > 1 for role in SEEDED):
        raise InputError("expected one row a seed, or one column a seed; found both: leave one of them out")


def check_meaning(meaning: Meaning) -> None:
    """Refuse units that are none, metrics without a split, and two columns for one metric."""
    choices = {"flops_unit": tuple(SCALE), "params_unit": tuple(SCALE), "error_unit": ("fraction", "percent")}
    for name, known in {**choices, "split": ("validation", "test", None)}.items():
        if getattr(meaning, name) not in known:
            raise InputError(f"{name} must be one of {', '.join(map(str, known))}; found {getattr(meaning, name)!r}")
    bare = [role for role in ("error", "accuracy", "loss") if role in meaning.columns]
    if bare and meaning.split is None:
        raise InputError(f"expected which split the {bare[0]} is of; found nothing: say validation or test (--split)")
    targets = [meaning.of_split(role) for role in SEEDED if role in meaning.columns]
    for target in targets:
        if targets.count(target) > 1:
            raise InputError(f"expected one column for {target}; found several roles that say it: leave one out")
