"""Confidence intervals and levels."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.errors import InputError
from prunestats.numeric.plain_data import Result


@dataclass(frozen=True)
class Interval(Result):
    """An estimate with its confidence interval.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Bounds of the two-sided interval, in the unit of `value`.
    level : float
        Confidence level in (0, 1).

    Examples
    --------
    >>> print(Interval(0.1, 0.08, 0.12, 0.95))
    0.1 [0.08, 0.12]
    """

    value: float
    low: float
    high: float
    level: float

    def times(self, factor: float) -> Interval:
        """Interval of the quantity times a factor; a negative one exchanges the bounds.

        Examples
        --------
        >>> print(Interval(0.1, 0.08, 0.12, 0.95).times(-1))
        -0.1 [-0.12, -0.08]
        """
        low, high = (self.low, self.high) if factor >= 0 else (self.high, self.low)
        return Interval(factor * self.value, factor * low, factor * high, self.level)

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def check_level(level: float) -> float:
    """Return `level` when it is a confidence level.

    Raises
    ------
    InputError
        Where it is not in (0, 1).

    Examples
    --------
    >>> check_level(0.95)
    0.95
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1; found {level:g}: for 95 % write level=0.95")
    return float(level)
