"""Proxies of a run's result that need no training: validation errors of the pruned network."""

from __future__ import annotations

import copy

import numpy as np
from torch import nn

from prunestats.runners.data.datasets import Data
from prunestats.runners.training.batch_norm import recalibrate
from prunestats.runners.training.batches import random_batches
from prunestats.runners.training.loop import DivergedError, evaluate

# As many as the criterion "taylor" uses by default; a mean over more batches is steadier and takes longer.
_BATCHES = 8


def proxy_errors(pruned: nn.Module, data: Data, batch_size: int, rng: np.random.Generator) -> dict[str, float | None]:
    """Validation errors of a pruned network before training, as it is and after batch-norm recalibration.

    Parameters
    ----------
    pruned : torch.nn.Module
        Not changed.
    data : Data
    batch_size : int
    rng : numpy.random.Generator
        Samples the training images on which a copy is recalibrated: 8 batches, or all if there are fewer.

    Returns
    -------
    dict of str to float or None
        ``pruned_val_error``, as it is, and ``recalibrated_val_error``, after batch-norm statistics were estimated
        again [1]_; None where the loss is not finite.

    References
    ----------
    .. [1] Li, Wu, Su and Wang (2020). EagleEye: fast sub-net evaluation for efficient neural network pruning. ECCV,
       section 3.3.
    """
    recalibrated = copy.deepcopy(pruned)
    recalibrate(recalibrated, random_batches(data.train, batch_size, _BATCHES, rng))
    return {"pruned_val_error": _error(pruned, data), "recalibrated_val_error": _error(recalibrated, data)}


def _error(network: nn.Module, data: Data) -> float | None:
    try:
        return evaluate(network, data.validation)[0]
    except DivergedError:
        return None
