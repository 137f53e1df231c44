"""Networks that take token ids are refused in a sentence that says what can be done instead."""

import sys
import types
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from prunestats.errors import InputError, StudyError
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.networks.language_models import refuse_language_model
from prunestats.runners.study.file import demo_study_file, parse_study

IMAGE = torch.zeros(1, 1, 8, 8)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(100, 8)
        self.out = nn.Linear(8, 10)

    def forward(self, ids):
        return self.out(self.words(ids).mean(1))


class Later(Tokens):
    """Its embedding is not the first layer that runs."""

    def forward(self, x):
        return super().forward(nn.functional.relu(x.flatten(1)))


class Classes(nn.Module):
    """An image network that looks positions up in an embedding by whole numbers."""

    def __init__(self):
        super().__init__()
        self.positions, self.out = nn.Embedding(64, 1), nn.Linear(64, 10)

    def forward(self, x):
        return self.out(x.flatten(1) + self.positions(torch.arange(64))[:, 0])


class Functional(nn.Linear):
    def forward(self, ids):
        return nn.functional.embedding(ids, self.weight).mean((1, 2, 3))


class OneHot(nn.Linear):
    def forward(self, ids):
        return super().forward(nn.functional.one_hot(ids, 10))


class Transformer(nn.Linear):
    config = SimpleNamespace(vocab_size=32_000)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Tokens(), "layer 'words' is an nn.Embedding"),
        (Later(), "layer 'words' is an nn.Embedding"),
        (nn.Sequential(nn.Flatten(), nn.EmbeddingBag(10, 4)), "layer '1' is an nn.EmbeddingBag"),
        (Transformer(4, 2), "its config has a vocabulary of 32,000"),
        (Functional(4, 10), "its forward pass looks up whole numbers"),
        (OneHot(10, 10), "its forward pass looks up whole numbers"),
    ],
)
def test_networks_of_token_ids_are_refused_in_one_line(network, reason):
    with pytest.raises(InputError) as caught:
        refuse_language_model("mine:net", network, IMAGE)
    said = str(caught.value)
    assert said.startswith(f"network 'mine:net' takes token ids ({reason}): language models are not run here")
    assert '--metric perplexity --direction minimize --unit "" --column perplexity=ppl' in said
    assert "\n" not in said
    assert network.training


@pytest.mark.parametrize("network", [Classes(), nn.Linear(3, 2), nn.Conv2d(1, 2, 3)])
def test_other_networks_are_not(network):
    refuse_language_model("mine:net", network, IMAGE)


def test_a_study_says_so_before_its_trace(monkeypatch):
    module = types.ModuleType("my_tokens")
    module.net = Tokens
    monkeypatch.setitem(sys.modules, "my_tokens", module)
    text = demo_study_file().read_text().replace('"resnet_digits"', '"my_tokens:net"')
    with pytest.raises(StudyError, match=r"originals\.0\.network: network 'my_tokens:net' takes token ids"):
        plan_study(parse_study(text))
