"""A training of the user's own: modules that a test writes, and a study that names them."""

import importlib
import sys
import textwrap

import pytest

TASK = textwrap.dedent(
    """
    import torch
    from torch import nn

    STEPS = 2


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(1, 8, 3, padding=1)
            self.second = nn.Conv2d(8, 8, 3, padding=1)
            self.head = nn.Conv2d(8, 2, 1)

        def forward(self, x):
            y = torch.relu(self.second(torch.relu(self.first(x))))
            maps = self.head(y)
            return {"maps": maps, "means": [maps.mean((2, 3)), 3]}


    class Coloured(Net):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 8, 3, padding=1)


    def loss_of(network):
        outputs = network(torch.rand(4, 1, 8, 8))
        return outputs["maps"].square().mean()


    def train(network, context):
        optimiser = torch.optim.SGD(network.parameters(), 0.1)
        for epoch in range(1 if context.trial else STEPS):
            loss = loss_of(network)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            context.report(epoch + 1, score=-loss.item())
        score = -loss_of(network)
        return {"validation": {"score": score, "parts": 2}, "test": {"score": score.item() - 1}}
    """
)

STUDY = """
name = "own"

[metric]
name = "score"
direction = "maximize"
unit = "dB"

[[originals]]
network = "task:Net"
input = [1, 8, 8]
train = "task:train"

[regimes]
flops = [0.5]
tolerance = 0.2

[[spaces]]
name = "initial"
sampler = "independent"

[population]
subnetworks = 3

[protocol]
name = "short"
train = "task:train"
seeds = [0, 1]
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function that writes a module to a folder on the import path and loads it anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(text, name="task"):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        written.add(name)

    written = set()
    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def own_study(module):
    """The text of a study whose training is that of the module `task`."""
    module(TASK)
    return STUDY
