"""Whether a subnetwork that was trained again gave its stored metrics, and what explains it if not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from prunestats.db import load_results
from prunestats.metric import ERROR, Metric, metric_of

# What decides the last digits of a training; other packages that are recorded do not take part in it.
_DECIDES = ("torch", "torch-pruning", "device", "processor")

# Two trainings with independent seeds differ by more than this many standard deviations of their difference once in 22.
_STANDARD_DEVIATIONS = 2.0


@dataclass(frozen=True)
class Reproduction:
    """How the metrics of a second training agree with the stored ones.

    Parameters
    ----------
    differences : dict of str to tuple of float
        Stored and found value of each metric that differs; empty if all are the same to the last bit.
    machine : tuple of str
        What differs between the machine and versions of the stored run and these; empty if nothing that is recorded.
    seed_noise : float
        Standard deviation of the validation metric between training seeds, in its unit.
    metric : Metric
        The study's metric.
    """

    differences: dict[str, tuple[float, float]]
    machine: tuple[str, ...]
    seed_noise: float
    metric: Metric = ERROR

    @property
    def _validation(self) -> tuple[float, float]:
        """The validation metric as it is stored and as it was found."""
        return self.differences.get("val_error" if self.metric == ERROR else "val_metric", (0.0, 0.0))

    @property
    def is_accepted(self) -> bool:
        """Whether the metrics are the same, or differ on another type of machine by no more than seeds do."""
        if not self.differences:
            return True
        stored, found = self._validation
        return bool(self.machine) and abs(found - stored) <= _STANDARD_DEVIATIONS * math.sqrt(2) * self.seed_noise

    @property
    def words(self) -> str:
        """The finding in a sentence."""
        if not self.differences:
            return "its metrics equal the stored ones"
        stored, found = self._validation
        size = (
            f"its validation {self.metric.label} is {found:.6g}, stored {stored:.6g}"
            if found != stored
            else "its losses differ"
        )
        noise = f"training seeds differ by {self.seed_noise:.2g} (standard deviation)"
        if not self.machine:
            return (
                f"{size}; {noise}. Network, data, versions and type of machine are those of the stored run: does the "
                "network draw random numbers without a seed?"
            )
        inside = "within" if self.is_accepted else "more than"
        return f"{size}, {inside} what seeds differ by; {noise}. The likely reason: {', '.join(self.machine)}"


def machine_differences(stored: Any, now: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs between the environment of a run (`platform`, `versions`, `host`) and that of this process."""
    found = [] if stored.platform == now["platform"] else [f"{stored.platform} then, {now['platform']} now"]
    before, after = dict(stored.versions or {}), dict(now["versions"])
    if "processor" not in before and stored.host == now["host"]:
        # stored before processors were recorded, on this machine
        before["processor"] = after.get("processor")
    names = [name for name in _DECIDES if before.get(name) != after.get(name)]
    return (*found, *(f"{name} {before.get(name, 'unknown')} then, {after.get(name, 'none')} now" for name in names))


def seed_noise(db: Any, study: str, protocol: str, val_error: float | None, images: int) -> float:
    """Standard deviation of the validation metric between training seeds of one subnetwork.

    Pooled over the subnetworks of the study that have several seeds; where none has, the standard error of an error
    over this many images, which is less than the noise of seeds, and 0 for another metric, of whose noise nothing is
    known then.
    """
    frame = load_results(db, study=study, protocol=protocol, columns=["subnetwork", "seed", "error"])
    name = metric_of(frame).name
    runs = frame.drop_duplicates(["subnetwork", "seed"])
    groups = runs.groupby("subnetwork")[name]
    within = (runs[name] - groups.transform("mean")).to_numpy(dtype=float)
    df = len(runs) - groups.ngroups
    if df > 0:
        return float(np.sqrt(within @ within / df))
    if val_error is None:
        return 0.0
    return math.sqrt(max(val_error * (1 - val_error), 1 / images) / images)
