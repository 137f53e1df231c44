"""Drawing populations: rejection from a space into a regime, exact for the declared law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.cost import CostModel
from prunestats.errors import InputError
from prunestats.spaces import Regime, Space

# Fixed, so that the first n draws are the same whatever the size of the population.
_BLOCK = 8192


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
        Proposals inside the band, repeats of an earlier one counted too.
    law : str
        The distribution that the draws follow.
    """

    widths: NDArray[np.int64]
    flops: NDArray[np.int64]
    params: NDArray[np.int64]
    attempts: int
    accepted: int
    law: str

    @property
    def duplicates(self) -> int:
        """Accepted proposals that repeated an earlier subnetwork."""
        return self.accepted - len(self.widths)

    @property
    def acceptance(self) -> float:
        """Estimated probability that a draw of the space falls inside the band."""
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
    """Subnetworks of a space whose FLOPs lie in a regime's band, by rejection.

    Parameters
    ----------
    space : Space
        The distribution over widths.
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
        If no subnetwork can lie in the band, or fewer than `n` were found in `max_attempts` proposals.

    Notes
    -----
    The law is the space's own, conditioned on the band and drawn without replacement. Nothing is scaled into the
    band, which would bias the population.

    Examples
    --------
    >>> import numpy as np
    >>> from prunestats.cost import CostModel, Layer
    >>> from prunestats.spaces import Independent
    >>> layer = Layer("conv", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9, 0, 9, 0)
    >>> cost = CostModel(("a", "b"), (64, 64), (layer,))
    >>> drawn = sample(Space("s", Independent()), cost, Regime(0.5, 0.02), 10, rng=np.random.default_rng(1))
    >>> bool(np.all(abs(drawn.flops / (9 * 64 * 64) / 0.5 - 1) <= 0.02))
    True
    """
    low, high = feasible_band(cost, regime)
    kept: dict[tuple[int, ...], None] = {}
    attempts = accepted = 0
    while len(kept) < n and attempts < max_attempts:
        proposals = space.sampler.propose(cost.sizes, _BLOCK, rng)
        flops = cost.flops(proposals)
        inside = np.flatnonzero((low <= flops) & (flops <= high))
        looked_at = _BLOCK
        for position in inside:
            kept.setdefault(tuple(proposals[position].tolist()))
            accepted += 1
            if len(kept) == n:
                looked_at = int(position) + 1
                break
        attempts += looked_at
    if len(kept) < n:
        raise InputError(
            f"space {space.name!r} gave {len(kept)} of {n} subnetworks at {regime.flops:g} of the FLOPs "
            f"in {attempts} attempts: widen the tolerance ({regime.tolerance:g}), draw fewer, or change the sampler"
        )
    widths = np.array(list(kept), dtype=np.int64).reshape(n, cost.n_groups)
    law = f"{space.sampler.law}; given FLOPs in {regime.flops:g} (1 ± {regime.tolerance:g}) of the original's; distinct"
    flops, params = (cost.flops(widths), cost.params(widths)) if n else (np.empty(0, np.int64), np.empty(0, np.int64))
    return Sample(widths, flops, params, attempts, accepted, law)


def feasible_band(cost: CostModel, regime: Regime) -> tuple[float, float]:
    """Least and most FLOPs of a regime, after refusing a band that no subnetwork can reach.

    Raises
    ------
    InputError
        If the band lies below the smallest subnetwork.
    """
    full = int(cost.flops(cost.sizes)[0])
    least = int(cost.flops(np.ones_like(cost.sizes))[0])
    low, high = regime.bounds(full)
    if high < least:
        raise InputError(
            f"{regime.flops:g} of the FLOPs is below the smallest subnetwork, one filter a group, "
            f"which has {least / full:.3g}: ask for more"
        )
    return low, high
