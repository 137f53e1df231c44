"""Networks of the user's own, by module and name, and a check that outputs of any network fit the data's classes."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Callable
from importlib import import_module, invalidate_caches
from typing import Any

import torch
from torch import Tensor, nn

from prunestats.errors import InputError
from prunestats.runners.networks.user_errors import locating, where

# Any constant: weights that a module draws while it is imported are then the same in every process.
_IMPORT_SEED = 0


def user_network(name: str) -> Callable[..., nn.Module]:
    """The builder of a user's network, which takes the keyword `num_classes`.

    Parameters
    ----------
    name : str
        ``"module:name"`` of a function or class that returns a network, or of a network itself.

    Returns
    -------
    callable
        It passes `num_classes` on where the signature of the function or class has it, and otherwise calls it without
        arguments. Of a network it returns a deep copy, with the weights that the network has.

    Raises
    ------
    InputError
        If the name cannot be imported, is neither callable nor a network, or requires other arguments; when called, if
        what it returns is not a network.
    """
    found = import_named(name, "network")
    if isinstance(found, nn.Module):
        return lambda num_classes=0: copy.deepcopy(found)
    if not callable(found):
        raise InputError(
            f"network {name!r} must be a function, a class or an instance of torch.nn.Module; found a "
            f"{type(found).__name__}: name what builds the network"
        )
    takes_classes = _takes_num_classes(name, found)

    def build(num_classes: int = 0) -> nn.Module:
        if not num_classes and _required(found):
            raise InputError(
                f"network {name!r} must be built without num_classes, as no data with classes are loaded; found that "
                "it requires them: give num_classes a default"
            )
        network = found(num_classes=num_classes) if takes_classes and num_classes else found()
        if not isinstance(network, nn.Module):
            raise InputError(
                f"network {name!r} must return a torch.nn.Module; found a {type(network).__name__}: return the network"
            )
        return network

    return build


def check_outputs(name: str, network: nn.Module, example_input: Tensor, num_classes: int) -> None:
    """Refuse a network that does not return one logit for each class.

    Parameters
    ----------
    name : str
        Named in the message.
    network : torch.nn.Module
        Not changed; its forward pass must accept the input.
    example_input : Tensor, shape (batch, channels, height, width)
    num_classes : int
        Classes of the data.

    Raises
    ------
    InputError
        If the outputs for one image are not of shape (1, num_classes).
    """
    training = network.training
    with torch.no_grad():
        outputs = network.eval()(example_input[:1])
    network.train(training)
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        raise InputError(
            f"network {name!r} must return one tensor of logits, as it is trained by cross-entropy; found a "
            f"{type(outputs).__name__}{_dtype(outputs)}: for other outputs give [protocol] and [[originals]] a `train`"
        )
    found = tuple(outputs.shape)
    if found != (1, num_classes):
        raise InputError(
            f"network {name!r} must return logits of shape (1, {num_classes}) for one image, one for each class of the "
            f"data; found {found}: give its last layer {num_classes} outputs, or its function an argument num_classes"
        )


def _dtype(outputs: Any) -> str:
    return f" of {str(outputs.dtype).removeprefix('torch.')}" if isinstance(outputs, Tensor) else ""


def import_named(name: str, what: str) -> Any:
    """What ``"module:name"`` names; `what` it should be is the first word of an error.

    Raises
    ------
    InputError
        If it cannot be imported.
    """
    module, _, attribute = name.partition(":")
    if not attribute.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise InputError(
            f"{what} {name!r} must be MODULE:NAME, a module and a function, class or instance in it: as 'mynet:Net' "
            "for the class Net in mynet.py"
        )
    # written a moment ago, as in a notebook, a module may be missing from the cached listing of its folder
    invalidate_caches()
    with torch.random.fork_rng(devices=[]), locating(f"importing {what} {name!r}"):
        torch.manual_seed(_IMPORT_SEED)
        try:
            found = import_module(module)
        except ImportError as error:
            file = f"{module.partition('.')[0]}.py"
            reason = where(error) or f"expected {file} in this folder, beside the study file or on PYTHONPATH"
            raise InputError(f"{what} {name!r} cannot be imported ({error}): {reason}") from error
    if not hasattr(found, attribute):
        raise InputError(
            f"{what} {name!r} cannot be imported: expected {attribute!r} in {_file(found)}"
            f"{_suggestion(attribute, found)}"
        )
    return getattr(found, attribute)


def _file(module: Any) -> str:
    return getattr(module, "__file__", None) or f"module {module.__name__!r}"


def _suggestion(attribute: str, module: Any) -> str:
    near = difflib.get_close_matches(attribute, vars(module), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _takes_num_classes(name: str, build: Callable[..., Any]) -> bool:
    """Whether a builder takes the keyword `num_classes`; one that requires other arguments is refused."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except ValueError:  # compiled functions may have no signature
        return False
    by_keyword = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    any_keyword = any(one.kind is one.VAR_KEYWORD for one in parameters)
    others = [argument for argument in _required(build) if argument not in by_keyword & {"num_classes"}]
    if others:
        raise InputError(
            f"network {name!r} must take num_classes as a keyword, or no argument; found that it requires "
            f"{', '.join(others)}: give defaults, or name a function of num_classes that fills them in"
        )
    return any_keyword or "num_classes" in by_keyword


def _required(build: Callable[..., Any]) -> list[str]:
    """Arguments of a builder that have no default."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except ValueError:
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in parameters if one.default is one.empty and one.kind not in optional]
