"""Networks of torchvision and timm, as these packages define them.

No build of torchvision may fit the torch that the tests run with, and networks need nothing of what is compiled in it.
So `make test` puts both packages in a folder of their own, where no other test finds them (the fixture `collections`).
"""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from prunestats.errors import InputError, TraceError
from prunestats.runners import build_network, prune, trace
from prunestats.runners.pruning.shrinking import keep_filters, mask_filters
from prunestats.runners.run import run_study

pytestmark = pytest.mark.usefixtures("collections")

FOLLOWED = (
    "torchvision:resnet18",
    "torchvision:resnext50_32x4d",
    "torchvision:densenet121",
    "torchvision:googlenet",
    "torchvision:squeezenet1_1",
    "torchvision:mobilenet_v2",
    "torchvision:mobilenet_v3_small",
    "torchvision:mnasnet0_5",
    "torchvision:efficientnet_b0",
    "torchvision:regnet_y_400mf",
    "timm:test_resnet",
    "timm:test_efficientnet",
    "timm:test_byobnet",
    "timm:seresnet18",
    "timm:mobilenetv3_small_050",
    "timm:lcnet_035",
    "timm:dla46_c",
    "timm:ese_vovnet19b_slim",
    "timm:repvgg_a0",
    "timm:resnetv2_18",
)

REFUSED = {
    "torchvision:shufflenet_v2_x0_5": "'stage2.0' of kind InvertedResidual takes the 48 channels of a",
    "torchvision:swin_t": "'features.0.2' of kind LayerNorm owns parameters",
    "timm:test_convnext": "'stem.1' of kind LayerNorm2d owns parameters",
    "timm:test_nfnet": r"'stem.conv1' of kind ScaledStdConv2d owns parameters \(bias, gain, weight\)",
    "timm:test_vit": "the network itself, a VisionTransformer owns parameters",
    "timm:ghostnet_050": "'blocks.0.0.ghost2.primary_conv.1' cannot be traced",
}


def counted(network, image):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    return counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", FOLLOWED)
def test_networks_of_collections_are_costed_and_pruned_exactly(name):
    network = build_network(name, num_classes=10, seed=0).eval()
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    traced = trace(network, image)
    assert (traced.flops, traced.params) == counted(network, image)
    with torch.no_grad():
        assert torch.equal(prune(network, traced, traced.cost.sizes)(image), network(image))
    rng = np.random.default_rng(1)
    for _ in range(3):
        widths = rng.integers(1, traced.cost.sizes, endpoint=True)
        small = prune(network, traced, widths).eval()
        assert (traced.cost.flops(widths)[0], traced.cost.params(widths)[0]) == counted(small, image)
    filters = [rng.permutation(group.size) < max(1, round(0.7 * group.size)) for group in traced.groups]
    with torch.no_grad():
        found, expected = keep_filters(network, traced, filters)(image), mask_filters(network, traced, filters)(image)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    prune(network, traced, widths, init="scratch").train()(torch.randn(2, 3, 64, 64))
    small.train()(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in small.parameters())


@pytest.mark.parametrize(("name", "layers"), [("torchvision:efficientnet_v2_m", 403), ("timm:starnet_s1", 117)])
def test_rounding_error_is_no_mismatch(name, layers):
    """Neither over hundreds of layers, nor where multiplicative branches amplify it."""
    traced = trace(build_network(name, seed=0), torch.zeros(1, 3, 96, 96))
    assert len(traced.layers) == layers


@pytest.mark.parametrize(("name", "complaint"), REFUSED.items())
def test_what_cannot_be_pruned_exactly_is_refused_with_the_reason(name, complaint):
    network = build_network(name, num_classes=10)
    with pytest.raises(TraceError, match=complaint) as caught:
        trace(
            network, torch.randn(1, 3, *getattr(network, "default_cfg", {"input_size": (3, 64, 64)})["input_size"][1:])
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("torchvision:resnet19", r"torchvision has no such network \(Unknown model resnet19\)"),
        ("timm:resnet19", r"timm has no such network \(Unknown model"),
        ("torchvision:raft_small", "'torchvision:raft_small' cannot be built with 10 classes.*does it classify images"),
    ],
)
def test_other_names_are_refused_in_one_line(name, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        build_network(name)
    assert "\n" not in str(caught.value)


STUDY = """
name = "collections"
seed = 0
[data]
name = "npz"
folder = "{folder}/data.npz"
{originals}
[regimes]
flops = [0.5]
tolerance = 0.1
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 2
[protocol]
criterion = "geometric_median"
epochs = 1
learning_rate = 0.01
batch_size = 32
"""

ORIGINAL = """
[[originals]]
network = "{name}"
seeds = [0]
epochs = 1
learning_rate = 0.01
batch_size = 32
"""


def test_a_study_of_networks_of_collections_runs(tmp_path):
    rng = np.random.default_rng(0)
    labels = {"train": np.arange(96) % 3, "test": np.arange(48) % 3}
    arrays = {
        f"{split}_images": rng.integers(0, 255, (len(of), 3, 32, 32), dtype=np.uint8) for split, of in labels.items()
    }
    np.savez(tmp_path / "data.npz", **arrays, **{f"{split}_labels": of for split, of in labels.items()})
    originals = "".join(ORIGINAL.format(name=name) for name in ("torchvision:mobilenet_v3_small", "timm:test_resnet"))
    (tmp_path / "study.toml").write_text(STUDY.format(folder=tmp_path, originals=originals))
    summary = run_study(tmp_path / "study.toml", tmp_path / "results.db", workers=0)
    assert (summary.done_now, summary.failed_now) == (4, 0)
