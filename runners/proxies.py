"""Cheap proxies of a run's result: what a pruned network errs before any training."""

from __future__ import annotations

import copy

import numpy as np
from torch import nn

from prunestats.runners.data import Data
from prunestats.runners.protocol import some_batches
from prunestats.runners.recalibrate import recalibrate
from prunestats.runners.train import evaluate

_BATCHES = 8


def proxy_errors(pruned: nn.Module, data: Data, batch_size: int, rng: np.random.Generator) -> dict[str, float]:
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
    dict of str to float
        ``pruned_val_error``, as it is, and ``recalibrated_val_error``, after batch norm's statistics were estimated
        anew [1]_.

    Raises
    ------
    DivergedError
        If its loss is not finite.

    References
    ----------
    .. [1] Li, Wu, Su and Wang (2020). EagleEye: fast sub-net evaluation for efficient neural network pruning. ECCV,
       section 3.3.
    """
    anew = copy.deepcopy(pruned)
    recalibrate(anew, some_batches(data.train, batch_size, _BATCHES, rng))
    return {
        "pruned_val_error": evaluate(pruned, data.validation)[0],
        "recalibrated_val_error": evaluate(anew, data.validation)[0],
    }
