"""Weights that give populations of unequal complexity a common distribution of complexity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from prunestats.distribution.weighted_sample import one_row
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats


def complexity_weights(complexity: ArrayLike, *, reference: ArrayLike | None = None, bins: int = 10) -> Floats:
    """Weights of subnetworks, by bins, under which the complexity of their population has a given distribution.

    Parameters
    ----------
    complexity : array_like, shape (n,)
        FLOPs or parameters of each subnetwork, in any unit.
    reference : array_like, shape (m,), optional
        Complexity of the reference population, in the same unit; by default the target distribution is uniform.
    bins : int
        Number of bins, of equal width over the range of the reference, or of the complexity itself.

    Returns
    -------
    ndarray, shape (n,)
        Sum to one; zero for subnetworks outside the range of the reference.

    Raises
    ------
    InputError
        For complexity that is not finite, or a bin of positive target probability without a subnetwork.

    Notes
    -----
    Each of the m_j subnetworks in bin j has the weight 1 / (bins m_j), or the reference's share of bin j over m_j. To
    compare two populations at equal complexity, weight both to one reference, such as the two pooled.

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
    target = own if reference is None else one_row(reference, "reference")
    bins = bins if np.ptp(target) > 0 else 1
    edges = np.linspace(target.min(), target.max(), bins + 1)
    bin_of = np.clip(np.searchsorted(edges, own, side="right") - 1, 0, bins - 1)
    inside = (own >= edges[0]) & (own <= edges[-1])
    held = np.bincount(bin_of[inside], minlength=bins)
    wanted = np.full(bins, 1 / bins) if reference is None else np.histogram(target, edges)[0] / target.size
    empty = np.flatnonzero((held == 0) & (wanted > 0))
    if empty.size:
        low, high = edges[empty[0]], edges[empty[0] + 1]
        raise InputError(
            f"every bin of the target needs a subnetwork; found {empty.size} of {bins} without, the first from {low:g} "
            f"to {high:g}: use fewer bins, or restrict both populations to their common range"
        )
    return np.asarray(np.where(inside, wanted[bin_of] / np.maximum(held[bin_of], 1), 0.0), dtype=float)
