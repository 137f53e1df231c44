import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from prunestats.errors import TraceError
from prunestats.runners import NETWORKS, build_network, prune, trace

SHAPES = {name: (1, 1, 8, 8) if name == "resnet_digits" else (1, 3, 32, 32) for name in NETWORKS}


class Concatenating(nn.Module):
    """A depthwise layer, a concatenation, and a flattened feature map before the classifier."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.b = nn.Conv2d(8, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(14)
        self.c = nn.Conv2d(14, 5, 3, padding=1)
        self.fc = nn.Linear(5 * 16, 10)

    def forward(self, x):
        a = self.depthwise(self.a(x))
        return self.fc(self.c(self.bn(torch.cat([a, self.b(a)], 1))).flatten(1))


def counted(network, shape):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(shape))
    return counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters())


def networks():
    yield from ((name, lambda name=name: build_network(name, seed=0), SHAPES[name]) for name in NETWORKS)
    yield "concatenating", Concatenating, (1, 3, 4, 4)


@pytest.mark.parametrize(("build", "shape"), [pytest.param(b, s, id=n) for n, b, s in networks()])
def test_cost_and_widths_are_those_of_the_pruned_network(build, shape):
    network = build()
    traced = trace(network, torch.zeros(shape))
    assert (traced.flops, traced.params) == counted(network, shape)
    rng = np.random.default_rng(7)
    for _ in range(20):
        widths = rng.integers(1, traced.cost.sizes, endpoint=True)
        small = prune(network, traced, widths)
        assert (traced.cost.flops(widths)[0], traced.cost.params(widths)[0]) == counted(small, shape)
        modules = dict(small.named_modules())
        for layer, params in zip(traced.cost.layers, traced.cost.layer_params(widths)[0], strict=True):
            assert sum(p.numel() for p in modules[layer.name].parameters()) == params
        for group, width in zip(traced.groups, widths, strict=True):
            assert {modules[name].weight.shape[0] for name in group.writers} == {width}


def test_residual_streams_are_one_group():
    traced = trace(build_network("resnet_digits"), torch.zeros(1, 1, 8, 8))
    stream = traced.groups[0]
    assert stream.writers == ("stem", "stages.0.conv2")
    assert set(stream.readers) == {"stages.0.conv1", "stages.1.conv1", "stages.1.shortcut.0"}
    assert [group.size for group in traced.groups] == [16, 16, 32, 32, 64, 64]


def test_published_sizes():
    """Parameters of CIFAR ResNets with projection shortcuts: 0.27 M and 0.86 M, and 0.13 G multiply-adds."""
    small = trace(build_network("resnet20"), torch.zeros(1, 3, 32, 32))
    large = trace(build_network("resnet56"), torch.zeros(1, 3, 32, 32))
    assert (round(small.params / 1e6, 2), round(large.params / 1e6, 2)) == (0.27, 0.86)
    assert round(large.flops / 1e9, 2) == 0.13


def test_tracing_leaves_the_network_as_it_was():
    network = build_network("resnet_digits", seed=0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trace(network, torch.randn(4, 1, 8, 8))
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.mixed = nn.Conv2d(8, 8, 1, groups=2)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.mixed(self.a(x)).mean((2, 3)))


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 3, 3, padding=1)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.a(functional.relu(self.a(x))).mean((2, 3)))


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 3, 3, padding=1)
        self.forgotten = nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.a(x).mean((2, 3)))


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.norm(self.a(x)).mean((2, 3)))


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        (Grouped(), "'mixed' is a grouped convolution"),
        (Reused(), "'a' is used more than once"),
        (Idle(), "'forgotten' takes no part"),
        (Normalised(), "'norm' of kind GroupNorm"),
    ],
)
def test_what_cannot_be_pruned_exactly_is_refused_by_name(network, complaint):
    with pytest.raises(TraceError, match=complaint):
        trace(network, torch.zeros(1, 3, 8, 8))
