"""A sampler without randomness: a list of subnetworks from the user or from a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prunestats.errors import InputError
from prunestats.spaces.support import Support, Widths


@dataclass(frozen=True)
class Listed:
    """The subnetworks of a list, each once, in its order.

    Parameters
    ----------
    widths : sequence of sequence of int
        Kept filters in each group, one list per subnetwork; no two are equal. A regime leaves out those outside its
        band, and its population is the rest.

    Raises
    ------
    InputError
        For an empty list, widths that are not whole numbers of 1 or more, lists of unequal lengths, or equal ones.

    Examples
    --------
    >>> import numpy as np
    >>> from prunestats.cost.model import CostModel
    >>> support = Support(CostModel(("a", "b"), (4, 8), ()))
    >>> Listed([[2, 4], [3, 5]]).propose(support, 3, np.random.default_rng(0)).tolist()
    [[2, 4], [3, 5], [2, 4]]
    """

    widths: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        if not self.widths or not all(isinstance(row, (list, tuple)) for row in self.widths):
            raise InputError(
                "widths must be a list with a list of kept filters for every subnetwork, as in [[8, 16], [4, 12]]"
            )
        rows = tuple(tuple(row) for row in self.widths)
        for row in rows:
            if any(type(width) is not int or width < 1 for width in row):
                raise InputError(f"widths must be whole numbers of 1 or more; found {list(row)}")
        if len({len(row) for row in rows}) > 1:
            raise InputError(f"widths must all have one number a group; found {sorted({len(row) for row in rows})}")
        if len(set(rows)) < len(rows):
            raise InputError("widths must differ from one another; found some twice: several seeds train one again")
        object.__setattr__(self, "widths", rows)

    @property
    def law(self) -> str:
        """The subnetworks, in words."""
        return f"the {len(self.widths)} listed, in their order"

    def propose(self, support: Support, n: int, rng: np.random.Generator) -> Widths:
        """Repeat the list to `n` widths vectors, shape (n, groups)."""
        groups = support.cost.n_groups
        if len(self.widths[0]) != groups:
            raise InputError(f"widths must have a number for each of {groups} groups; found {len(self.widths[0])}")
        return np.resize(np.array(self.widths, dtype=np.int64), (n, groups))
