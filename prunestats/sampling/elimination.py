"""The order in which groups can be summed out of a product over pairs of groups, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from prunestats.spaces.support import Floats


@dataclass(frozen=True)
class Step:
    """One group taken away, and the groups that it is joined to by then."""

    group: int
    others: tuple[int, ...]


def elimination(pairs: Floats, lengths: list[int]) -> list[Step] | None:
    """Order in which groups can be taken away with two others at most, the cheapest first; None where there is none.

    Parameters
    ----------
    pairs : ndarray, shape (groups, groups)
        Not zero where two groups are joined.
    lengths : list of int
        Widths that each group may take.

    Notes
    -----
    Taking a group away joins its neighbours. A graph allows such an order if and only if its treewidth is two at most,
    and then any order that takes a group with two neighbours at most ends well [1]_.

    References
    ----------
    .. [1] Bodlaender HL (1998). A partial k-arboretum of graphs with bounded treewidth. Theoretical Computer Science
       209(1-2), 1-45.

    Examples
    --------
    >>> elimination(np.array([[0.0, 1.0], [1.0, 0.0]]), [4, 8])
    [Step(group=0, others=(1,)), Step(group=1, others=())]
    """
    joined = {group: set(np.flatnonzero(row).tolist()) for group, row in enumerate(pairs)}
    steps = []
    while joined:
        open_now = [group for group, others in joined.items() if len(others) <= 2]
        if not open_now:
            return None
        group = min(open_now, key=lambda each: (prod(lengths[g] for g in (each, *joined[each])), lengths[each], each))
        others = tuple(sorted(joined.pop(group)))
        for other in others:
            joined[other] = (joined[other] | set(others)) - {group, other}
        steps.append(Step(group, others))
    return steps
