"""Random architectures: pruned networks match masked ones, and their cost is that counted by torch."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from prunestats.runners import prune, trace
from prunestats.runners.pruning.filter_choice import most_important
from prunestats.runners.pruning.shrinking import keep_filters


class Norm(nn.Sequential):
    """A convolution and a batch norm with random statistics and parameters."""

    def __init__(self, inputs, outputs, kernel=3, groups=1, bias=False):
        norm = nn.BatchNorm2d(outputs)
        super().__init__(nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, groups=groups, bias=bias), norm)
        with torch.no_grad():
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_()
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 1.5)


class Plain(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.outputs, self.body = outputs, Norm(inputs, outputs, bias=True)

    def forward(self, x):
        return functional.relu(self.body(x))


class Residual(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.outputs, self.first, self.second = inputs, Norm(inputs, hidden), Norm(hidden, inputs, 1)

    def forward(self, x):
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Dense(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.outputs, self.body = inputs + growth, Norm(inputs, growth)

    def forward(self, x):
        return torch.cat([x, functional.relu(self.body(x))], 1)


class Depthwise(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.outputs, self.deep, self.point = width, Norm(inputs, inputs, groups=inputs), Norm(inputs, width, 1)

    def forward(self, x):
        return functional.relu6(self.point(functional.relu6(self.deep(x))))


class Grouped(nn.Module):
    """A grouped convolution between two ordinary ones, with a shortcut."""

    def __init__(self, inputs, groups):
        super().__init__()
        self.outputs, hidden = inputs, 2 * groups
        self.a, self.b = Norm(inputs, hidden, 1), Norm(hidden, 3 * groups, groups=groups)
        self.c = Norm(3 * groups, inputs, 1)

    def forward(self, x):
        return x + self.c(functional.relu(self.b(functional.relu(self.a(x)))))


class Excited(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.outputs, self.a, self.b = inputs, nn.Conv2d(inputs, hidden, 1), nn.Conv2d(hidden, inputs, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.b(functional.relu(self.a(x.mean((2, 3), keepdim=True)))))


class Net(nn.Module):
    def __init__(self, blocks, flat):
        super().__init__()
        self.blocks, inputs, self.flat = nn.Sequential(), 3, flat
        for kind, size in blocks:
            block = kind(inputs, size)
            self.blocks.append(block)
            inputs = block.outputs
        self.hidden = nn.Linear(inputs * (25 if flat else 1), 7)
        self.fc = nn.Linear(7, 3)

    def forward(self, x):
        y = self.blocks(x)
        y = y.flatten(1) if self.flat else y.mean((2, 3))
        return self.fc(functional.relu(self.hidden(y)))


KINDS = st.sampled_from([Plain, Residual, Dense, Depthwise, Grouped, Excited])


@st.composite
def networks(draw):
    blocks = [(Plain, draw(st.integers(1, 9)))]
    blocks += draw(st.lists(st.tuples(KINDS, st.integers(1, 6)), min_size=1, max_size=6))
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 2**31)))
        return Net(blocks, draw(st.booleans())).eval()


def mask_filters(network, traced, filters):
    """A copy whose removed filters have zero parameters, batch norms included; layers that read them are unchanged."""
    silenced = prune(network, traced, traced.cost.sizes)
    modules = dict(silenced.named_modules())
    for layer in traced.layers:
        gone = np.setdiff1d(np.arange(len(layer.outputs.group)), layer.outputs.kept(filters))
        for parameter in modules[layer.name].parameters(recurse=False):
            parameter[gone] = 0
        if isinstance(modules[layer.name], nn.BatchNorm2d):
            modules[layer.name].running_mean[gone] = 0
    return silenced


def check(network, seed):
    images = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    traced = trace(network, images)
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, traced.cost.sizes, endpoint=True)
    filters = most_important(traced, [rng.random(group.size) for group in traced.groups], widths)
    with torch.no_grad():
        assert torch.equal(prune(network, traced, traced.cost.sizes)(images), network(images))
        small = keep_filters(network, traced, filters)
        expected = mask_filters(network, traced, filters)(images)
        scale = expected.abs().max()
        torch.testing.assert_close(small(images) / scale, expected / scale, rtol=1e-5, atol=1e-5)
        with FlopCounterMode(display=False) as counter:
            small(images[:1])
    assert traced.cost.flops(widths)[0] == counter.get_total_flops() // 2
    assert traced.cost.params(widths)[0] == sum(p.numel() for p in small.parameters())


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(0, 2**31))
def test_pruning_is_masking(network, seed):
    check(network, seed)


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(0, 2**31))
def test_pruning_is_masking_in_many_networks(network, seed):
    check(network, seed)
