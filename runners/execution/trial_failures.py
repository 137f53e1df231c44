"""What fails in a trial of an original, in one line with the line of the user's own file."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from prunestats.errors import PrunestatsError, TrialError
from prunestats.runners.networks.user_errors import described, line_in, where
from prunestats.runners.training.loop import DivergedError

_ONE_IMAGE = ": batch norm needs two values; does the last batch have one image? Choose another batch_size"


def divergence(what: str, act: Callable[[], None]) -> str:
    """The reason if a loss is not finite, else empty; other errors are raised in one line."""
    try:
        act()
    except DivergedError as error:
        return str(error)
    except PrunestatsError:
        raise
    except Exception as error:
        place = where(error) or _forward_line(act)
        advice = _ONE_IMAGE if "more than 1 value per channel" in str(error) else ""
        raise TrialError(f"{what} fails{f' at {place}' if place else ''}: {described(error)}{advice}") from error
    return ""


def check_training_outputs(name: str, network: nn.Module, images: Tensor, num_classes: int) -> None:
    """Refuse a network that does not return one tensor of logits in training mode, as it does in evaluation mode."""
    found: object = network.train()(images)
    wanted = (len(images), num_classes)
    if not isinstance(found, Tensor) or found.shape != wanted:
        kind = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise TrialError(
            f"network {name!r} must return one tensor of logits in training mode, too, of shape {wanted} for "
            f"{len(images)} images; found {kind}: return no auxiliary outputs"
        )


def _forward_line(act: Callable[[], None]) -> str:
    """The user's line whose backward pass failed, from a repetition under torch's anomaly detection."""
    with warnings.catch_warnings(record=True) as caught, torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("always")
        try:
            act()
        except Exception:
            return next(filter(None, (line_in(str(one.message)) for one in caught)), "")
    return ""
