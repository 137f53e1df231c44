"""Budgets: what a subnetwork may cost, how fast it must be, or how much error it may add."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric
from prunestats.numeric.plain_data import Result
from prunestats.wording import count, share

_ROUNDING = 1e-9
"""Relative excess over a limit that is ignored: products of decimal fractions, as 0.1 x 30, are off by 1e-16."""


@dataclass(frozen=True)
class Budget(Result):
    """Limits on a subnetwork; all that are given must hold.

    Parameters
    ----------
    flops : float or None
        Most FLOPs, as a fraction of the original's, in (0, 1].
    params : float or None
        Most parameters: a fraction of the original's up to 1, a count above 1.
    speedup : float or None
        Least measured speed-up over the original for a batch of 1, mean over runs.
    max_drop : float or None
        Most that the metric may be worse than the dense network's, in its unit: of fractions, such as the error, 0.01
        is one percentage point.
    metric : Metric
        What `max_drop` is a difference of.
    latency_ms : float or None
        Most milliseconds of a batch.
    measured_in : str
        Setting of the latencies that `speedup` and `latency_ms` speak of; empty for the columns of runs.

    Raises
    ------
    InputError
        For a limit outside its range.

    Examples
    --------
    >>> Budget(flops=0.5, params=20_000).words
    'at most 50 % of the FLOPs and at most 20,000 parameters'
    """

    flops: float | None = None
    params: float | None = None
    speedup: float | None = None
    max_drop: float | None = None
    metric: Metric = field(default=ERROR, metadata={"plain": False})
    latency_ms: float | None = None
    measured_in: str = ""

    def __post_init__(self) -> None:
        if self.flops is not None and not 0 < self.flops <= 1:
            raise InputError(
                f"flops must be a fraction of the original's in (0, 1]; found {self.flops:g}: for 50 % write 0.5"
            )
        if self.params is not None and not 0 < self.params < np.inf:
            raise InputError(
                f"params must be a fraction of the original's in (0, 1], or a count above 1; found {self.params:g}: "
                "write one of these"
            )
        if self.speedup is not None and not 0 < self.speedup < np.inf:
            raise InputError(f"speedup must be a factor above 0; found {self.speedup:g}: for half the time write 2")
        if self.latency_ms is not None and not 0 < self.latency_ms < np.inf:
            raise InputError(f"latency_ms must be milliseconds above 0; found {self.latency_ms:g}: write 4 for 4 ms")
        if self.max_drop is not None:
            self._check_drop(self.max_drop)

    @property
    def words(self) -> str:
        """The limits in words."""
        parts = []
        if self.flops is not None:
            parts.append(f"at most {share(self.flops)} of the FLOPs")
        if self.params is not None:
            most = count(int(self.params)) if self.params > 1 else f"{share(self.params)} of the"
            parts.append(f"at most {most} parameters")
        setting = f" ({self.measured_in})" if self.measured_in else ""
        if self.latency_ms is not None:
            # the setting is said once
            parts.append(f"a latency of at most {self.latency_ms:g} ms{setting if self.speedup is None else ''}")
        if self.speedup is not None:
            parts.append(f"a measured speed-up of at least {self.speedup:g}{setting}")
        if self.max_drop is not None:
            parts.append(self._drop_words(self.max_drop))
        return " and ".join(parts) or "of any cost"

    def _check_drop(self, drop: float) -> None:
        metric = self.metric
        bounded = metric.low is not None and metric.high is not None
        most = 1.0 if metric.is_fraction else metric.high - metric.low if bounded else np.inf  # type: ignore[operator]
        if not -most < drop < most:
            what = "a fraction" if metric.is_fraction else f"a difference of {metric.label}"
            remedy = "for one percentage point write 0.01" if metric.is_fraction else "write it in the metric's unit"
            raise InputError(f"max_drop must be {what} between {-most:g} and {most:g}; found {drop:g}: {remedy}")

    def _drop_words(self, drop: float) -> str:
        metric, side = self.metric, "above" if self.metric.sign > 0 else "below"
        if not metric.difference_words:
            return f"{metric.label} at most {drop:g} {side} the dense network's"
        return f"at most {metric.scale * drop:g} {metric.difference_words} of {metric.label} {side} the dense network"

    def allows_cost(self, units: pd.DataFrame) -> NDArray[np.bool_]:
        """Which subnetworks are within the limits of FLOPs, parameters and speed.

        Parameters
        ----------
        units : DataFrame
            One row a subnetwork: flops, params, original_flops, original_params; where `speedup` is set, speedup, or
            speedup_1 without `measured_in`; and latency_ms where that is set.
        """
        allowed = np.ones(len(units), dtype=bool)
        if self.flops is not None:
            allowed &= _within(_counted(units), self.flops * units["original_flops"])
        if self.params is not None:
            most = self.params * units["original_params"] if self.params <= 1 else self.params
            allowed &= _within(units["params"], most)
        if self.speedup is not None:
            allowed &= _within(self.speedup, _measured(units, "speedup" if self.measured_in else "speedup_1"))
        if self.latency_ms is not None:
            allowed &= _within(_measured(units, "latency_ms"), self.latency_ms)
        return allowed


def _within(value: pd.Series[float] | float, limit: pd.Series[float] | float) -> NDArray[np.bool_]:
    return np.asarray(value <= limit * (1 + _ROUNDING), dtype=bool)


def _counted(units: pd.DataFrame) -> pd.Series[float]:
    if not bool(units["flops"].notna().any()):
        raise InputError(
            "a budget of FLOPs needs the FLOPs of the subnetworks; found none in these results: give one of parameters "
            "(--params, params=) instead"
        )
    return units["flops"]


def _measured(units: pd.DataFrame, column: str) -> pd.Series[float]:
    if column not in units or not bool(units[column].notna().any()):
        raise InputError(
            "a budget of latency or speed-up needs measured latencies; found none: measure them with "
            "`prunestats latency STUDY --runtime eager --batch 1`"
        )
    return units[column]
