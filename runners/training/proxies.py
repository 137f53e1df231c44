"""Cheap proxies of a run's result: what a pruned network errs before any training."""

from __future__ import annotations

import copy

import numpy as np
from torch import nn

from prunestats.runners.data.datasets import Data
from prunestats.runners.training.batch_norm import recalibrate
from prunestats.runners.training.loop import DivergedError, evaluate
from prunestats.runners.training.protocol import random_batches

_BATCHES = 8


def proxy_errors(pruned: nn.Module, data: Data, batch_size: int, rng: np.random.Generator) -> dict[str, float | None]:
    """Measure validation errors of a network that was pruned and not trained, leaving it as it is.

    Parameters
    ----------
    pruned : torch.nn.Module
    data : Data
    batch_size : int
    rng : numpy.random.Generator
        Chooses the training images on which a copy is recalibrated: 8 batches, or all where there are fewer.

    Returns
    -------
    dict of str to float or None
        ``pruned_val_error``, as it is, and ``recalibrated_val_error``, after batch norm's statistics were estimated
        anew [1]_; None where the loss is not finite.

    References
    ----------
    .. [1] Li, Wu, Su and Wang (2020). EagleEye: fast sub-net evaluation for efficient neural network pruning. ECCV,
       section 3.3.
    """
    anew = copy.deepcopy(pruned)
    recalibrate(anew, random_batches(data.train, batch_size, _BATCHES, rng))
    return {"pruned_val_error": _error(pruned, data), "recalibrated_val_error": _error(anew, data)}


def _error(network: nn.Module, data: Data) -> float | None:
    try:
        return evaluate(network, data.validation)[0]
    except DivergedError:
        return None
