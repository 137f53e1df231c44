"""Pruning spaces: distributions over widths, and the regimes that bound their FLOPs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from prunestats.cost.model import CostModel
from prunestats.errors import InputError, StudyError
from prunestats.spaces.constraints import Constraint, MinimalWidth, WidthDivisor, constraint_of, stored_constraint
from prunestats.spaces.cost_bands import FlopsBand, ParameterBand, RatioBand
from prunestats.spaces.registry import SAMPLERS, Sampler, named_sampler
from prunestats.spaces.samplers import (
    Independent,
    JitteredUniform,
    LinearInDepth,
    SpreadControlled,
    StageWise,
    check_fraction,
)
from prunestats.spaces.support import Support

__all__ = [
    "FlopsBand", "Independent", "JitteredUniform", "LinearInDepth", "MinimalWidth", "ParameterBand", "RatioBand",
    "Regime", "Sampler", "Space", "SpreadControlled", "StageWise", "WidthDivisor",
]  # fmt: skip


@dataclass(frozen=True)
class Space:
    """A named distribution over the widths of an original's subnetworks.

    Parameters
    ----------
    name : str
        What tables and figures call it.
    sampler : Sampler
        How widths are drawn, before the constraints and the regime bound them.
    constraints : tuple of Constraint
        What every subnetwork satisfies besides: `RatioBand`, `ParameterBand`, `FlopsBand`, `MinimalWidth`,
        `WidthDivisor`.

    Examples
    --------
    >>> Space("narrow", Independent(min_keep=0.1), (WidthDivisor(8),)).law.split("; ")[1]
    'among widths that are multiples of 8, or W_g'
    """

    name: str
    sampler: Sampler
    constraints: tuple[Constraint, ...] = ()

    _names: ClassVar[dict[object, str]] = {kind: name for name, kind in SAMPLERS.items()}

    @property
    def sampler_name(self) -> str:
        """The sampler's name in study files, or its class if it is the user's own."""
        kind = type(self.sampler)
        return self._names.get(kind, f"{kind.__module__}:{kind.__qualname__}")

    @property
    def law(self) -> str:
        """The distribution of one draw before the regime bounds its FLOPs, in words and symbols."""
        shapes = [each.law for each in self.constraints if not each.is_condition]
        conditions = [each.law for each in self.constraints if each.is_condition]
        among = [f"among {' and '.join(shapes)}"] if shapes else []
        given = [f"given {' and '.join(conditions)}"] if conditions else []
        return "; ".join([self.sampler.law, *among, *given])

    @property
    def parameters(self) -> dict[str, Any]:
        """The sampler's parameters, and the constraints where there are any."""
        own = asdict(self.sampler) if hasattr(self.sampler, "__dataclass_fields__") else {}  # type: ignore[call-overload]
        limits = [stored_constraint(constraint) for constraint in self.constraints]
        return own | ({"constraints": limits} if limits else {})

    @property
    def conditions(self) -> tuple[Constraint, ...]:
        """The constraints that are met by drawing again."""
        return tuple(constraint for constraint in self.constraints if constraint.is_condition)

    def support(self, cost: CostModel) -> Support:
        """Return the widths that the constraints leave to the sampler to choose from."""
        left = Support(cost)
        for constraint in self.constraints:
            left = constraint.narrow(left)
        return left

    @classmethod
    def named(
        cls, name: str, sampler: str, *, constraints: Iterable[Mapping[str, Any]] = (), **parameters: Any
    ) -> Space:
        """A space from names and numbers, as a study file gives them.

        Raises
        ------
        StudyError
            If the sampler, a constraint or one of their parameters is unknown or out of range.

        Examples
        --------
        >>> space = Space.named("s", "independent", min_keep=0.1, constraints=[{"kind": "ratio_band", "low": 95.0}])
        >>> Space.named("s", space.sampler_name, **space.parameters) == space
        True
        """
        if not isinstance(constraints, (list, tuple)):
            raise StudyError(f"constraints must be a list of tables, each with its kind; found {constraints!r}")
        return cls(name, named_sampler(sampler, **parameters), tuple(map(constraint_of, constraints)))


@dataclass(frozen=True)
class Regime:
    """A band of FLOPs around a fraction of the original's.

    Parameters
    ----------
    flops : float
        Target, as a fraction of the original's FLOPs, in (0, 1].
    tolerance : float
        Relative half-width of the band, in (0, 1): 0.5 with tolerance 0.02 is 0.49 to 0.51.

    Examples
    --------
    >>> Regime(0.5, 0.02).bounds(1000)
    (490.0, 510.0)
    """

    flops: float
    tolerance: float = 0.02

    def __post_init__(self) -> None:
        check_fraction("flops", self.flops)
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance must be between 0 and 1; found {self.tolerance:g}")

    def bounds(self, original_flops: int) -> tuple[float, float]:
        """Least and most FLOPs of the band, in multiply-adds."""
        target = self.flops * original_flops
        return target * (1 - self.tolerance), target * (1 + self.tolerance)
