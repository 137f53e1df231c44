"""Outputs of a network: every tensor in whatever it returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def tensors(value: Any) -> list[Tensor]:
    """All tensors in a nest of tuples, lists, mappings and dataclasses, in order.

    Examples
    --------
    >>> import torch
    >>> [tuple(t.shape) for t in tensors({"boxes": [torch.zeros(2, 4)], "size": (torch.zeros(1), 3)})]
    [(2, 4), (1,)]
    """
    return list(_walk(value))


def _walk(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _walk(getattr(value, field.name))


def floating(value: Any) -> list[Tensor]:
    """Tensors of floating-point numbers in a nest; indices and masks have no gradient."""
    return [one for one in tensors(value) if one.is_floating_point()]
