"""Pareto front of two costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, value: ArrayLike) -> NDArray[np.bool_]:
    """Mask of the points that no other point beats: none has at most the cost and a lower value, or less cost and it.

    Parameters
    ----------
    cost, value : array_like, shape (n,)
        Both are better where they are lower. Equal points are on the front together; points with nan never are.

    Examples
    --------
    >>> pareto_front([1, 2, 3, 2], [0.3, 0.2, 0.25, 0.4]).tolist()
    [True, True, False, False]
    """
    x, y = np.asarray(cost, dtype=float), np.asarray(value, dtype=float)
    front = np.zeros(x.size, dtype=np.bool_)
    least, at = np.inf, np.nan
    for i in np.lexsort((y, x)):
        if np.isnan(x[i]) or np.isnan(y[i]):
            continue
        if y[i] < least or (y[i] == least and x[i] == at):
            front[i], least, at = True, y[i], x[i]
    return front
