"""Networks of the user's own, by module and name, and a check that outputs of any network fit the data's classes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from prunestats.errors import InputError
from prunestats.runners.user_code.importing import imported

_FORM = "MODULE:NAME, a module and a function, class or instance in it: as 'mynet:Net' for the class Net in mynet.py"


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
    found = imported(name, "network", _FORM)
    if isinstance(found, nn.Module):
        return lambda num_classes: copy.deepcopy(found)
    if not callable(found):
        raise InputError(
            f"network {name!r} must be a function, a class or an instance of torch.nn.Module; found a "
            f"{type(found).__name__}: name what builds the network"
        )
    takes_classes = _takes_num_classes(name, found)

    def build(num_classes: int) -> nn.Module:
        network = found(num_classes=num_classes) if takes_classes else found()
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
        found = tuple(network.eval()(example_input[:1]).shape)
    network.train(training)
    if found != (1, num_classes):
        raise InputError(
            f"network {name!r} must return logits of shape (1, {num_classes}) for one image, one for each class of the "
            f"data; found {found}: give its last layer {num_classes} outputs, or its function an argument num_classes"
        )


def _takes_num_classes(name: str, build: Callable[..., Any]) -> bool:
    """Whether a builder takes the keyword `num_classes`; one that requires other arguments is refused."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except ValueError:  # compiled functions may have no signature
        return False
    by_keyword = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    any_keyword = any(one.kind is one.VAR_KEYWORD for one in parameters)
    required = [
        one.name
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    others = [argument for argument in required if argument not in by_keyword & {"num_classes"}]
    if others:
        raise InputError(
            f"network {name!r} must take num_classes as a keyword, or no argument; found that it requires "
            f"{', '.join(others)}: give defaults, or name a function of num_classes that fills them in"
        )
    return any_keyword or "num_classes" in by_keyword
