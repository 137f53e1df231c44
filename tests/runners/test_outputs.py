"""Outputs of a network: every tensor of a nest, in order."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch

from prunestats.runners.outputs import floating, tensors

A, B, C = torch.zeros(1), torch.ones(2), torch.arange(3)
Pair = namedtuple("Pair", ["first", "second"])


@dataclass
class Record:
    logits: torch.Tensor
    parts: list
    name: str = "record"


@pytest.mark.parametrize(
    ("nest", "expected"),
    [
        (A, [A]),
        ((A, [B, (C,)]), [A, B, C]),
        ({"b": B, "a": A}, [B, A]),
        (OrderedDict(masks=A, boxes=[B]), [A, B]),
        (Record(A, [B, None, {"c": C}]), [A, B, C]),
        (Pair(A, 3), [A]),
        ([], []),
        (None, []),
        ("text", []),
        (Record, []),
    ],
)
def test_every_tensor_of_a_nest_is_found_in_order(nest, expected):
    found = tensors(nest)
    assert len(found) == len(expected)
    assert all(one is other for one, other in zip(found, expected, strict=True))


def test_indices_and_masks_are_no_outputs_with_gradients():
    found = floating({"boxes": B, "classes": C, "mask": B > 0, "half": B.half()})
    assert [one.dtype for one in found] == [torch.float32, torch.float16]
