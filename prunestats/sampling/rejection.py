"""Drawing populations: rejection from a space, or from its tilt, into a regime, exact for the declared law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.cost.model import CostModel
from prunestats.errors import InputError
from prunestats.sampling.tilting import Tilt, tilt_towards
from prunestats.spaces.space import FlopsBand, Regime, Space
from prunestats.spaces.support import Support, Widths

# Fixed, so that the first n draws are the same whatever the size of the population.
_BLOCK, _TILTED_BLOCK = 8192, 16384
# Proposals after which the tilt is turned to, if a smaller share of them lay in the band.
_PILOT, _SCARCE = 32 * 8192, 2e-3


@dataclass(frozen=True)
class Sample:
    """Subnetworks drawn from a space inside a regime.

    Parameters
    ----------
    widths : ndarray of int64, shape (n, groups)
        Kept filters, in the order of drawing; no two rows are equal.
    flops, params : ndarray of int64, shape (n,)
        Their cost.
    attempts : int
        Proposals looked at, up to and including the last one kept.
    accepted : int
        Proposals that the scheme took as draws of the law, all in the regime and within the constraints, repeats of an
        earlier one counted too.
    law : str
        The distribution that the draws follow.
    scheme : str
        What was proposed: draws of the space, or these and then draws of its tilt towards the band.
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
        """Share of the proposals that were accepted.

        Where the scheme is rejection alone, it estimates the probability that a draw of the space is in the regime and
        within the constraints; with tilted proposals it only says how well the scheme did.
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
    """Subnetworks of a space whose FLOPs lie in a regime's band.

    Parameters
    ----------
    space : Space
        The distribution over widths, and its constraints.
    cost : CostModel
        Cost of the original's subnetworks.
    regime : Regime
        The band of FLOPs.
    n : int
        Subnetworks to draw.
    rng : numpy.random.Generator
        Source of randomness. The first draws do not depend on `n`.
    max_attempts : int
        Proposals after which to give up.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If no subnetwork can lie in the band or satisfy a constraint, or fewer than `n` were found in `max_attempts`
        proposals; the message names the constraint that most fail.

    Notes
    -----
    The law is the space's own, conditioned on the band and the constraints and drawn without replacement. Nothing is
    scaled into the band, which would bias the population. The first 262,144 proposals are the space's; if fewer than
    two in a thousand of them lay in the band, the rest come from the space tilted towards it where it can be
    (`prunestats.sampling.tilting.tilt_towards`), which draws the same law faster. How the law compares with others,
    and what it costs, is in docs/methods/sampling.md.

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
    # how many proposals met the band, and then each condition with all before it
    passed = np.zeros(1 + len(space.conditions), dtype=np.int64)
    kept: dict[tuple[int, ...], None] = {}
    attempts = accepted = 0
    tilt: Tilt | None = None
    while len(kept) < n and attempts < max_attempts:
        if attempts == _PILOT and passed[0] < _SCARCE * _PILOT:
            tilt = tilt_towards(space.sampler, cost, support, band)
        if tilt is None:
            proposals = support.check(space.sampler.propose(support, _BLOCK, rng), space.sampler_name)
            rows = cost.inside(proposals, *band)
        else:
            proposals = tilt.propose(_TILTED_BLOCK, rng)
            rows = cost.inside(proposals, *band)
            rows = rows[tilt.keeps(cost.flops(proposals[rows]), rng)]
        looked_at = len(proposals)
        for position in _accepted(space, cost, proposals, rows, passed):
            kept.setdefault(tuple(proposals[position].tolist()))
            accepted += 1
            if len(kept) == n:
                looked_at = int(position) + 1
                break
        attempts += looked_at
    if len(kept) < n:
        raise InputError(_too_few(space, regime, f"{len(kept)} of {n}", attempts, passed, accepted - len(kept)))
    widths = np.array(list(kept), dtype=np.int64).reshape(n, cost.n_groups)
    law = f"{space.law}; given FLOPs in {regime.flops:g} (1 ± {regime.tolerance:g}) of the original's; distinct"
    flops, params = (cost.flops(widths), cost.params(widths)) if n else (np.empty(0, np.int64), np.empty(0, np.int64))
    scheme = "rejection" if tilt is None else f"rejection, after {_PILOT:,} proposals from {tilt.law}"
    return Sample(widths, flops, params, attempts, accepted, law, scheme)


def feasible_band(cost: CostModel, regime: Regime, space: Space, support: Support) -> tuple[float, float]:
    """Least and most FLOPs of a regime, after refusing a band or a constraint that no subnetwork can meet.

    Raises
    ------
    InputError
        If the band lies below the smallest subnetwork or apart from a constraint on FLOPs, or a constraint refuses.
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
    """Those of the rows inside the band that meet all conditions, in their order; what each lets pass is added up."""
    passed[0] += rows.size
    for number, condition in enumerate(space.conditions, start=1):
        if rows.size == 0:
            break
        rows = rows[condition.holds(cost, proposals[rows])]
        passed[number] += rows.size
    return rows


def _too_few(space: Space, regime: Regime, found: str, attempts: int, passed: NDArray[np.int64], repeats: int) -> str:
    """Say that there are too few, and what lets the fewest pass: the band, a condition, or that all were drawn."""
    start = f"space {space.name!r} gave {found} subnetworks at {regime.flops:g} of the FLOPs in {attempts} attempts"
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
