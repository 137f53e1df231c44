"""Constraints of a space, combinable with any sampler: on the support of the widths, or on the cost.

A minimal width and a width divisor restrict the support that the sampler draws from; the bands are conditions on the
cost of a draw, met by rejection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np

from prunestats.cost.model import CostModel
from prunestats.errors import InputError, StudyError
from prunestats.spaces.cost_bands import Booleans, FlopsBand, ParameterBand, RatioBand
from prunestats.spaces.support import Support, Widths


class Constraint(Protocol):
    """Interface of a constraint: what it demands, and either a smaller support or a condition on a draw."""

    @property
    def kind(self) -> str:
        """Its name in study files."""
        ...

    @property
    def is_condition(self) -> bool:
        """Whether it is a condition, met by rejection; otherwise it restricts the support."""
        ...

    @property
    def law(self) -> str:
        """What it demands of the widths or the cost, in words and symbols; stored with the space."""
        ...

    def narrow(self, support: Support) -> Support:
        """Return the support that it leaves: the same one for a condition."""
        ...

    def holds(self, cost: CostModel, widths: Widths) -> Booleans:
        """Whether each subnetwork satisfies it, shape (n,)."""
        ...

    def refusal(self, support: Support) -> str | None:
        """Return why no subnetwork can satisfy it, None where that cannot be known before sampling."""
        ...


@dataclass(frozen=True)
class _SupportConstraint:
    """A constraint on the support, which every draw satisfies."""

    is_condition: ClassVar[bool] = False

    def holds(self, cost: CostModel, widths: Widths) -> Booleans:
        """True for every subnetwork: widths outside the support are not proposed."""
        return np.ones(len(widths), dtype=bool)

    def refusal(self, support: Support) -> str | None:
        """None: a group's full width is always in the support."""
        return None


@dataclass(frozen=True)
class MinimalWidth(_SupportConstraint):
    """Every group keeps at least `filters` filters, or all of them where it has fewer.

    Parameters
    ----------
    filters : int
        Least number of kept filters, 1 or more.
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
        """Return the support with the minimal width raised."""
        return Support(support.cost, max(support.minimum, self.filters), support.divisor)


@dataclass(frozen=True)
class WidthDivisor(_SupportConstraint):
    """Every width is a multiple of `divisor`, or the full width of its group.

    Parameters
    ----------
    divisor : int
        Filters, 1 or more.

    Notes
    -----
    The sampler draws from the restricted support: a uniform width is uniform over it, and a real width is rounded to
    the nearest in it. Widths are never rounded after a band was checked, which would bias the sample.
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
        """Return the support restricted to multiples; two divisors leave multiples of both."""
        return Support(support.cost, support.minimum, int(np.lcm(support.divisor, self.divisor)))


CONSTRAINTS: dict[str, type[FlopsBand | ParameterBand | RatioBand | MinimalWidth | WidthDivisor]] = {
    known.kind: known for known in (FlopsBand, ParameterBand, RatioBand, MinimalWidth, WidthDivisor)
}


def constraint_of(stored: Mapping[str, Any]) -> Constraint:
    """Build a constraint from its `kind` and its parameters, as a table of a study file holds them.

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
    """Return the kind and the parameters as plain JSON types, from which `constraint_of` builds an equal constraint."""
    return {"kind": constraint.kind, **asdict(constraint)}  # type: ignore[call-overload]


def _check_count(name: str, value: int) -> None:
    if value < 1 or value != int(value):
        raise InputError(f"{name} must be a whole number, 1 or more; found {value:g}")
