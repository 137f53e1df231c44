"""Fingerprints: an edit that leaves what a network computes leaves them; one that changes it is seen and explained."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from prunestats.runners import build_network
from prunestats.runners.networks.fingerprint import fingerprint, from_stored
from prunestats.runners.networks.probe import splitmix, uniform
from prunestats.runners.networks.same_network import differing, explained, same_network

SOURCE = textwrap.dedent(
    '''
    """A network of the user's own."""

    import torch
    from torch import nn
    from torch.nn import functional

    WIDTH = 8


    def gate(x):
        """A helper outside of the class."""
        return torch.tanh(x) * 2


    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn = nn.BatchNorm2d(width)

        def forward(self, x):
            return functional.relu(self.bn(self.conv(x)) + x)


    class Net(nn.Module):
        """A stem, two blocks and a classifier."""

        def __init__(self, num_classes=10):
            super().__init__()
            self.stem = nn.Conv2d(1, WIDTH, 3, padding=1)
            self.first = Block(WIDTH)
            self.second = Block(WIDTH)
            self.drop = nn.Dropout(0.1)
            self.fc = nn.Linear(WIDTH, num_classes)
            self.register_buffer("scale", torch.tensor(0.5))
            nn.init.normal_(self.fc.weight, std=0.05)

        def forward(self, x):
            # from images to logits
            x = functional.relu(self.stem(x))
            x = self.second(self.first(x))
            x = gate(x.mean((2, 3)))
            return self.fc(self.drop(x)) * self.scale
    '''
)

# Edits of the file that leave what the network computes: what is replaced, and by what.
LEFT = {
    "a comment": ("# from images to logits", "# logits"),
    "docstrings": ('"""A stem, two blocks and a classifier."""', '"""It classifies."""'),
    "layout": ("x = self.second(self.first(x))", "x = self.second(\n            self.first(x)\n        )"),
    "the name of a variable": ("def gate(x):", "def gate(x: torch.Tensor) -> torch.Tensor:"),
    "the name of a helper": ("gate", "squash"),
    "the name of a class": ("Block", "Residual"),
    "the name of a layer": ("self.stem", "self.entry"),
    "a module for a function": ("functional.relu(self.stem(x))", "nn.ReLU()(self.stem(x))"),
    "another call of the same": ("x.mean((2, 3))", "functional.adaptive_avg_pool2d(x, 1).flatten(1)"),
    "an argument at its default": ("nn.BatchNorm2d(width)", "nn.BatchNorm2d(width, eps=1e-5)"),
    "an unused import": ("import torch\n", "import math\nimport torch\n"),
    "an unused function": ("class Block", "def unused():\n    return 1\n\n\nclass Block"),
    "a constant for its name": ("WIDTH, num_classes", "8, num_classes"),
    "the order of a sum": ("self.bn(self.conv(x)) + x", "x + self.bn(self.conv(x))"),
}

# Edits that change it, and what explains each.
CHANGED = {
    "dropout": ("nn.Dropout(0.1)", "nn.Dropout(0.11)", "layer drop"),
    "a width": ("WIDTH = 8", "WIDTH = 9", "layer stem"),
    "batch norm's eps": ("nn.BatchNorm2d(width)", "nn.BatchNorm2d(width, eps=1.1e-5)", "layer first.bn"),
    "batch norm's momentum": ("nn.BatchNorm2d(width)", "nn.BatchNorm2d(width, momentum=0.11)", "layer first.bn"),
    "an activation": ("return functional.relu(", "return functional.elu(", "source of {}: Block"),
    "a helper outside of the class": ("torch.tanh(x) * 2", "torch.tanh(x) * 2.001", "source of {}: gate"),
    "pooling": ("x.mean((2, 3))", "x.amax((2, 3))", "source of {}: Net"),
    "a shortcut": ("self.bn(self.conv(x)) + x", "self.bn(self.conv(x))", "source of {}: Block"),
    "a kernel": ("nn.Conv2d(1, WIDTH, 3, padding=1)", "nn.Conv2d(1, WIDTH, 5, padding=2)", "layer stem"),
    "a bias": ("nn.Linear(WIDTH, num_classes)", "nn.Linear(WIDTH, num_classes, bias=False)", "layer fc"),
    "a block": ("self.second(self.first(x))", "self.first(x)", "source of {}: Net"),
    "a layer shared": ("self.second = Block(WIDTH)", "self.second = self.first", "source of {}: Net"),
    "a constant buffer": ("torch.tensor(0.5)", "torch.tensor(0.51)", "source of {}: Net"),
    "the scale of the initial weights": ("std=0.05", "std=0.051", "source of {}: Net"),
    "a gradient that is stopped": ("self.first(x))", "self.first(x).detach())", "source of {}: Net"),
    "a layer that is not trained": ("std=0.05)", "std=0.05).requires_grad_(False)", "source of {}: Net"),
    "noise in training": ("self.drop(x))", "self.drop(x + torch.rand_like(x) * self.training))", "source of {}: Net"),
}


@pytest.fixture
def probed(tmp_path, monkeypatch):
    """Fingerprint of the network in a source, in a module of its own name."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = []

    def probe(source, name=None):
        name = name or f"own_network_{len(made)}"
        made.append(name)
        (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        network = build_network(f"{name}:Net", seed=0)
        return fingerprint(f"{name}:Net", network, (1, 8, 8), 1)

    yield probe
    for name in made:
        sys.modules.pop(name, None)


def edited(old, new):
    assert old in SOURCE
    return SOURCE.replace(old, new)


@pytest.mark.parametrize("edit", LEFT)
def test_an_edit_that_leaves_what_is_computed(probed, edit):
    assert same_network(probed(SOURCE), probed(edited(*LEFT[edit])), initial=True)


def test_a_file_that_was_moved_and_renamed(probed, tmp_path, monkeypatch):
    before = probed(SOURCE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "moved.py").write_text(SOURCE.replace("class Net", "class Renamed"))
    importlib.invalidate_caches()
    network = build_network("package.moved:Renamed", seed=0)
    now = fingerprint("package.moved:Renamed", network, (1, 8, 8), 1)
    assert same_network(before, now, initial=True)


@pytest.mark.parametrize("edit", CHANGED)
def test_an_edit_that_changes_what_is_computed(probed, edit):
    old, new, reason = CHANGED[edit]
    before, now = probed(SOURCE, "own_network"), None
    sys.modules.pop("own_network")
    now = probed(edited(old, new), "own_network")
    assert not same_network(before, now, initial=True)
    assert reason.format("own_network") in [each.key for each in explained(before, now)]


def test_the_fingerprint_survives_the_database_and_the_generator(probed):
    before = probed(SOURCE)
    torch.manual_seed(17)
    state = torch.get_rng_state()
    now = probed(SOURCE)
    assert before.behaviour == now.behaviour
    assert torch.equal(torch.get_rng_state(), state)
    assert from_stored(json.loads(json.dumps(dataclasses.asdict(now), allow_nan=False))) == now


def test_a_change_in_another_module_is_named(probed, tmp_path):
    (tmp_path / "own_helpers.py").write_text("def gate(x):\n    return x.tanh() * 2\n")
    source = SOURCE.replace("WIDTH = 8", "from own_helpers import gate as other\n\nWIDTH = 8")
    source = source.replace("x = gate(", "x = other(")
    before = probed(source)
    (tmp_path / "own_helpers.py").write_text("def gate(x):\n    return x.tanh() * 3\n")
    del sys.modules["own_helpers"]
    now = probed(source)
    assert not same_network(before, now, initial=True)
    assert "source of own_helpers: gate" in [each.key for each in explained(before, now)]


def test_initial_weights_do_not_count_for_a_checkpoint(probed):
    before, now = probed(SOURCE), probed(edited("std=0.05", "std=0.5"))
    assert not same_network(before, now, initial=True)
    assert same_network(before, now, initial=False)


def test_another_generator_is_no_other_network(probed):
    """Another version of torch may draw other numbers of the same distribution, but not of another one."""
    network = build_network("resnet20", seed=0)
    before = fingerprint("resnet20", network, (3, 32, 32), 1)
    other = fingerprint("resnet20", build_network("resnet20", seed=1), (3, 32, 32), 1)
    assert not same_network(before, other, initial=True)
    assert same_network(before, dataclasses.replace(other, torch="2.0.0"), initial=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.2)
    scaled = dataclasses.replace(fingerprint("resnet20", network, (3, 32, 32), 1), torch="2.0.0")
    assert [each.key for each in differing(before, scaled, initial=True)] == ["scale of the initial weights"]


def test_other_instruction_sets_compute_the_same(tmp_path):
    """By the settings of torch, oneDNN and OpenBLAS, in another process."""
    script = (
        "import dataclasses, json, sys; from prunestats.runners import build_network;"
        "from prunestats.runners.networks.fingerprint import fingerprint;"
        "found = fingerprint('resnet20', build_network('resnet20', seed=0), (3, 32, 32), 1);"
        "json.dump(dataclasses.asdict(found), sys.stdout)"
    )
    plain = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Haswell"}
    ran = subprocess.run([sys.executable, "-c", script], env=os.environ | plain, capture_output=True, check=True)
    elsewhere = from_stored(json.loads(ran.stdout))
    here = fingerprint("resnet20", build_network("resnet20", seed=0), (3, 32, 32), 1)
    assert same_network(here, elsewhere, initial=True)
    assert here.rounded(5) == elsewhere.rounded(5)


class Casting(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(x.flatten(1).to(torch.float32))


def test_a_network_that_casts_is_probed_in_float32():
    found = fingerprint("tests:Casting", Casting(), (1, 8, 8), 1)
    assert found.precision == "float32"
    assert same_network(found, found, initial=True)


def test_the_error_of_a_network_that_cannot_train_is_its_own():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).requires_grad_(False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        fingerprint("a:b", network, (1, 8, 8), 1)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        noise = torch.randn(len(x), 64) + torch.empty(len(x), 64).normal_(1.0, std=2.0)
        noise = noise + torch.empty(len(x), 64).uniform_(-1.0, 1.0) + torch.rand(len(x), 64) + torch.randn_like(noise)
        return self.fc(x.flatten(1) + noise + torch.bernoulli(torch.full_like(noise, 0.3)))


def test_one_number_for_each_image_is_probed_as_one_column_is():
    """A regression may return a vector of the batch's length."""

    class Squeezed(nn.Linear):
        def forward(self, x):
            return super().forward(x)[:, 0]

    column, squeezed = nn.Linear(8, 1), Squeezed(8, 1)
    squeezed.load_state_dict(column.state_dict())
    behaviours = [fingerprint("a", each, (8,), 8).behaviour for each in (column, squeezed)]
    assert behaviours[0] == behaviours[1]


def test_random_layers_draw_by_the_rule_and_not_from_torch():
    torch.manual_seed(1)
    network = Noisy()
    before = fingerprint("a:Noisy", network, (1, 8, 8), 1)
    state = torch.get_rng_state()
    assert fingerprint("a:Noisy", network, (1, 8, 8), 1) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_numbers_of_the_rule():
    """SplitMix64 gives the published test vector of seed 1234567, and the moments are those of uniform numbers."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert splitmix(1234567, 1, 5).tolist() == published
    numbers = uniform((200_000,), "any")
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert float(numbers.mean()) == pytest.approx(1 / 2, abs=5 * (1 / 12 / 200_000) ** 0.5)
    assert float(numbers.var()) == pytest.approx(1 / 12, abs=5 * (1 / 180 / 200_000) ** 0.5)
    assert torch.equal(uniform((3, 4), "any").flatten(), uniform((12,), "any"))
    assert not torch.equal(uniform((12,), "any"), uniform((12,), "other"))
