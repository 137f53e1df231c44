"""Original networks: published sizes, collections of other packages, and the user's own."""

import sys
import types

import pytest
import torch
from torch import nn

from prunestats.errors import InputError
from prunestats.runners import build_network, trace
from prunestats.runners.networks import builtin as networks


@pytest.mark.parametrize(
    ("name", "size", "params", "flops"),
    [
        ("resnet18", 224, 11_689_512, 1.81e9),
        ("resnet50", 224, 25_557_032, 4.09e9),
        ("mobilenet_v2", 224, 3_504_872, 0.30e9),
        ("vgg16_bn", 32, 14_724_042 + 990 * 513, 0.31e9),
    ],
)
def test_published_sizes_with_1000_classes(name, size, params, flops):
    """Parameters exactly; multiply-adds to the two decimals that are published."""
    with torch.device("meta"):
        network = build_network(name, num_classes=1000)
    assert sum(p.numel() for p in network.parameters()) == params
    assert round(multiply_adds(network, size) / 1e9, 2) == flops / 1e9


def multiply_adds(network, size, channels=3):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, channels, size, size, device="meta"))
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("name", "params", "flops"), [("resnet20", 0.27, 0.04), ("resnet56", 0.86, 0.13), ("resnet110", 1.73, 0.25)]
)
def test_published_sizes_of_cifar_resnets(name, params, flops):
    """He et al. (2016), table 6, in millions; multiply-adds of the pruning literature, in billions."""
    traced = trace(build_network(name), torch.zeros(1, 3, 32, 32))
    assert (round(traced.params / 1e6, 2), round(traced.flops / 1e9, 2)) == (params, flops)


@pytest.mark.parametrize(
    ("name", "params", "flops"),
    [
        ("resnet_digits", 77_754, 763_520),
        ("resnet_digits_deep", 42_970, 1_175_712),
        ("resnet_digits_strided", 173_842, 428_352),
    ],
)
def test_originals_for_digits_differ_in_their_ratio(name, params, flops):
    traced = trace(build_network(name), torch.zeros(1, 1, 8, 8))
    assert (traced.params, traced.flops) == (params, flops)
    assert multiply_adds(build_network(name).to("meta"), 8, channels=1) == flops


def test_names_of_weights_are_those_of_published_checkpoints():
    with torch.device("meta"):
        resnet, mobile = build_network("resnet50"), build_network("mobilenet_v2")
    assert {"conv1.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.running_var", "fc.bias"} < set(
        resnet.state_dict()
    )
    assert len(resnet.state_dict()) == 320
    assert {
        "features.1.conv.1.weight",
        "features.2.conv.1.0.weight",
        "features.18.1.bias",
        "classifier.1.weight",
    } < set(mobile.state_dict())


def test_the_cifar_variant_keeps_the_size_of_early_feature_maps():
    small, large = build_network("mobilenet_v2_cifar").eval(), build_network("mobilenet_v2").eval()
    image = torch.zeros(1, 3, 32, 32)
    assert small.features(image).shape[-1] == 4
    assert large.features(image).shape[-1] == 1


def test_the_seed_decides_the_weights_and_leaves_torchs_generator_alone():
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    first, again = build_network("resnet18", seed=1), build_network("resnet18", seed=1)
    assert torch.equal(torch.rand(1), before)
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert not torch.equal(first.conv1.weight, build_network("resnet18", seed=2).conv1.weight)


def fake(monkeypatch, name, **attributes):
    module = types.ModuleType(name)
    for key, value in attributes.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def create(name, *, num_classes, pretrained=None, weights="default"):
    if name != "known":
        raise ValueError(f"Unknown model {name}")
    assert not pretrained
    return nn.Linear(4, num_classes)


def test_networks_of_torchvision_and_timm_where_these_are_installed(monkeypatch):
    """Neither is needed here: fake modules replace them."""
    fake(monkeypatch, "torchvision")
    fake(monkeypatch, "torchvision.models", get_model=create)
    fake(monkeypatch, "timm", create_model=create)
    for name in ("torchvision:known", "timm:known"):
        assert build_network(name, num_classes=5).out_features == 5
    with pytest.raises(InputError, match="'timm:other': timm has no such network"):
        build_network("timm:other")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("resnet55", "must be one of .* or module:function"),
        ("no_such_module:f", "cannot be imported"),
        ("math:no_such_function", "cannot be imported"),
    ],
)
def test_an_unknown_network_is_refused(name, complaint):
    with pytest.raises(InputError, match=complaint):
        build_network(name)


def test_a_collection_that_does_not_fit_torch_says_so(monkeypatch):
    """As a torchvision that was built for another torch."""

    def fail(name):
        raise RuntimeError("operator torchvision::nms\ndoes not exist")

    monkeypatch.setattr(networks, "import_module", fail)
    with pytest.raises(InputError, match=r"operator torchvision::nms does not exist.*fits torch 2") as caught:
        build_network("torchvision:resnet18")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("collection", ["torchvision", "timm"])
def test_a_collection_that_is_not_installed_says_what_to_install(collection, monkeypatch):
    monkeypatch.setitem(sys.modules, collection, None)
    with pytest.raises(InputError, match=f"pip install {collection}"):
        build_network(f"{collection}:resnet50")
