"""Random generators of analyses that stand beside one another."""

from __future__ import annotations

from copy import deepcopy

import numpy as np


def own_generator(rng: np.random.Generator | None) -> np.random.Generator:
    """A generator for one of several analyses: a copy in the state of `rng`, or one seeded with 0 without it.

    Parameters
    ----------
    rng : numpy.random.Generator or None
        It is not advanced.

    Notes
    -----
    Each population is then analysed as if it were analysed alone: its numbers depend neither on how many others are
    analysed beside it nor on their order, so a command, a report and a call from Python with one seed agree. Analyses
    of different populations then share random numbers, which makes their simulation errors dependent, nothing else.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> own_generator(rng).random() == own_generator(rng).random() == np.random.default_rng(0).random()
    True
    """
    return np.random.default_rng(0) if rng is None else deepcopy(rng)
