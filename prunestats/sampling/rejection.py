"""Rejection sampling of a space conditional on a regime, with tilted proposals where the band is rare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.cost.model import CostModel
from prunestats.errors import InputError
from prunestats.sampling.tilting import Tilt, tilt_towards
from prunestats.spaces.space import FlopsBand, Regime, Space
from prunestats.spaces.support import Support, Widths

_BLOCK, _TILTED_BLOCK = 8192, 16384
"""Proposals in one block. Fixed, so that the first n samples do not depend on how many follow; large enough that the
overhead of a call is small beside its arithmetic."""

_PILOT = 32 * _BLOCK
"""Proposals after which the tilt is built, if the band is rare."""

_RARE = 2e-3
"""Share of the pilot in the band below which it is rare. A tilted proposal costs about five times one of
the space's, and 2.5 to 5 % of them are accepted: tilting pays below 0.5 to 1 %; 0.2 % leaves room for its tables."""


@dataclass(frozen=True)
class Sample:
    """A sample of distinct subnetworks from a space conditional on a regime.

    Parameters
    ----------
    widths : ndarray of int64, shape (n, groups)
        Kept filters, in the order in which they were drawn; no two rows are equal.
    flops, params : ndarray of int64, shape (n,)
        Multiply-adds and parameters.
    attempts : int
        Proposals, up to and including the last one kept.
    accepted : int
        Proposals that were accepted, including repeats of an earlier one.
    law : str
        The distribution that was sampled, in words and symbols.
    scheme : str
        The proposals: from the space, or from the space and then from its tilt towards the band.
    """

    widths: NDArray[np.int64]
    flops: NDArray[np.int64]
    params: NDArray[np.int64]
    attempts: int
    accepted: int
    law: str
    scheme: str

    @property
    def duplicates(self) -> int:
        """Accepted proposals that repeated an earlier subnetwork."""
        return self.accepted - len(self.widths)

    @property
    def acceptance(self) -> float:
        """Acceptance rate: accepted proposals over all proposals.

        Where all proposals are the space's, it estimates the probability that a draw from the space is in the regime
        and satisfies the constraints; with tilted proposals it measures the efficiency of the scheme alone.
        """
        return self.accepted / self.attempts if self.attempts else float("nan")


def sample(
    space: Space,
    cost: CostModel,
    regime: Regime,
    n: int,
    *,
    rng: np.random.Generator,
    max_attempts: int = 20_000_000,
) -> Sample:
    """Sample distinct subnetworks of a space conditional on the FLOPs of a regime.

    Parameters
    ----------
    space : Space
        The distribution over widths, and its constraints.
    cost : CostModel
        Cost of the original's subnetworks.
    regime : Regime
        The band of FLOPs.
    n : int
        Sample size.
    rng : numpy.random.Generator
        Source of randomness. The first samples do not depend on `n`.
    max_attempts : int
        Proposals after which sampling stops with an error.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If no subnetwork can lie in the band or satisfy a constraint, or fewer than `n` were found in `max_attempts`
        proposals; the message names the condition that fails most often.

    Notes
    -----
    The distribution is the space's, conditional on the band and the constraints, without replacement. Widths are never
    scaled into the band, which would bias the sample. The first 262,144 proposals are the space's; if fewer than two
    in a thousand of them lay in the band, the rest come from the space's exponential tilt towards it where there is
    one (`prunestats.sampling.tilting.tilt_towards`), which samples the same distribution faster. Method, cost and
    limits: docs/methods/sampling.md.

    Examples
    --------
    >>> import numpy as np
    >>> from prunestats.cost.model import CostModel, Layer
    >>> from prunestats.spaces.space import Independent
    >>> layer = Layer("conv", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9, 0, 9, 0)
    >>> cost = CostModel(("a", "b"), (64, 64), (layer,))
    >>> drawn = sample(Space("s", Independent()), cost, Regime(0.5, 0.02), 10, rng=np.random.default_rng(1))
    >>> bool(np.all(abs(drawn.flops / (9 * 64 * 64) / 0.5 - 1) <= 0.02))
    True
    """
    support = space.support(cost)
    band = feasible_band(cost, regime, space, support)
    # proposals inside the band, then those that also satisfy the first condition, the first two, and so on
    passed = np.zeros(1 + len(space.conditions), dtype=np.int64)
    kept: dict[tuple[int, ...], None] = {}
    attempts = accepted = 0
    tilt: Tilt | None = None
    while len(kept) < n and attempts < max_attempts:
        if attempts == _PILOT and passed[0] < _RARE * _PILOT:
            tilt = tilt_towards(space.sampler, cost, support, band)
        if tilt is None:
            proposals = support.check(space.sampler.propose(support, _BLOCK, rng), space.sampler_name)
            rows = cost.inside(proposals, *band)
        else:
            proposals = tilt.propose(_TILTED_BLOCK, rng)
            rows = cost.inside(proposals, *band)
            rows = rows[tilt.keeps(cost.flops(proposals[rows]), rng)]
        used = len(proposals)
        for position in _accepted(space, cost, proposals, rows, passed):
            kept.setdefault(tuple(proposals[position].tolist()))
            accepted += 1
            if len(kept) == n:
                used = int(position) + 1
                break
        attempts += used
    if len(kept) < n:
        raise InputError(_too_few(space, regime, f"{len(kept)} of {n}", attempts, passed, accepted - len(kept)))
    widths = np.array(list(kept), dtype=np.int64).reshape(n, cost.n_groups)
    law = f"{space.law}; given FLOPs in {regime.flops:g} (1 ± {regime.tolerance:g}) of the original's; distinct"
    flops, params = (cost.flops(widths), cost.params(widths)) if n else (np.empty(0, np.int64), np.empty(0, np.int64))
    scheme = "rejection" if tilt is None else f"rejection, after {_PILOT:,} proposals from {tilt.law}"
    return Sample(widths, flops, params, attempts, accepted, law, scheme)


def feasible_band(cost: CostModel, regime: Regime, space: Space, support: Support) -> tuple[float, float]:
    """Least and most FLOPs of a regime, in multiply-adds, after refusing what no subnetwork can satisfy.

    Raises
    ------
    InputError
        If the band lies below the smallest subnetwork, is disjoint from a `FlopsBand`, or a constraint is empty.
    """
    full = int(cost.flops(cost.sizes)[0])
    least = int(cost.flops(support.least())[0])
    low, high = regime.bounds(full)
    if high < least:
        raise InputError(
            f"{regime.flops:g} of the FLOPs is below the smallest subnetwork of space {space.name!r}, "
            f"which has {least / full:.3g}: ask for more"
        )
    for constraint in space.constraints:
        reason = constraint.refusal(support)
        if isinstance(constraint, FlopsBand) and not constraint.overlaps(low / full, high / full):
            reason = f"the regime asks for {low / full:.3g} to {high / full:.3g}: drop one of them"
        if reason is not None:
            raise InputError(f"space {space.name!r} cannot have {constraint.law}: {reason}")
    return low, high


def _accepted(
    space: Space, cost: CostModel, proposals: Widths, rows: NDArray[np.int64], passed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows inside the band that satisfy all conditions, in order; `passed` counts those that pass each condition."""
    passed[0] += rows.size
    for number, condition in enumerate(space.conditions, start=1):
        if rows.size == 0:
            break
        rows = rows[condition.holds(cost, proposals[rows])]
        passed[number] += rows.size
    return rows


def _too_few(space: Space, regime: Regime, found: str, attempts: int, passed: NDArray[np.int64], repeats: int) -> str:
    """Message of a sample that is too small, with its cause: repeats, the band, or the condition that fails most."""
    start = f"space {space.name!r} gave {found} subnetworks at {regime.flops:g} of the FLOPs in {attempts} attempts"
    # mostly repeats: the conditional support itself is nearly exhausted
    if repeats > passed[-1] / 2:
        return (
            f"{start}: {repeats} more repeated one of them: draw fewer, or widen the tolerance ({regime.tolerance:g}) "
            "or the constraints"
        )
    shares = passed[1:] / np.maximum(passed[:-1], 1)
    worst = int(np.argmin(shares)) if shares.size and passed[0] else None
    if worst is None or shares[worst] > passed[0] / attempts:
        return f"{start}: widen the tolerance ({regime.tolerance:g}), draw fewer, or change the sampler"
    return (
        f"{start}: of {passed[worst]} proposals before it, {passed[worst + 1]} had {space.conditions[worst].law}: "
        "widen that constraint, draw fewer, or change the sampler"
    )
