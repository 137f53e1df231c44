"""Roles of the columns of an external table (error, FLOPs, seed, ...), and the units of these columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prunestats.db.exchange.digit_widths import DigitWidths
from prunestats.db.schema import tables as schema
from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric
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
    "metric": "name, direction, unit and range of the study's metric, a JSON object; empty for error",
    "val_metric": "that metric on the validation split",
    "test_metric": "that metric on the test split",
    "metrics": "all metrics by split, a JSON object",
}
"""Meaning of a column by its role."""

OF_EXPORTS = ("metric", "val_metric", "test_metric", "metrics")
"""Roles of an export of studies with a metric of their own; a column of such a name is taken where all are there."""

OPTIONAL_ROLES = {name: str(schema.run.c[name].comment) for name in schema.OPTIONAL_METRICS}
"""Roles of latencies and proxies, named as the columns of the table `run`."""

METRICS = ("error", "accuracy", "val_error", "val_accuracy", "test_error", "test_accuracy")
LOSSES = ("loss", "val_loss", "test_loss", "train_loss")
_BARE = ("error", "accuracy", "loss")

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
    metric : Metric
        The metric of the table. Another than the error has the roles of its name, with "val_" and "test_" before it, in
        place of those of errors and accuracies.
    """

    columns: dict[str, tuple[str, ...]]
    flops_convention: FlopsConvention
    flops_unit: Unit = "counts"
    params_unit: Unit = "counts"
    error_unit: Literal["fraction", "percent"] = "fraction"
    split: SplitName | None = None
    digits: DigitWidths | None = None
    metric: Metric = ERROR

    @property
    def has_flops(self) -> bool:
        """Whether the table has FLOPs."""
        return "flops" in self.columns

    def of_split(self, role: str) -> str:
        """Return the database column of a metric."""
        if self.metric != ERROR and role in metric_roles(self.metric):
            named = role.removesuffix(self.metric.name)
            return f"{named or self._prefix}metric"
        for prefix in ("val_", "test_", "train_"):
            if role.startswith(prefix):
                return role.replace("accuracy", "error")
        return self._prefix + role.replace("accuracy", "error")

    @property
    def _prefix(self) -> str:
        return "val_" if self.split == "validation" else "test_"

    @property
    def selects_by_test(self) -> bool:
        """Whether the table lacks a validation metric, so that selection can only use that of the test split."""
        roles = [role for role in metric_roles(self.metric) if role in self.columns]
        return not any(self.of_split(role) in ("val_error", "val_metric") for role in roles)


def metric_roles(metric: Metric) -> tuple[str, ...]:
    """Roles of the metric of a table.

    Examples
    --------
    >>> metric_roles(Metric("perplexity"))
    ('perplexity', 'val_perplexity', 'test_perplexity')
    """
    if metric == ERROR:
        return METRICS
    return (metric.name, f"val_{metric.name}", f"test_{metric.name}")


def seeded_roles(metric: Metric) -> tuple[str, ...]:
    """Roles with one value per seed: several columns, or a column of lists."""
    return tuple(dict.fromkeys((*metric_roles(metric), *LOSSES)))


def roles_of(metric: Metric) -> tuple[str, ...]:
    """Every role that a column of a table with this metric can have."""
    if metric == ERROR:
        return (*ROLES, *OPTIONAL_ROLES)
    others = (role for role in (*ROLES, *OPTIONAL_ROLES) if role not in (*METRICS, *OF_EXPORTS))
    return tuple(dict.fromkeys((*metric_roles(metric), *others)))


def check_meaning(meaning: Meaning) -> None:
    """Refuse unknown units, metrics without a split, and two roles for one metric."""
    check_convention(meaning.flops_convention)
    choices = {"flops_unit": tuple(SCALE), "params_unit": tuple(SCALE), "error_unit": tuple(ERROR_UNITS)}
    for name, known in {**choices, "split": ("validation", "test", None)}.items():
        if getattr(meaning, name) not in known:
            choice = ", ".join(map(str, known))
            raise InputError(f"{name} must be one of {choice}; found {getattr(meaning, name)!r}: pass one of these")
    bare = [role for role in (meaning.metric.name, *_BARE) if role in meaning.columns]
    if bare and meaning.split is None:
        raise InputError(
            f"expected the split on which the {bare[0]} was measured; found none: pass --split validation or test"
        )
    if meaning.error_unit == "percent" and not meaning.metric.is_fraction:
        raise InputError(
            f"expected --error-unit percent for a metric that is a fraction; found {meaning.metric.name} with the unit "
            f"{meaning.metric.unit!r}: leave it out, or pass --unit fraction"
        )
    targets = [meaning.of_split(role) for role in seeded_roles(meaning.metric) if role in meaning.columns]
    for target in targets:
        if targets.count(target) > 1:
            raise InputError(f"expected one column for {target}; found several roles that map to it: leave one out")
