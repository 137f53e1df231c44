"""Errors with given weights before anything is pruned, judged against chance and against what the study says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from scipy import stats
from torch import nn

from prunestats.errors import TrialError
from prunestats.runners.data.datasets import Data, ImageSplit
from prunestats.runners.data.normalisation import default_scale
from prunestats.runners.execution.given_weights import GivenWeights
from prunestats.runners.execution.image_samples import random_images
from prunestats.runners.execution.study_plan import PlannedOriginal, StudyPlan
from prunestats.runners.training.device import device, place_data
from prunestats.runners.training.loop import evaluate

# Multiply-adds of the forward passes over a split: about 20 s of one thread of a CPU, at the 2e10 a second that were
# measured; a GPU computes a hundred times as many. Where all images take more, a random sample of them is judged.
_MOST_FLOPS = {"cpu": 400_000_000_000, "cuda": 40_000_000_000_000}

# Images at least, however costly: half of ten classes wrong is then known to 6 percentage points (two standard errors).
_FEWEST = 256

# Level of each test: a right study is stopped, or a note printed, once in a thousand.
_LEVEL = 0.001


@dataclass(frozen=True)
class SplitError:
    """Error of the dense network on a split, or on a random sample of its images.

    Parameters
    ----------
    wrong, images : int
        Images that are classified wrongly, and all that were classified.
    chance : float
        Error of always naming the most frequent class: 1 - 1 / classes where all are equally frequent.
    is_sample : bool
        Whether these are some of the split's images only.
    """

    wrong: int
    images: int
    chance: float
    is_sample: bool = False

    @property
    def error(self) -> float:
        """Fraction of the images that is classified wrongly."""
        return self.wrong / self.images

    @property
    def words(self) -> str:
        """The error and the number of images."""
        return f"{_percent(self.error)} ({self.images:,} {'randomly chosen ' if self.is_sample else ''}images)"


@dataclass(frozen=True)
class DenseCheck:
    """Errors of an original with the weights that it is given, before anything is pruned."""

    validation: SplitError
    test: SplitError


def dense_errors(
    planned: StudyPlan, original: PlannedOriginal, network: nn.Module, layout: torch.memory_format
) -> DenseCheck | None:
    """Errors of an original with the weights that it is given; None where it is trained, or its head is new.

    Where a function of the user's own evaluates it, its metric is no error, and None is returned, too.

    Raises
    ------
    TrialError
        As in `check_dense`.
    """
    given, classifies = original.given, original.task.own is None and planned.study.protocol.train is None
    if given is None or given.head is not None or not classifies:
        return None
    found = measure_dense(network, planned.data_of(original), layout, original.flops, original.task.seed)
    check_dense(original.task.network, given, found, normalisation_words(planned, original))
    return found


def measure_dense(network: nn.Module, data: Data, layout: torch.memory_format, flops: int, seed: int) -> DenseCheck:
    """Error of a network on validation and test images, or on a random sample of them where all take too long.

    Parameters
    ----------
    network : torch.nn.Module
        On the device of this process, in a memory format.
    data : Data
    layout : torch.memory_format
    flops : int
        Multiply-adds of one image, which bound the number of images.
    seed : int
        Seed of the sample.
    """
    most = max(_FEWEST, _MOST_FLOPS[device().type] // max(flops, 1))
    validation, test = (random_images(split, most, seed) for split in (data.validation, data.test))
    # the training split, which is not needed here, may not fit the device
    placed = place_data(replace(data, train=validation, validation=validation, test=test), layout)
    return DenseCheck(
        _split_error(network, placed.validation, len(data.validation)),
        _split_error(network, placed.test, len(data.test)),
    )


def check_dense(name: str, given: GivenWeights, found: DenseCheck, normalisation: str) -> None:
    """Refuse given weights that err more often than the study says, or are near chance where it says nothing.

    Parameters
    ----------
    name : str
        Of the network, for messages.
    given : GivenWeights
    found : DenseCheck
    normalisation : str
        Mean and standard deviation in use and where they come from, for messages.

    Raises
    ------
    TrialError
        If the test error is significantly above `given.expected_error`; or, without one and without fine-tuning, if the
        validation error is not significantly below chance.

    Notes
    -----
    Both tests are exact and one-sided, at level 0.001, on the number of images that are classified wrongly, which is
    binomial for images drawn independently [1]_. Chance is tested on validation images, and the expected error on test
    images, as published errors are: validation images are held out from training images, on which published weights
    were usually trained.

    References
    ----------
    .. [1] Clopper and Pearson (1934). The use of confidence or fiducial limits illustrated in the case of the binomial.
       Biometrika 26, 404-413.
    """
    validation, test, expected = found.validation, found.test, given.expected_error
    if expected is None and not given.is_finetuned and not is_below_chance(validation):
        raise TrialError(
            f"{name}: expected weights that classify better than chance before anything is pruned; found a validation "
            f"error of {validation.words} with the {given.origin}, and {_percent(validation.chance)} by chance: "
            f"{_reasons(normalisation)}. Where that is meant, say expected_error = {validation.chance:.2g}"
        )
    if expected is not None and test.error > highest_error(expected, test.images):
        raise TrialError(
            f"{name}: expected a test error of {_percent(expected)} (expected_error; up to "
            f"{_percent(highest_error(expected, test.images))} is noise of so many images, at level {_LEVEL:g}); found "
            f"{test.words} with the {given.origin}: {_reasons(normalisation)}"
        )


def is_below_chance(found: SplitError) -> bool:
    """Whether an error is significantly below chance: exact one-sided binomial test at level 0.001.

    Examples
    --------
    >>> is_below_chance(SplitError(850, 1000, 0.9)), is_below_chance(SplitError(880, 1000, 0.9))
    (True, False)
    """
    return bool(stats.binom.cdf(found.wrong, found.images, found.chance) < _LEVEL)


def highest_error(expected: float, images: int) -> float:
    """Highest error on some images that an expected error is not rejected for: exact one-sided binomial test at 0.001.

    Examples
    --------
    >>> highest_error(0.0741, 10_000)
    0.0823
    """
    # the smallest count above which there is at most the level's probability
    return float(stats.binom.isf(_LEVEL, images, expected)) / images


def trained_on_validation(found: DenseCheck) -> bool:
    """Whether the validation error is significantly below the test error: Fisher's exact one-sided test at level 0.001.

    Weights that were trained on the validation images do so.

    References
    ----------
    .. [1] Fisher (1935). The logic of inductive inference. Journal of the Royal Statistical Society 98, 39-82.

    Examples
    --------
    >>> one = SplitError(10, 1000, 0.9)
    >>> trained_on_validation(DenseCheck(one, SplitError(80, 1000, 0.9))), trained_on_validation(DenseCheck(one, one))
    (True, False)
    """
    table = [[part.wrong, part.images - part.wrong] for part in (found.validation, found.test)]
    return bool(stats.fisher_exact(table, alternative="less").pvalue < _LEVEL)


def normalisation_words(planned: StudyPlan, original: PlannedOriginal) -> str:
    """Mean and standard deviation by which an original's images are normalised, and where these come from."""
    given, data = original.given, planned.data_of(original)
    if planned.study.data is None:
        return "nothing: no data are loaded"
    if planned.study.data.mean is not None:
        source = "as [data] says"
    elif original.task.data.get("mean") is not None and given is not None:
        source = f"as {given.configuration} says"
    else:
        source = "of the training images"
    scale = original.task.data.get("scale") or default_scale(data)
    mean, std = (", ".join(f"{value / scale:.3g}" for value in values) for values in (data.mean, data.spread))
    return f"mean {mean} and std {std} of {'pixels' if scale == 1 else f'pixels / {scale:g}'}, {source}"


def _reasons(normalisation: str) -> str:
    return (
        f"normalisation is the usual reason (in use: {normalisation}; mean, std and scale of [data] set another), then "
        "another order of classes, and images that were resized or compressed otherwise than in training"
    )


def _split_error(network: nn.Module, split: ImageSplit, of: int) -> SplitError:
    error, _ = evaluate(network, split)
    most_frequent = int(torch.bincount(split.labels).max())
    return SplitError(round(error * len(split)), len(split), 1 - most_frequent / len(split), len(split) < of)


def _percent(error: float) -> str:
    return f"{100 * error:.3g} %"
