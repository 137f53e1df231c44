"""Pruning spaces: distributions over widths, and the regimes that bound their FLOPs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError, StudyError


class Sampler(Protocol):
    """What a space needs to draw widths: a law in words and a vectorised proposal.

    A sampler of your own is any object with these two; a frozen dataclass whose fields are its parameters is stored
    in the database with them.
    """

    @property
    def law(self) -> str:
        """The distribution of one draw, in words and symbols."""
        ...

    def propose(self, sizes: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw `n` independent widths vectors, shape (n, groups), each from 1 to `sizes`."""
        ...


@dataclass(frozen=True)
class Independent:
    """Every group keeps a uniform number of filters, independently of the others.

    Parameters
    ----------
    min_keep : float
        Least fraction of a group's filters that is kept, in (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> Independent(min_keep=0.5).propose(np.array([4, 8]), 2, np.random.default_rng(0)).shape
    (2, 2)
    """

    min_keep: float = 0.05

    def __post_init__(self) -> None:
        _check_fraction("min_keep", self.min_keep)

    @property
    def law(self) -> str:
        """The law of one draw."""
        return f"w_g ~ Uniform{{max(1, ceil({self.min_keep:g} W_g)), ..., W_g}}, independent over groups g"

    def propose(self, sizes: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw `n` widths vectors, shape (n, groups)."""
        return rng.integers(_least(sizes, self.min_keep), sizes, size=(n, len(sizes)), endpoint=True)


@dataclass(frozen=True)
class JitteredUniform:
    """One keep ratio for the whole network, with a little log-normal jitter in each group.

    Parameters
    ----------
    jitter : float
        Standard deviation of the log keep ratio between groups, 0 or more; 0 is uniform pruning.
    min_keep : float
        Least keep ratio of the network, and least fraction of a group that is kept, in (0, 1].
    """

    jitter: float = 0.1
    min_keep: float = 0.05

    def __post_init__(self) -> None:
        _check_fraction("min_keep", self.min_keep)
        if not self.jitter >= 0:
            raise InputError(f"jitter must be 0 or more; found {self.jitter:g}")

    @property
    def law(self) -> str:
        """The law of one draw."""
        return (
            f"k ~ Uniform({self.min_keep:g}, 1), z_g ~ Normal(0, {self.jitter:g}); "
            f"w_g = round(k exp(z_g) W_g), clipped to [max(1, ceil({self.min_keep:g} W_g)), W_g]"
        )

    def propose(self, sizes: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw `n` widths vectors, shape (n, groups)."""
        keep = rng.uniform(self.min_keep, 1.0, size=(n, 1))
        keep = keep * np.exp(self.jitter * rng.standard_normal((n, len(sizes))))
        return np.clip(np.rint(keep * sizes).astype(np.int64), _least(sizes, self.min_keep), sizes)


SAMPLERS: dict[str, type[Independent] | type[JitteredUniform]] = {
    "independent": Independent,
    "jittered_uniform": JitteredUniform,
}


@dataclass(frozen=True)
class Space:
    """A named distribution over the widths of an original's subnetworks.

    Parameters
    ----------
    name : str
        What tables and figures call it.
    sampler : Sampler
        How widths are drawn, before the regime bounds their FLOPs.

    Examples
    --------
    >>> Space("initial", Independent(min_keep=0.1)).sampler_name
    'independent'
    """

    name: str
    sampler: Sampler

    _names: ClassVar[dict[type, str]] = {kind: name for name, kind in SAMPLERS.items()}

    @property
    def sampler_name(self) -> str:
        """The sampler's name in study files, or its class if it is the user's own."""
        kind = type(self.sampler)
        return self._names.get(kind, f"{kind.__module__}:{kind.__qualname__}")

    @property
    def parameters(self) -> dict[str, Any]:
        """The sampler's parameters."""
        return asdict(self.sampler) if hasattr(self.sampler, "__dataclass_fields__") else {}  # type: ignore[call-overload]

    @classmethod
    def named(cls, name: str, sampler: str, **parameters: Any) -> Space:
        """A space from names and numbers, as a study file gives them.

        Raises
        ------
        StudyError
            If the sampler or one of its parameters is unknown or out of range.
        """
        if sampler not in SAMPLERS:
            raise StudyError(f"sampler must be one of {', '.join(SAMPLERS)}; found {sampler!r}")
        known = [field.name for field in fields(SAMPLERS[sampler])]
        for key in parameters:
            if key not in known:
                raise StudyError(f"{key} is no parameter of sampler {sampler!r}, which takes {', '.join(known)}")
        return cls(name, SAMPLERS[sampler](**parameters))


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
        _check_fraction("flops", self.flops)
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance must be between 0 and 1; found {self.tolerance:g}")

    def bounds(self, original_flops: int) -> tuple[float, float]:
        """Least and most FLOPs of the band, in multiply-adds."""
        target = self.flops * original_flops
        return target * (1 - self.tolerance), target * (1 + self.tolerance)


def _least(sizes: NDArray[np.int64], min_keep: float) -> NDArray[np.int64]:
    least: NDArray[np.int64] = np.maximum(1, np.ceil(min_keep * sizes - 1e-9).astype(np.int64))
    return least


def _check_fraction(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise InputError(f"{name} must be a fraction above 0 and at most 1; found {value:g}")
