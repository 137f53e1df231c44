"""Pruning spaces: probability distributions over widths, and the regimes that condition on their FLOPs."""

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
    """A named probability distribution over the widths of an original's subnetworks.

    Parameters
    ----------
    name : str
        Its name in tables and figures.
    sampler : Sampler
        The distribution of the widths before conditioning on constraints and regime.
    constraints : tuple of Constraint
        What every subnetwork satisfies: `MinimalWidth` and `WidthDivisor` restrict the support; `RatioBand`,
        `ParameterBand` and `FlopsBand` are conditions.

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
        """The sampler's name in study files; ``"module:Class"`` for a user-defined one."""
        kind = type(self.sampler)
        return self._names.get(kind, f"{kind.__module__}:{kind.__qualname__}")

    @property
    def law(self) -> str:
        """The distribution of one draw, given the constraints but not the regime, in words and symbols."""
        supports = [each.law for each in self.constraints if not each.is_condition]
        conditions = [each.law for each in self.constraints if each.is_condition]
        among = [f"among {' and '.join(supports)}"] if supports else []
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
        """The constraints that are met by rejection."""
        return tuple(constraint for constraint in self.constraints if constraint.is_condition)

    def support(self, cost: CostModel) -> Support:
        """Return the support that the constraints leave to the sampler."""
        support = Support(cost)
        for constraint in self.constraints:
            support = constraint.narrow(support)
        return support

    @classmethod
    def named(
        cls, name: str, sampler: str, *, constraints: Iterable[Mapping[str, Any]] = (), **parameters: Any
    ) -> Space:
        """Build a space from the names and numbers of a study file.

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
            raise StudyError(
                f"constraints must be a list of tables, each with its kind; found {constraints!r}: put it in a list"
            )
        return cls(name, named_sampler(sampler, **parameters), tuple(map(constraint_of, constraints)))


@dataclass(frozen=True)
class Regime:
    """A band of FLOPs around a fraction of the original's FLOPs.

    Parameters
    ----------
    flops : float
        Target, as a fraction of the original's FLOPs, in (0, 1].
    tolerance : float
        Half-width of the band relative to `flops`, in (0, 1): 0.5 with tolerance 0.02 is 0.49 to 0.51.

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
