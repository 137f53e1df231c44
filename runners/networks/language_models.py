"""Language models, whose inputs are token ids: refused, as only networks of images are run here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from prunestats.errors import InputError

# Parts of torch's messages where an embedding or a one-hot code is given real numbers.
_LOOK_UP = ("argument #1 'indices'", "only applicable to index tensor")


class _TokensWantedError(Exception):
    """An embedding was given numbers that are no token ids."""


def refuse_language_model(name: str, network: nn.Module, example_input: Tensor) -> None:
    """Refuse a network that takes token ids in place of images.

    Parameters
    ----------
    name : str
        Named in the message.
    network : torch.nn.Module
        Not changed.
    example_input : Tensor, shape (batch, channels, height, width)

    Raises
    ------
    InputError
        If the network has a configuration with a vocabulary, as those of the package transformers, or if its forward
        pass looks the image's real numbers up as whole ones, by an ``nn.Embedding`` or otherwise.
    """
    reason = _vocabulary(network) or _look_up(network, example_input)
    if reason:
        raise InputError(
            f"network {name!r} takes token ids ({reason}): language models are not run here, as data, pruning and "
            "costs are those of images; prune and train it by your own script, and import its table: prunestats import "
            'runs.csv --metric perplexity --direction minimize --unit "" --column perplexity=ppl'
        )


def _vocabulary(network: nn.Module) -> str:
    size = getattr(getattr(network, "config", None), "vocab_size", None)
    return f"its config has a vocabulary of {size:,}" if isinstance(size, int) else ""


def _look_up(network: nn.Module, example_input: Tensor) -> str:
    """What is given real numbers in place of token ids in a forward pass; empty where nothing is."""
    embeddings: dict[nn.Module, str] = {
        module: layer for layer, module in network.named_modules() if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }

    def inspect(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
            raise _TokensWantedError(f"layer {embeddings[module]!r} is an nn.{type(module).__name__}")

    training = network.training
    handles = [module.register_forward_pre_hook(inspect) for module in embeddings]
    try:
        with torch.no_grad():
            network.eval()(example_input[:1])
    except _TokensWantedError as error:
        return str(error)
    except Exception as error:  # what else fails is said by the trace
        return "its forward pass looks up whole numbers" if any(part in str(error) for part in _LOOK_UP) else ""
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return ""
