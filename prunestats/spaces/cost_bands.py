"""Bands: conditions on a subnetwork's FLOPs, parameters or ratio, met by rejection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from prunestats.cost.buckets import check_bucket
from prunestats.cost.model import CostModel
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats
from prunestats.spaces.support import Support, Widths

Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class _Band:
    """From `low` to `high`, both included; a bound that is None does not exist."""

    kind: ClassVar[str]
    is_condition: ClassVar[bool] = True

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise InputError(f"{self.kind} needs low, high or both; found neither: give one")
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not all(0 < bound < np.inf for bound in bounds) or bounds != sorted(bounds):
            raise InputError(f"{self.kind} must have 0 < low <= high; found low {self.low}, high {self.high}")

    def narrow(self, support: Support) -> Support:
        """Return the support unchanged: a band is a condition."""
        return support

    @property
    def _words(self) -> str:
        if self.low is None:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high is None else f"in [{self.low:g}, {self.high:g}]"

    def _within(self, values: NDArray[Any]) -> Booleans:
        inside: Booleans = np.ones(values.shape, dtype=bool)
        if self.low is not None:
            inside &= values >= self.low
        if self.high is not None:
            inside &= values <= self.high
        return inside


@dataclass(frozen=True)
class _CostBand(_Band):
    """A band of a cost that increases with every width, as a fraction of the original's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if max(self.low or 0.0, self.high or 0.0) > 1:
            raise InputError(
                f"{self.kind} is in fractions of the original's; found {self._words}: divide counts by the original's, "
                "percentages by 100"
            )

    def fraction(self, cost: CostModel, widths: Widths) -> Floats:
        """Cost over the original's, shape (n,)."""
        raise NotImplementedError

    def holds(self, cost: CostModel, widths: Widths) -> Booleans:
        """Whether each subnetwork's cost lies in the band."""
        return self._within(self.fraction(cost, widths))

    def refusal(self, support: Support) -> str | None:
        """Return why a band below the cost of the smallest subnetwork is empty."""
        least = float(self.fraction(support.cost, support.least())[0])
        if self.high is not None and self.high < least:
            return f"the smallest subnetwork has {least:.3g} of the original's: raise high"
        return None


@dataclass(frozen=True)
class FlopsBand(_CostBand):
    """FLOPs between two fractions of the original's, in addition to the regime's band.

    Parameters
    ----------
    low, high : float, optional
        Fractions of the original's FLOPs, in (0, 1]; a bound that is left out does not exist.
    """

    kind: ClassVar[str] = "flops_band"

    @property
    def law(self) -> str:
        """The condition in words."""
        return f"FLOPs {self._words} of the original's"

    def overlaps(self, low: float, high: float) -> bool:
        """Whether it overlaps the band of fractions from `low` to `high`."""
        return (self.low is None or self.low <= high) and (self.high is None or self.high >= low)

    def fraction(self, cost: CostModel, widths: Widths) -> Floats:
        """FLOPs over the original's, shape (n,)."""
        return cost.flops(widths) / cost.flops(cost.sizes)


@dataclass(frozen=True)
class ParameterBand(_CostBand):
    """Parameters between two fractions of the original's.

    Parameters
    ----------
    low, high : float, optional
        Fractions of the original's parameters, in (0, 1]; a bound that is left out does not exist.
    """

    kind: ClassVar[str] = "parameter_band"

    @property
    def law(self) -> str:
        """The condition in words."""
        return f"parameters {self._words} of the original's"

    def fraction(self, cost: CostModel, widths: Widths) -> Floats:
        """Parameters over the original's, shape (n,)."""
        return cost.params(widths) / cost.params(cost.sizes)


@dataclass(frozen=True)
class RatioBand(_Band):
    """Ratio of FLOPs to parameter buckets between two values.

    Parameters
    ----------
    low, high : float, optional
        FLOPs per bucket; a bound that is left out does not exist.
    bucket : int
        Parameters per bucket.

    Examples
    --------
    >>> RatioBand(95.0, 120.0, bucket=4096).law
    'FLOPs per bucket of 4096 parameters in [95, 120]'
    """

    kind: ClassVar[str] = "ratio_band"

    bucket: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bucket(self.bucket)

    @property
    def law(self) -> str:
        """The condition in words."""
        buckets = "parameter" if self.bucket == 1 else f"bucket of {self.bucket} parameters"
        return f"FLOPs per {buckets} {self._words}"

    def holds(self, cost: CostModel, widths: Widths) -> Booleans:
        """Whether each subnetwork's ratio lies in the band."""
        return self._within(cost.ratio(widths, self.bucket))

    def refusal(self, support: Support) -> str | None:
        """None: the ratio is not monotone in the widths, so its least value is unknown before sampling."""
        return None
