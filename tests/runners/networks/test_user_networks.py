"""Networks of the user's own: functions, classes and instances; outputs that do not fit the data are refused."""

import functools
import importlib
import sys
import types

import pytest
import torch
from torch import nn

from prunestats.errors import InputError, StudyError
from prunestats.runners import build_network
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.networks.user_networks import check_outputs
from prunestats.runners.study.file import demo_study_file, parse_study


class Classes(nn.Linear):
    def __init__(self, num_classes=10):
        super().__init__(4, num_classes)


class Fixed(nn.Linear):
    def __init__(self):
        super().__init__(4, 7)


class Blocks(nn.Linear):
    def __init__(self, block, num_blocks, num_classes=10):
        super().__init__(4, num_classes)


def positional(num_classes, /):
    return nn.Linear(4, num_classes)


def mistaken():
    return nn.Linear(4, 7)(num_classes=7)


BUILDERS = {
    "a function of num_classes": lambda num_classes: nn.Linear(4, num_classes),
    "a function without arguments": lambda: nn.Linear(4, 7),
    "a function with a default": lambda width=4: nn.Linear(width, 7),
    "a function of any keywords": lambda **options: nn.Linear(4, **{"out_features": options["num_classes"]}),
    "a partial function": functools.partial(Blocks, None, 3),
    "a class with num_classes": Classes,
    "a class without": Fixed,
    "an instance": nn.Linear(4, 7),
}


@pytest.fixture
def name(monkeypatch):
    def named(found):
        module = types.ModuleType("my_networks")
        module.mine = found
        monkeypatch.setitem(sys.modules, "my_networks", module)
        return "my_networks:mine"

    return named


@pytest.mark.parametrize("kind", BUILDERS)
def test_builders_take_the_number_of_classes_or_not(name, kind):
    network = build_network(name(BUILDERS[kind]), num_classes=7, seed=3)
    assert network.out_features == 7
    again = build_network("my_networks:mine", num_classes=7, seed=3)
    assert again is not network
    assert torch.equal(again.weight, network.weight)


def test_an_instance_is_copied_with_its_weights(name):
    mine = nn.Linear(4, 7)
    network = build_network(name(mine), num_classes=7, seed=3)
    assert torch.equal(network.weight, mine.weight)
    with torch.no_grad():
        network.weight.zero_()
    assert mine.weight.abs().sum() > 0


def test_an_instance_has_the_same_weights_in_every_process(tmp_path, monkeypatch):
    """Whatever the state of torch's generator where its module is imported."""
    (tmp_path / "instance_network.py").write_text("from torch import nn\nnet = nn.Linear(4, 7)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    found = []
    for seed in (1, 2):
        monkeypatch.delitem(sys.modules, "instance_network", raising=False)
        torch.manual_seed(seed)
        found.append(build_network("instance_network:net", num_classes=7, seed=seed).weight)
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (3.0, "must be a function, a class or an instance of torch.nn.Module; found a float: name what builds"),
        (
            Blocks,
            "must take num_classes as a keyword, or no argument; found that it requires block, num_blocks: give",
        ),
        (positional, "must take num_classes as a keyword, or no argument; found that it requires num_classes"),
        (lambda n_classes: None, "requires n_classes: give defaults, or name a function of num_classes"),
        (lambda num_classes: [num_classes], "must return a torch.nn.Module; found a list"),
    ],
)
def test_what_builds_no_network_is_refused_in_one_line(name, found, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        build_network(name(found), num_classes=7)
    assert "\n" not in str(caught.value)


def test_the_signature_decides_so_errors_of_the_builder_are_its_own(name):
    with pytest.raises(TypeError, match=r"forward\(\) got an unexpected keyword argument"):
        build_network(name(mistaken), num_classes=7)


def test_outputs_must_be_one_for_each_class():
    network = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(4, 7))
    check_outputs("mine", network, torch.zeros(2, 1, 2, 2), 7)
    assert network.training
    with pytest.raises(InputError, match=r"'mine' must return logits of shape \(1, 10\) .*; found \(1, 7\): give its"):
        check_outputs("mine", network, torch.zeros(2, 1, 2, 2), 10)


def test_a_study_whose_network_has_other_outputs_is_refused_before_anything_is_trained(name):
    layers = (nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 7))
    study = demo_study_file().read_text().replace('"resnet_digits"', f'"{name(nn.Sequential(*layers))}"')
    with pytest.raises(StudyError, match=r"originals\.0\.network: .* shape \(1, 10\) .*; found \(1, 7\)") as caught:
        plan_study(parse_study(study))
    assert "\n" not in str(caught.value)
