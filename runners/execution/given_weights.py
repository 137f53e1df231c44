"""Weights that a study gives an original, by a checkpoint or a package: identified, loaded, given a new head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from prunestats.errors import InputError
from prunestats.runners.networks.checkpoint import checkpoint_sha256, checkpoint_state, load_state
from prunestats.runners.networks.new_head import Head, new_head
from prunestats.runners.networks.pretrained import FoundWeights, pretrained_weights
from prunestats.runners.study.tables import OriginalConfig
from prunestats.runners.training.recipe import Recipe

# What a message proposes; a few epochs at a tenth of the usual rate change pretrained weights little.
_EXAMPLE = "finetune = { epochs = 5, learning_rate = 0.01 }"


@dataclass(frozen=True)
class GivenWeights:
    """Weights that an original is given.

    Parameters
    ----------
    origin : str
        Where they come from.
    read : str
        What was unwrapped and removed to read them; empty where nothing was.
    head : Head or None
        Layers that are made new, as the weights are of other classes; None where all weights are given.
    classes : int
        Classes of the data.
    mean, std : tuple of float or None
        Normalisation of pixels in [0, 1] of the weights' own configuration.
    configuration : str
        Which configuration that is.
    expected_error : float or None
        Error of the dense network on the test split, as the study says.
    is_finetuned : bool
        Whether they are trained further, so that their classes may be others than the data's, even as many.
    """

    origin: str
    read: str
    head: Head | None
    classes: int
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    configuration: str
    expected_error: float | None
    is_finetuned: bool = False

    @property
    def head_words(self) -> str:
        """What is made new, in words; empty where nothing is."""
        if self.head is None:
            return ""
        layers = ", ".join(self.head.layers)
        found = "no head" if self.head.classes is None else f"a head of {self.head.classes:,} classes"
        return f"they have {found}, the data have {self.classes:,}: the head ({layers}) is made new"


def plan_weights(
    config: OriginalConfig, network: nn.Module, example_input: Tensor, num_classes: int
) -> tuple[dict[str, Any], dict[str, Any], GivenWeights]:
    """Load the weights of an original into its network, in place.

    Parameters
    ----------
    config : OriginalConfig
        With given weights.
    network : torch.nn.Module
        With `num_classes` outputs.
    example_input : Tensor, shape (batch, channels, height, width)
    num_classes : int

    Returns
    -------
    identity : dict
        What identifies the weights: hash, new head and fine-tuning.
    recipe : dict
        By which a worker makes them: the identity, and where the weights are.
    given : GivenWeights

    Raises
    ------
    InputError
        If the weights cannot be read, are those of another network, or have another head and are not fine-tuned.
    """
    where = {"checkpoint": config.checkpoint} if config.checkpoint is not None else {"pretrained": config.pretrained}
    found = _read(config.network, where, network, num_classes)
    head = new_head(network, found.state, example_input, num_classes, found.random)
    given = GivenWeights(
        *(found.origin, found.read, head, num_classes, found.mean, found.std, found.configuration),
        config.expected_error,
        config.finetune is not None,
    )
    if head is not None and config.finetune is None:
        raise InputError(f"{found.origin}: {given.head_words} and must be trained: add {_EXAMPLE} to [[originals]]")
    if head is not None and config.expected_error is not None:
        raise InputError(
            f"expected_error = {config.expected_error:g} makes no sense: {given.head_words}, and has no error before "
            "it is fine-tuned"
        )
    load_state(network, found.state, found.origin, found.read, head.layers if head else ())
    identity: dict[str, Any] = {"sha256": found.sha256}
    if head is not None:
        identity["new_head"] = list(head.layers)
    if config.finetune is not None:
        identity["finetune"] = config.finetune.model_dump()
    return identity, {**where, **identity}, given


def load_weights(network: nn.Module, name: str, recipe: Mapping[str, Any], num_classes: int) -> None:
    """Load the weights of a planned original into its network, in place; a new head keeps those of the network.

    Raises
    ------
    InputError
        If the weights cannot be read, or are no longer those of the plan.
    """
    found = _read(name, recipe, network, num_classes)
    if found.sha256 != recipe["sha256"]:
        changed = "has" if "checkpoint" in recipe else "have"
        raise InputError(
            f"{found.origin} {changed} changed since the study was planned, or differ on this machine: restore what "
            "was there or run the study again"
        )
    load_state(network, found.state, found.origin, found.read, recipe.get("new_head", ()))


def is_given(recipe: Mapping[str, Any]) -> bool:
    """Whether the weights of an original with this recipe are given."""
    return "sha256" in recipe


def training_recipe(recipe: Mapping[str, Any]) -> Recipe | None:
    """Recipe by which an original is trained or fine-tuned; None for given weights that are not trained."""
    found = recipe.get("finetune") if is_given(recipe) else recipe
    return None if found is None else Recipe(**found)


def _read(name: str, recipe: Mapping[str, Any], network: nn.Module, num_classes: int) -> FoundWeights:
    if "checkpoint" not in recipe:
        return pretrained_weights(name, recipe["pretrained"], num_classes)
    path = recipe["checkpoint"]
    state, changes = checkpoint_state(path, set(network.state_dict()))
    return FoundWeights(state, f"checkpoint {path!r}", checkpoint_sha256(path), changes)
