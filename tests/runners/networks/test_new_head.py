"""The head of weights of other classes: found by shapes and by the order of the forward pass, else another network."""

import pytest
import torch
from torch import nn

from prunestats.errors import InputError
from prunestats.runners import build_network
from prunestats.runners.networks.checkpoint import load_state
from prunestats.runners.networks.new_head import Head, new_head

IMAGE = torch.zeros(1, 1, 8, 8)


class Net(nn.Module):
    """A body and two heads, whose mean is returned."""

    def __init__(self, num_classes, width=6):
        super().__init__()
        self.first = nn.Linear(4, num_classes)
        self.body = nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, num_classes)
        self.other = nn.Linear(width, num_classes, bias=False)

    def forward(self, x):
        features = self.body(x).mean((2, 3))
        return self.last(self.head(features) + self.other(features))

    def last(self, x):
        return x


class Normalised(Net):
    """A layer that owns weights, and fits, reads what the head writes."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.norm = nn.BatchNorm1d(3)

    def last(self, x):
        return x + self.norm(x[:, :3]).sum(1, keepdim=True)


class First(Net):
    """A layer of as many features as classes runs before the body."""

    def forward(self, x):
        early = self.first(x[:, 0, :2, :2].flatten(1))
        return super().forward(x) + early


def weights(network):
    return network.state_dict()


def test_the_head_is_the_only_layer_of_other_shapes():
    network = build_network("resnet_digits", num_classes=7, seed=0)
    found = new_head(network, weights(build_network("resnet_digits", num_classes=10)), IMAGE, 7)
    assert found == Head(("fc",), 10)
    assert network.training


def test_weights_that_fit_have_no_new_head():
    network = build_network("resnet_digits", num_classes=10)
    assert new_head(network, weights(network), IMAGE, 10) is None


def test_several_layers_and_a_convolution_may_be_the_head():
    convolution = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.Conv2d(4, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    other = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 9, 1), *convolution[2:])
    assert new_head(convolution, weights(other), IMAGE, 5) == Head(("1",), 9)

    class Two(Net):
        def __init__(self, num_classes):
            super().__init__(num_classes)
            del self.first

    assert new_head(Two(5), weights(Two(9)), IMAGE, 5) == Head(("head", "other"), 9)


def test_weights_without_a_head():
    network = build_network("resnet_digits", num_classes=7)
    backbone = {name: value for name, value in weights(network).items() if not name.startswith("fc")}
    assert new_head(network, backbone, IMAGE, 7) is None
    assert new_head(network, backbone, IMAGE, 7, {"fc.weight", "fc.bias"}) == Head(("fc",), None)


@pytest.mark.parametrize(
    ("network", "other"),
    [
        (Net(5), Net(9, width=8)),  # another width
        (Normalised(5), Normalised(9)),  # a layer that fits runs after the head
        (First(5), First(9)),  # a layer of as many features runs before the body
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), nn.Sequential(nn.Flatten(), nn.Linear(32, 9))),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Linear(5, 5)),
            nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.Linear(9, 9)),
        ),
    ],
)
def test_other_networks_have_no_new_head(network, other):
    classes = network(IMAGE.expand(2, 1, 8, 8)).shape[1]
    assert new_head(network, weights(other), IMAGE, classes) is None


def test_a_new_head_keeps_the_networks_own_weights_and_all_else_is_loaded():
    network, other = build_network("resnet_digits", num_classes=7, seed=0), build_network("resnet_digits", seed=1)
    own = network.fc.weight.clone()
    load_state(network, weights(other), "mine", head=("fc",))
    assert torch.equal(network.fc.weight, own)
    assert torch.equal(network.stem.weight, other.stem.weight)
    with pytest.raises(InputError, match=r"mine: fc.weight has shape \(10, 64\), the network's has \(7, 64\)"):
        load_state(network, weights(other), "mine")
    damaged = {**weights(other), "stem.weight": other.stem.weight * torch.nan}
    with pytest.raises(InputError, match=r"mine: expected finite weights; found NaN or infinity in stem.weight"):
        load_state(network, damaged, "mine", head=("fc",))
