"""Criteria against their definitions, computed independently."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from prunestats.errors import InputError
from prunestats.runners import build_network, trace
from prunestats.runners.pruning.filter_choice import importance

IMAGES = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 10
BATCHES = [(IMAGES[:6], LABELS[:6]), (IMAGES[6:], LABELS[6:])]


@pytest.fixture(scope="module")
def original():
    network = build_network("resnet_digits", seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 2, generator=generator)
                module.running_mean.normal_(generator=generator)
    return network, trace(network, IMAGES)


def weights_of(network, traced, group):
    modules = dict(network.named_modules())
    return [modules[name].weight.detach().double() for name in traced.groups[group].writers]


@pytest.mark.parametrize("group", [0, 1])
def test_geometric_median_is_the_sum_of_distances_to_the_layers_filters(original, group):
    network, traced = original
    expected = np.zeros(traced.groups[group].size)
    for weight in weights_of(network, traced, group):
        for i, one in enumerate(weight):
            expected[i] += sum(float((one - other).norm()) for other in weight)
    np.testing.assert_allclose(importance(network, traced, criterion="geometric_median")[group], expected, rtol=1e-9)


def test_a_filter_at_the_mean_is_least_important_by_geometric_median(original):
    network, traced = build_network("resnet_digits", seed=3), original[1]
    with torch.no_grad():
        layer = dict(network.named_modules())[traced.groups[1].name]
        layer.weight[5] = layer.weight.mean(0)
    assert importance(network, traced, criterion="geometric_median")[1].argmin() == 5


@pytest.mark.parametrize("group", [0, 1, 4])
def test_taylor_is_the_squared_slope_of_the_loss_along_a_filter(original, group):
    """The derivative by central differences: the loss with the filter scaled slightly up and down."""
    network, traced = original
    network = build_network("resnet_digits").double().eval()
    network.load_state_dict(original[0].state_dict())
    batches = [(images.double(), labels) for images, labels in BATCHES]
    scores = importance(network, traced, criterion="taylor", batches=batches)[group]
    modules, step, filter_ = dict(network.named_modules()), 1e-5, scores.argmax()
    expected = 0.0
    for images, labels in batches:
        for name in traced.groups[group].writers:
            weight, losses = modules[name].weight, []
            for factor in (1 + step, 1 - step):
                with torch.no_grad():
                    before = weight[filter_].clone()
                    weight[filter_] *= factor
                    losses.append(float(functional.cross_entropy(network(images), labels)))
                    weight[filter_] = before
            expected += ((losses[0] - losses[1]) / (2 * step)) ** 2 / len(batches)
    assert scores[filter_] == pytest.approx(expected, rel=1e-6)
    assert expected > 0


def test_taylor_does_not_change_the_network(original):
    network, traced = original
    before = {name: value.clone() for name, value in network.state_dict().items()}
    importance(network, traced, criterion="taylor", batches=BATCHES)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_l2_is_the_norm_summed_over_writers(original):
    network, traced = original
    expected = sum((weight**2).sum((1, 2, 3)).sqrt() for weight in weights_of(network, traced, 0))
    np.testing.assert_allclose(importance(network, traced, criterion="l2")[0], expected.numpy(), rtol=1e-12)


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.bn, self.b = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 3)
        self.fc = nn.Linear(5, 2)

    def forward(self, x):
        return self.fc(self.b(self.bn(self.a(x))).mean((2, 3)))


def test_bn_scale_needs_batch_norms():
    network = Bare()
    with pytest.raises(InputError, match="criterion 'bn_scale' needs a batch norm after each group; 'b' has none"):
        importance(network, trace(network, torch.zeros(1, 3, 8, 8)), criterion="bn_scale")


def test_taylor_needs_images(original):
    with pytest.raises(InputError, match="needs batches"):
        importance(*original, criterion="taylor")
