"""The memory format of a network: the fastest on this device, or contiguous where its forward pass needs that."""

import os
import textwrap

import pytest
import torch
from torch import nn

from prunestats.db import load_results
from prunestats.runners import build_network
from prunestats.runners.retrain import export_subnetwork
from prunestats.runners.run import run_study
from prunestats.runners.training import device
from prunestats.runners.training.device import memory_layout, place_network

STUDY = """
name = "views"
seed = 0
[data]
name = "digits"
[[originals]]
network = "viewing_network:build"
seeds = [0]
epochs = 1
learning_rate = 0.05
batch_size = 256
[regimes]
flops = [0.5]
tolerance = 0.1
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 2
[protocol]
epochs = 1
learning_rate = 0.02
batch_size = 256
latency = true
proxies = true
distill_weight = 0.5
"""

VIEWING = textwrap.dedent("""
    from torch import nn

    class Viewing(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 8, 3, 2, 1)
            self.conv2 = nn.Conv2d(8, 12, 3, 2, 1)
            self.fc = nn.Linear(12 * 4, num_classes)

        def forward(self, x):
            x = self.conv2(self.conv1(x).relu()).relu()
            return self.fc(x.view(x.size(0), -1))

    def build(num_classes):
        return Viewing(num_classes)
""")


@pytest.fixture
def viewing(tmp_path, monkeypatch):
    """A folder whose module defines a network that flattens by `view`, found by this process and by workers."""
    (tmp_path / "viewing_network.py").write_text(VIEWING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def test_a_network_that_flattens_by_view_is_trained_alike_by_any_worker_and_exported(viewing):
    (viewing / "study.toml").write_text(STUDY)
    frames = []
    for workers in (0, 1):
        db = viewing / f"{workers}.db"
        summary = run_study(viewing / "study.toml", db, workers=workers)
        assert (summary.done_now, summary.failed_now) == (2, 0)
        frames.append(load_results(db).sort_values("subnetwork"))
    assert frames[0].val_loss.tolist() == frames[1].val_loss.tolist()
    export = export_subnetwork(frames[0].subnetwork.iloc[0], viewing / "0.db", viewing / "export", onnx=False)
    assert export.differences == {}


def layout_of(network, channels=1):
    return memory_layout(network, torch.zeros(1, channels, 8, 8))


@pytest.mark.parametrize("name", ["resnet_digits", "resnet_digits_strided"])
def test_built_in_networks_are_trained_with_channels_last(name):
    assert layout_of(build_network(name)) == torch.channels_last


class Branching(nn.Module):
    """A network that flattens by `view` in one mode only, and uses random numbers and batch statistics."""

    def __init__(self, mode):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4 * 36, 10)
        self.drop, self.mode = nn.Dropout(), mode

    def forward(self, x):
        x = self.drop(self.norm(self.conv(x)))
        return self.fc(x.view(x.size(0), -1) if self.training is self.mode else x.flatten(1))


@pytest.mark.parametrize("mode", [True, False])
def test_both_modes_are_tried_and_the_network_and_random_state_are_left_alone(mode):
    network = Branching(mode)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    assert layout_of(network) == torch.contiguous_format
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.training
    assert network.conv.weight.is_contiguous()
    assert layout_of(Branching(None)) == torch.channels_last


@pytest.mark.parametrize("error", [RuntimeError("out of luck"), ValueError("a stride")])
def test_other_errors_are_left_to_training(error):
    class Failing(nn.Module):
        def forward(self, x):
            raise error

    assert layout_of(Failing()) == torch.channels_last


def test_a_gpu_is_not_asked(monkeypatch):
    """On a GPU the contiguous format is used for every network."""
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    assert layout_of(None) == torch.contiguous_format


def test_a_network_is_placed_in_the_format_that_it_is_given():
    network = nn.Conv2d(3, 4, 3)
    assert place_network(network, torch.contiguous_format).weight.is_contiguous()
    assert place_network(network).weight.is_contiguous(memory_format=torch.channels_last)
