"""Checkpoints: loaded completely, or refused in one line; code in them is never run."""

import pickle
from argparse import Namespace
from collections import OrderedDict

import pytest
import safetensors.torch
import torch

from prunestats.errors import InputError, StudyError
from prunestats.runners import build_network
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.execution.worker import train_original
from prunestats.runners.networks.checkpoint import checkpoint_sha256, checkpoint_state, load_state
from prunestats.runners.study.file import demo_study_file, parse_study

DEMO = demo_study_file().read_text()
TRAINED = DEMO[DEMO.index("seeds = [0, 1]") : DEMO.index("# Pruning regimes")]


@pytest.fixture
def weights():
    return build_network("resnet_digits", seed=5).state_dict()


def load_checkpoint(network, path):
    state, changes = checkpoint_state(path, set(network.state_dict()))
    load_state(network, state, f"checkpoint {path!r}", changes)


def saved(path, content):
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(content, path)
    else:
        torch.save(content, path)
    return str(path)


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.th", "w.tar", "w.pth.tar", "w.safetensors"])
def test_all_weights_are_loaded(tmp_path, weights, name):
    network = build_network("resnet_digits", seed=6)
    load_checkpoint(network, saved(tmp_path / name, weights))
    assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "net", "model_state_dict", "ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_and_prefixes_of_training_scripts_are_removed(tmp_path, weights, wrapper, prefix):
    renamed = {f"{prefix}{name}": value for name, value in weights.items() if "num_batches" not in name}
    network = build_network("resnet_digits", seed=6)
    load_checkpoint(network, saved(tmp_path / "w.pt", {wrapper: renamed, "epoch": 3}))
    assert torch.equal(network.stem.weight, weights["stem.weight"])


def test_prefixes_are_removed_from_safetensors_too(tmp_path, weights):
    network = build_network("resnet_digits", seed=6)
    renamed = {f"_orig_mod.{name}": value for name, value in weights.items()}
    load_checkpoint(network, saved(tmp_path / "w.safetensors", renamed))
    assert torch.equal(network.stem.weight, weights["stem.weight"])


def test_a_moving_average_is_read_where_there_are_no_other_weights(tmp_path, weights):
    """As torch's AveragedModel saves it, with its counter."""
    other = build_network("resnet_digits", seed=7).state_dict()
    averaged = torch.optim.swa_utils.AveragedModel(build_network("resnet_digits", seed=5)).state_dict()
    assert "n_averaged" in averaged
    for content, expected in (({"ema": averaged}, weights), ({"ema": averaged, "model": other}, other)):
        network = build_network("resnet_digits", seed=6)
        load_checkpoint(network, saved(tmp_path / "w.pt", content))
        assert torch.equal(network.stem.weight, expected["stem.weight"])


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_prefix_that_the_network_has_itself_is_kept(tmp_path, weights, prefix):
    network = torch.nn.Sequential(OrderedDict(module=build_network("resnet_digits", seed=6)))
    named = {f"{prefix}module.{name}": value for name, value in weights.items()}
    load_checkpoint(network, saved(tmp_path / "w.pt", named))
    assert torch.equal(network.module.stem.weight, weights["stem.weight"])


def test_a_published_checkpoint_of_another_network_says_what_was_read_and_which_names_differ(tmp_path):
    """Saved in torch's old format under these names, as a widely used repository publishes its CIFAR ResNets."""
    names = ("conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv1.weight", "linear.bias")
    content = {"best_prec1": 91.7, "state_dict": OrderedDict((f"module.{name}", torch.zeros(1)) for name in names)}
    torch.save(content, tmp_path / "resnet20.th", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError) as caught:
        load_checkpoint(build_network("resnet20"), str(tmp_path / "resnet20.th"))
    said = str(caught.value)
    assert "(read under 'state_dict', without the prefix 'module.') belongs to another network: expected" in said
    assert "expected stem.weight, bn.weight, bn.bias and " in said
    assert "; found conv1.weight, bn1.weight, bn1.bias and 2 more: name the network" in said
    assert "\n" not in said


def test_a_mapping_that_contains_itself_is_refused(tmp_path):
    content = {"epoch": 3}
    content["model"] = content
    with pytest.raises(InputError, match="found other values under epoch, model: save it alone"):
        load_checkpoint(build_network("resnet_digits"), saved(tmp_path / "w.pt", content))


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("code from the file was run",))


def without(weights, *names):
    return {name: value for name, value in weights.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda w: without(w, "stem.weight", "fc.bias"),
            "expected stem.weight, fc.bias; found no such names:",
        ),
        (lambda w: {**w, "extra.weight": torch.zeros(1)}, "expected no other names than .*; found extra.weight:"),
        (
            lambda w: {f"net.{name}": value for name, value in w.items()},
            r"more; found net.stem.weight, .* and \d+ more:",
        ),
        (lambda w: {**w, "fc.weight": torch.zeros(100, 64)}, r"fc.weight has shape \(100, 64\), the network's has"),
        (
            lambda w: {**w, "fc.bias": torch.full((10,), torch.nan)},
            "expected finite weights; found NaN or infinity in fc.bias",
        ),
        (lambda w: [1, 2], "must hold a state dict, tensors by name; found a list"),
        (lambda w: {"stem.weight": 3}, "must hold a state dict, tensors by name; found other values under stem.weight"),
        (lambda w: {"stem.weight": Hostile()}, "holds more than weights"),
        (lambda w: {"model": w, "args": Namespace(lr=0.1)}, r"holds more than weights \(argparse.Namespace\)"),
    ],
)
def test_other_weights_are_refused_in_one_line(tmp_path, weights, change, complaint):
    network = build_network("resnet_digits", seed=6)
    before = network.stem.weight.clone()
    with pytest.raises(InputError, match=complaint) as caught:
        load_checkpoint(network, saved(tmp_path / "w.pt", change(weights)))
    assert "\n" not in str(caught.value)
    assert torch.equal(network.stem.weight, before)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", pickle.dumps(Hostile(), protocol=2)])
def test_damaged_and_hostile_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        InputError, match=r"checkpoint .* (cannot be read as weights|holds more than weights)"
    ) as caught:
        load_checkpoint(build_network("resnet_digits"), str(tmp_path / name))
    assert "\n" not in str(caught.value)


def from_checkpoint(path):
    return DEMO.replace(TRAINED, f'checkpoint = "{path}"\n\n')


def test_a_checkpoint_takes_the_place_of_training(tmp_path, weights):
    path = saved(tmp_path / "w.pt", weights)
    planned = plan_study(parse_study(from_checkpoint(path)))
    task = planned.originals[0].task
    assert task.recipe == {"checkpoint": path, "sha256": checkpoint_sha256(path)}
    trained = train_original(task)
    kept = safetensors.torch.load(trained.weights)
    assert all(torch.equal(kept[name], value) for name, value in weights.items())
    assert 0 < trained.metrics["val_error"] <= 1


def test_an_original_is_identified_by_the_content_of_its_checkpoint_not_by_its_path(tmp_path, weights):
    def key(name, content):
        return plan_study(parse_study(from_checkpoint(saved(tmp_path / name, content)))).originals[0].task.key

    first = key("a.safetensors", weights)
    assert first == key("b.safetensors", weights)
    assert first != key("a.safetensors", {**weights, "fc.bias": weights["fc.bias"] + 1})


def test_a_file_that_changes_after_planning_is_refused(tmp_path, weights):
    path = saved(tmp_path / "w.pt", weights)
    task = plan_study(parse_study(from_checkpoint(path))).originals[0].task
    saved(tmp_path / "w.pt", {**weights, "fc.bias": weights["fc.bias"] + 1})
    with pytest.raises(InputError, match="has changed since the study was planned"):
        train_original(task)


def test_a_wrong_checkpoint_is_refused_before_anything_is_trained(tmp_path, weights):
    with pytest.raises(StudyError, match=r"originals\.0\.checkpoint: checkpoint .* cannot be read"):
        plan_study(parse_study(from_checkpoint(tmp_path / "absent.pt")))
    path = saved(tmp_path / "w.pt", without(weights, "fc.bias"))
    with pytest.raises(StudyError, match=r"originals\.0\.checkpoint: .* expected fc\.bias; found no such"):
        plan_study(parse_study(from_checkpoint(path)))


@pytest.mark.parametrize("line", ["epochs = 3", "learning_rate = 0.1", 'optimiser = "adamw"', "seeds = [0, 1]"])
def test_a_checkpoint_is_not_trained_further(line):
    with pytest.raises(StudyError, match=r"originals\.0: .* makes no sense with a checkpoint"):
        parse_study(DEMO.replace(TRAINED, f'checkpoint = "w.pt"\n{line}\n\n'))
