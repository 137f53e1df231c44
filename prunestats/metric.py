"""The metric of an analysis: its name, its direction, its unit and its range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from prunestats.errors import InputError
from prunestats.wording import NONE, decimals, fixed, percent, plain, times100

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Metric:
    """A metric by which subnetworks are selected and reported.

    Parameters
    ----------
    name : str
        Its name: a column of the results frame.
    direction : {"minimize", "maximize"}
        Whether lower or higher values are better.
    unit : str
        Its unit, as it is printed behind a number; fractions are printed as percentages.
    low, high : float or None
        Bounds of its range, None where it has none.

    Examples
    --------
    >>> miou = Metric("miou", "maximize", "fraction", 0, 1)
    >>> miou.value(0.6123), miou.better, miou.best
    ('61.23 %', 'higher', 'highest')
    >>> Metric("perplexity").value(12.345)
    '12.3'
    """

    name: str = "error"
    direction: Direction = "minimize"
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def sign(self) -> int:
        """1 where lower values are better and -1 where higher ones are: lower is better for the product with it."""
        return 1 if self.direction == "minimize" else -1

    @property
    def label(self) -> str:
        """Its name in a sentence."""
        return LABELS.get(self.name, plain(self.name))

    @property
    def better(self) -> str:
        """Comparative of a better value."""
        return "lower" if self.sign > 0 else "higher"

    @property
    def worse(self) -> str:
        """Comparative of a worse value."""
        return "higher" if self.sign > 0 else "lower"

    @property
    def best(self) -> str:
        """Superlative of the best value."""
        return "lowest" if self.sign > 0 else "highest"

    @property
    def extreme(self) -> str:
        """The end of the range at which the best values lie, as a superlative."""
        return "least" if self.sign > 0 else "greatest"

    @property
    def printed_unit(self) -> str:
        """Unit of printed values: "%" for fractions."""
        return "%" if self.is_fraction else plain(self.unit)

    @property
    def difference_unit(self) -> str:
        """Unit of printed differences: "pp", percentage points, for fractions."""
        return "pp" if self.is_fraction else plain(self.unit)

    @property
    def is_fraction(self) -> bool:
        """Whether values are fractions, printed as percentages."""
        return self.unit == "fraction"

    @property
    def scale(self) -> int:
        """Factor of printed values: 100 for fractions."""
        return 100 if self.is_fraction else 1

    @property
    def heading(self) -> str:
        """Its name with the unit of printed values in parentheses: heading of a column, label of an axis."""
        return f"{self.label} ({self.printed_unit})" if self.printed_unit else self.label

    def value(self, value: float | None, digits: int | None = None) -> str:
        """A value with its unit; by default with 2 decimals for a percentage and 3 significant digits otherwise."""
        if self.is_fraction:
            return percent(value, 2 if digits is None else digits)
        number = fixed(value, decimals([value]) if digits is None else digits)
        return number if number == NONE or not self.printed_unit else f"{number} {self.printed_unit}"

    def difference(self, value: float | None, digits: int | None = None) -> str:
        """A difference of two values with its unit, percentage points for fractions."""
        if self.is_fraction:
            number = fixed(times100(value), 2 if digits is None else digits)
        else:
            number = fixed(value, decimals([value]) if digits is None else digits)
        return number if number == NONE or not self.difference_unit else f"{number} {self.difference_unit}"

    @property
    def title(self) -> str:
        """Its name at the beginning of a sentence; names with a capital inside, as mIoU, stay as they are."""
        return self.label if any(c.isupper() for c in self.label) else self.label[:1].upper() + self.label[1:]

    @property
    def plural(self) -> str:
        """Several of its values, in a sentence."""
        return "errors" if self.name == "error" else f"{self.label} values"

    @property
    def difference_words(self) -> str:
        """Unit of a difference in a sentence: "percentage points" for fractions."""
        return "percentage points" if self.is_fraction else plain(self.unit)

    def digits(self, *values: float | None) -> int:
        """Decimals of values that are printed together: 2 for percentages, else 3 significant digits of the largest."""
        return 2 if self.is_fraction else decimals(values)

    def number(self, value: float | None, digits: int | None = None) -> str:
        """A value without its unit, in the scale of printed values."""
        scaled = None if value is None else self.scale * value
        return fixed(scaled, self.digits(value) if digits is None else digits)

    def check(self, value: Any) -> float:
        """The value as a number, refused with one line where it is none, not finite, or outside the range."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise InputError(
                f"{self.name} must be a number; found {type(value).__name__} {str(value)[:40]!r}: return a float"
            ) from None
        if isinstance(value, bool | str) or not math.isfinite(number):
            raise InputError(f"{self.name} must be a finite number; found {value!r}: return a float")
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        if not low <= number <= high:
            raise InputError(
                f"{self.name} must be in [{low:g}, {high:g}]; found {number:g}: check its unit, {self.unit or 'none'}"
            )
        return number

    def to_dict(self) -> dict[str, Any]:
        """Its fields, as JSON holds them."""
        return asdict(self)


LABELS = {"error": "error", "log_cross_entropy": "log cross-entropy", "miou": "mIoU", "map": "mAP"}
"""Names of metrics in a sentence, where they differ from those of columns."""

ERROR = Metric("error", "minimize", "fraction", 0.0, 1.0)
"""1 - top-1 accuracy: the metric of studies that name no other."""

_BUILT_IN = {
    "error": ERROR,
    "log_cross_entropy": Metric("log_cross_entropy", unit="log nats"),
    "cross_entropy": Metric("cross_entropy", unit="nats", low=0.0),
    "loss": Metric("loss", unit="nats", low=0.0),
}


def is_own(metric: Metric) -> bool:
    """Whether it is another metric than those that every classification study has.

    Examples
    --------
    >>> is_own(ERROR), is_own(Metric("perplexity"))
    (False, True)
    """
    return _BUILT_IN.get(metric.name) != metric


def as_metric(fields: Mapping[str, Any] | Metric | None) -> Metric:
    """The metric with these fields; `ERROR` without any."""
    if isinstance(fields, Metric):
        return fields
    return ERROR if fields is None else Metric(**fields)


def metric_of(frame: pd.DataFrame, response: str | None = None) -> Metric:
    """The metric of a column of a results frame; by default the one that the frame's study names, else `ERROR`.

    Parameters
    ----------
    frame : pandas.DataFrame
        `frame.attrs["metric"]` holds the fields of the study's metric where it is another than error; `load_results`,
        `results_frame` and `with_metric` put it there.
    response : str, optional
        Name of a column.

    Returns
    -------
    Metric
        Lower values of a column of which nothing is known are taken to be better.

    Raises
    ------
    InputError
        If the frame has runs of several metrics and none is named.

    Examples
    --------
    >>> import pandas as pd
    >>> metric_of(pd.DataFrame({"error": [0.1]})).name
    'error'
    >>> metric_of(with_metric(pd.DataFrame({"psnr": [31.2]}), Metric("psnr", "maximize", "dB"))).best
    'highest'
    """
    named = frame.attrs.get("metric")
    several = frame.attrs.get("metrics") or ([] if named is None else [named])
    if response is None and len(several) > 1:
        names = ", ".join(str(one["name"]) for one in several)
        raise InputError(f"one metric at a time is analysed; found runs with {names}: select one study")
    known = {str(one["name"]): as_metric(one) for one in several}
    if response is None:
        return next(iter(known.values()), ERROR)
    return known.get(response) or _BUILT_IN.get(response) or Metric(response)


def with_metric(frame: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The frame, marked as one of runs with this metric."""
    marked = frame.copy(deep=False)
    marked.attrs["metric"] = metric.to_dict()
    return marked


def lower_is_better(frame: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The frame with the values of a metric that is maximised negated, as the statistics minimise.

    What is computed from it holds negated values, which the caller turns back before they are returned.
    """
    if metric.sign > 0:
        return frame
    return frame.assign(**{metric.name: -frame[metric.name]})
