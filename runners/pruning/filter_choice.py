"""Pruning to given widths: importance of filters, choice of those kept, and the smaller network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from prunestats.errors import InputError
from prunestats.runners.pruning.criteria import CRITERIA, Batches, layer_scores
from prunestats.runners.pruning.shrinking import keep_filters
from prunestats.runners.pruning.traced import Trace


def prune(
    network: nn.Module,
    trace: Trace,
    widths: Sequence[int] | NDArray[np.int64],
    *,
    criterion: str = "l1",
    init: str = "inherited",
    rng: np.random.Generator | None = None,
    batches: Batches | None = None,
) -> nn.Module:
    """A physically smaller copy of a network that keeps the most important filters of every group.

    Parameters
    ----------
    network : torch.nn.Module
        The original, which is not changed.
    trace : Trace
        Its trace.
    widths : sequence of int, length groups
        Filters to keep in each group.
    criterion : {"l1", "l2", "bn_scale", "geometric_median", "taylor", "random", "first"}
        Importance of a filter, as in `importance`.
    init : {"inherited", "scratch"}
        Whether the kept filters keep their weights, or every layer is initialised again by its own
        ``reset_parameters`` with torch's global generator.
    rng : numpy.random.Generator, optional
        Source of randomness; needed by the criterion "random" alone.
    batches : sequence of (Tensor, Tensor), optional
        Training images and labels; needed by the criterion "taylor" alone.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    InputError
        If the widths, the criterion or the initialisation are not valid.

    Examples
    --------
    >>> import torch
    >>> from prunestats.runners import build_network, trace
    >>> net = build_network("resnet_digits")
    >>> t = trace(net, torch.zeros(1, 1, 8, 8))
    >>> small = prune(net, t, [8, 4, 16, 16, 30, 32])
    >>> sum(p.numel() for p in small.parameters()) == t.cost.params([8, 4, 16, 16, 30, 32])[0]
    np.True_
    """
    scores = importance(network, trace, criterion=criterion, rng=rng, batches=batches)
    return keep_filters(network, trace, most_important(trace, scores, widths), init=init)


def importance(
    network: nn.Module,
    trace: Trace,
    *,
    criterion: str = "l1",
    rng: np.random.Generator | None = None,
    batches: Batches | None = None,
) -> list[NDArray[np.float64]]:
    """Importance of every filter, summed over all layers that write to its group.

    Parameters
    ----------
    network : torch.nn.Module
    trace : Trace
    criterion : {"l1", "l2", "bn_scale", "geometric_median", "taylor", "random", "first"}
        L1 or L2 norm of a filter's weights [1]_; absolute scale in its batch norms [2]_; sum of distances to the other
        filters of its layer, smallest near their geometric median [3]_; squared first-order change of the loss without
        the filter [4]_; a random number; or minus its index, so that the first filters are kept.
    rng : numpy.random.Generator, optional
        Needed by "random" alone.
    batches : sequence of (Tensor, Tensor), optional
        Training images and labels, needed by "taylor" alone, whose score is a mean over batches.

    Returns
    -------
    list of ndarray, shapes (group size,)

    References
    ----------
    .. [1] Li, Kadav, Durdanovic, Samet and Graf (2017). Pruning filters for efficient ConvNets. ICLR, section 3.1.
    .. [2] Liu, Li, Shen, Huang, Yan and Zhang (2017). Learning efficient convolutional networks through network
       slimming. ICCV.
    .. [3] He, Liu, Wang, Hu and Yang (2019). Filter pruning via geometric median for deep convolutional neural networks
       acceleration. CVPR, section 3.
    .. [4] Molchanov, Mallya, Tyree, Frosio and Kautz (2019). Importance estimation for neural network pruning. CVPR,
       equation 8.
    """
    if criterion not in CRITERIA:
        raise InputError(f"criterion must be one of {', '.join(CRITERIA)}; found {criterion!r}")
    if criterion == "first":
        return [-np.arange(group.size, dtype=np.float64) for group in trace.groups]
    if criterion == "random":
        if rng is None:
            raise InputError("criterion 'random' needs rng, a numpy.random.Generator; found none: pass rng")
        return [rng.random(group.size) for group in trace.groups]
    scores = layer_scores(network, trace, criterion, batches)
    totals = [np.zeros(group.size) for group in trace.groups]
    for layer in trace.layers:
        if layer.name not in scores:
            continue
        for index in np.unique(layer.outputs.group[layer.outputs.group >= 0]):
            mine = layer.outputs.group == index
            np.add.at(totals[index], layer.outputs.filter[mine], scores[layer.name][mine])
    return totals


def most_important(
    trace: Trace, scores: Sequence[NDArray[np.float64]], widths: Sequence[int] | NDArray[np.int64]
) -> list[NDArray[np.bool_]]:
    """Masks that are True at the `widths` highest scores of each group; ties go to the lower index."""
    wanted = [int(width) for width in widths]
    trace.cost.flops(wanted)  # raises for widths that are no subnetwork of this original
    marks = []
    for score, width in zip(scores, wanted, strict=True):
        keep = np.zeros(len(score), dtype=np.bool_)
        keep[np.argsort(-score, kind="stable")[:width]] = True
        marks.append(keep)
    return marks
