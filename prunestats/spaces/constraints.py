"""Constraints: what a space's subnetworks must also satisfy, combinable on any sampler.

A minimal width and a width divisor narrow the widths that the sampler chooses from; the bands are conditions, met by
drawing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np

from prunestats.cost.model import CostModel
from prunestats.errors import InputError, StudyError
from prunestats.spaces.cost_bands import FlopsBand, ParameterBand, RatioBand, Truths
from prunestats.spaces.support import Support, Widths


class Constraint(Protocol):
    """What every constraint says: its law in words, and how it narrows the widths to choose from."""

    @property
    def kind(self) -> str:
        """Its name in study files."""
        ...

    @property
    def is_condition(self) -> bool:
        """Whether it is met by drawing again; otherwise it narrows what is drawn from."""
        ...

    @property
    def law(self) -> str:
        """What it demands, in words and symbols."""
        ...

    def narrow(self, support: Support) -> Support:
        """Return the widths that it leaves to choose from; the same where it is a condition."""
        ...

    def holds(self, cost: CostModel, widths: Widths) -> Truths:
        """Whether each subnetwork satisfies it, shape (n,)."""
        ...

    def refusal(self, support: Support) -> str | None:
        """Say why no subnetwork can satisfy it, None where that is not known beforehand."""
        ...


@dataclass(frozen=True)
class _Shape:
    """A constraint on each width, which every draw satisfies."""

    is_condition: ClassVar[bool] = False

    def holds(self, cost: CostModel, widths: Widths) -> Truths:
        """All of them: nothing else is proposed."""
        return np.ones(len(widths), dtype=bool)

    def refusal(self, support: Support) -> str | None:
        """Nothing to refuse: the whole of a group is always left open."""
        return None


@dataclass(frozen=True)
class MinimalWidth(_Shape):
    """Every group keeps at least so many filters, or all of them where it has fewer.

    Parameters
    ----------
    filters : int
    """

    kind: ClassVar[str] = "minimal_width"

    filters: int

    def __post_init__(self) -> None:
        _check_count("filters", self.filters)

    @property
    def law(self) -> str:
        """The support in words."""
        return f"widths of at least min({self.filters}, W_g)"

    def narrow(self, support: Support) -> Support:
        """Raise the least width."""
        return Support(support.cost, max(support.minimum, self.filters), support.divisor)


@dataclass(frozen=True)
class WidthDivisor(_Shape):
    """Every width is a multiple of a number, or the whole of its group.

    Parameters
    ----------
    divisor : int

    Notes
    -----
    The sampler chooses among these widths: uniform means uniform over them, and rounding means to the nearest of
    them. Nothing is rounded after it was drawn inside a band.
    """

    kind: ClassVar[str] = "width_divisor"

    divisor: int

    def __post_init__(self) -> None:
        _check_count("divisor", self.divisor)

    @property
    def law(self) -> str:
        """The support in words."""
        return f"widths that are multiples of {self.divisor}, or W_g"

    def narrow(self, support: Support) -> Support:
        """Leave multiples only."""
        return Support(support.cost, support.minimum, int(np.lcm(support.divisor, self.divisor)))


CONSTRAINTS: dict[str, type[FlopsBand | ParameterBand | RatioBand | MinimalWidth | WidthDivisor]] = {
    known.kind: known for known in (FlopsBand, ParameterBand, RatioBand, MinimalWidth, WidthDivisor)
}


def constraint_of(stored: Mapping[str, Any]) -> Constraint:
    """Make a constraint from a table of a study file: its `kind`, and its parameters.

    Raises
    ------
    StudyError
        If the kind or one of its parameters is unknown, missing or out of range.

    Examples
    --------
    >>> constraint_of({"kind": "ratio_band", "low": 95.0})
    RatioBand(low=95.0, high=None, bucket=1)
    """
    given = dict(stored) if isinstance(stored, Mapping) else {}
    kind = given.pop("kind", None)
    if kind not in CONSTRAINTS:
        raise StudyError(f"a constraint must have a kind, one of {', '.join(CONSTRAINTS)}; found {stored!r}")
    known = [field.name for field in fields(CONSTRAINTS[kind])]
    for key in given:
        if key not in known:
            raise StudyError(f"{key} is no parameter of constraint {kind!r}, which takes {', '.join(known)}")
    try:
        return CONSTRAINTS[kind](**given)
    except TypeError as error:
        raise StudyError(f"constraint {kind!r} takes {', '.join(known)} as numbers; found {given}") from error


def stored_constraint(constraint: Constraint) -> dict[str, Any]:
    """Return what `constraint_of` makes the same constraint from, as plain JSON types."""
    return {"kind": constraint.kind, **asdict(constraint)}  # type: ignore[call-overload]


def _check_count(name: str, value: int) -> None:
    if value < 1 or value != int(value):
        raise InputError(f"{name} must be a whole number, 1 or more; found {value:g}")
