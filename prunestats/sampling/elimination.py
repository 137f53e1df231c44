"""Variable elimination: an order in which groups can be summed out of a product of pairwise factors."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from prunestats.numeric.arrays import Floats


@dataclass(frozen=True)
class EliminationStep:
    """One group that is summed out, and its neighbours in the graph at that point."""

    group: int
    neighbours: tuple[int, ...]


def elimination_order(pairs: Floats, lengths: list[int]) -> list[EliminationStep] | None:
    """Elimination order with at most two neighbours at every step, cheapest group first; None where there is none.

    Parameters
    ----------
    pairs : ndarray, shape (groups, groups)
        Not zero where two groups share a factor, that is, an edge of the graph.
    lengths : list of int
        Widths that each group may take.

    Notes
    -----
    Summing a group out joins its neighbours by an edge. A graph has such an order if and only if its treewidth is at
    most two, and then taking any group with at most two neighbours never leads to a dead end [1]_. The limit of two
    keeps the tables at two dimensions, so that every sum is a matrix product.

    References
    ----------
    .. [1] Bodlaender HL (1998). A partial k-arboretum of graphs with bounded treewidth. Theoretical Computer Science
       209(1-2), 1-45.

    Examples
    --------
    >>> elimination_order(np.array([[0.0, 1.0], [1.0, 0.0]]), [4, 8])
    [EliminationStep(group=0, neighbours=(1,)), EliminationStep(group=1, neighbours=())]
    """
    graph = {group: set(np.flatnonzero(row).tolist()) for group, row in enumerate(pairs)}
    steps = []
    while graph:
        eligible = [group for group, neighbours in graph.items() if len(neighbours) <= 2]
        if not eligible:
            return None
        group = min(eligible, key=lambda each: (prod(lengths[g] for g in (each, *graph[each])), lengths[each], each))
        neighbours = tuple(sorted(graph.pop(group)))
        for neighbour in neighbours:
            graph[neighbour] = (graph[neighbour] | set(neighbours)) - {group, neighbour}
        steps.append(EliminationStep(group, neighbours))
    return steps
