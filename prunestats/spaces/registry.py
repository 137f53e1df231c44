"""Samplers by name, and the interface of a user-defined sampler."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from prunestats.errors import StudyError
from prunestats.spaces.listed_sampler import Listed
from prunestats.spaces.samplers import Independent, JitteredUniform, LinearInDepth, SpreadControlled, StageWise
from prunestats.spaces.support import Support, Widths


class Sampler(Protocol):
    """Interface of a sampler: its distribution in words, and vectorised draws from it.

    A user-defined sampler is any object with these two members. Make it a frozen dataclass whose fields are its
    parameters: they are then stored in the database, and a study file can name it as ``"module:Class"``. Its proposals
    are checked against the support like those of the samplers here.
    """

    @property
    def law(self) -> str:
        """The distribution of one draw, in words and symbols."""
        ...

    def propose(self, support: Support, n: int, rng: np.random.Generator) -> Widths:
        """Draw `n` independent widths vectors from `support`, int64 of shape (n, groups)."""
        ...


SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "independent": Independent,
    "jittered_uniform": JitteredUniform,
    "stage_wise": StageWise,
    "linear_in_depth": LinearInDepth,
    "spread_controlled": SpreadControlled,
    "listed": Listed,
}


def named_sampler(name: str, **parameters: Any) -> Sampler:
    """Build a sampler from its name in a study file, or from ``"module:Class"``, and its parameters.

    Raises
    ------
    StudyError
        If the sampler or one of its parameters is unknown, or the object lacks a member of `Sampler`.

    Examples
    --------
    >>> named_sampler("prunestats.spaces.registry:StageWise", jitter=0.2)
    StageWise(jitter=0.2, min_keep=0.05)
    """
    kind = SAMPLERS[name] if name in SAMPLERS else _imported(name)
    known = list(getattr(kind, "__dataclass_fields__", parameters))
    for key in parameters:
        if key not in known:
            raise StudyError(f"{key} is no parameter of sampler {name!r}, which takes {', '.join(known) or 'none'}")
    sampler: Any = kind(**parameters)
    if not (hasattr(sampler, "law") and hasattr(sampler, "propose")):
        raise StudyError(
            f"sampler {name!r} must have a law and a propose method; found {type(sampler).__name__}: "
            "add what is missing, as in prunestats.spaces.Sampler"
        )
    made: Sampler = sampler
    return made


def _imported(name: str) -> Callable[..., Sampler]:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise StudyError(f"sampler must be one of {', '.join(SAMPLERS)}, or module:Class; found {name!r}")
    try:
        found: Callable[..., Sampler] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise StudyError(f"sampler {name!r} cannot be imported ({error}): is its folder on PYTHONPATH?") from error
    return found
