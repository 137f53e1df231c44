"""Weights that make populations of unequal complexity comparable."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from prunestats.distribution.weighted_sample import one_row
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats


def complexity_weights(complexity: ArrayLike, *, reference: ArrayLike | None = None, bins: int = 10) -> Floats:
    """Weights of the subnetworks of a population under which its complexity has a given distribution.

    Parameters
    ----------
    complexity : array_like, shape (n,)
        FLOPs or parameters of each subnetwork.
    reference : array_like, shape (m,), optional
        Complexity of the population to imitate; without it, every bin counts equally.
    bins : int
        Bins of equal width over the range of the reference, or of the complexity itself.

    Returns
    -------
    ndarray, shape (n,)
        They sum to one; zero for subnetworks outside the range of the reference.

    Raises
    ------
    InputError
        For complexity that is not finite, or where no subnetwork falls into a bin that must be represented.

    Notes
    -----
    Each of the m_j subnetworks in bin j weighs 1 / (bins m_j), or the reference's share of bin j over m_j. Two
    populations are compared at equal complexity by imitating one reference with both, such as the two put together.

    References
    ----------
    I. Radosavovic, J. Johnson, S. Xie, W.-Y. Lo and P. Dollar, ICCV 2019, eq. (7) and (8).

    Examples
    --------
    >>> complexity_weights([1, 2, 2, 3, 9, 10], bins=2).round(3).tolist()
    [0.125, 0.125, 0.125, 0.125, 0.25, 0.25]
    """
    own = one_row(complexity, "complexity")
    if bins < 1 or bins != int(bins):
        raise InputError(f"bins must be a whole number of 1 or more; found {bins}")
    aim = own if reference is None else one_row(reference, "reference")
    bins = bins if np.ptp(aim) > 0 else 1
    edges = np.linspace(aim.min(), aim.max(), bins + 1)
    place = np.clip(np.searchsorted(edges, own, side="right") - 1, 0, bins - 1)
    inside = (own >= edges[0]) & (own <= edges[-1])
    held = np.bincount(place[inside], minlength=bins)
    wanted = np.full(bins, 1 / bins) if reference is None else np.histogram(aim, edges)[0] / aim.size
    empty = np.flatnonzero((held == 0) & (wanted > 0))
    if empty.size:
        low, high = edges[empty[0]], edges[empty[0] + 1]
        raise InputError(
            f"every bin that counts needs a subnetwork; found {empty.size} of {bins} without, the first from {low:g} "
            f"to {high:g}: use fewer bins, or compare where both populations are"
        )
    return np.asarray(np.where(inside, wanted[place] / np.maximum(held[place], 1), 0.0), dtype=float)
