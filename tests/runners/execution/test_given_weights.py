"""Originals with given weights: fine-tuned, with a new head, normalised as the weights need, checked before pruning."""

import sys
import types

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from prunestats.db import open_database, read, stored_originals
from prunestats.errors import StudyError, TrialError
from prunestats.runners import build_network, load_data
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.execution.timing import expected_s, time_trial
from prunestats.runners.execution.trial import try_originals
from prunestats.runners.execution.worker import OriginalTask, train_original
from prunestats.runners.run import run_study
from prunestats.runners.study.file import Study, parse_study

STUDY = """
name = "given"
[data]
name = "npz"
folder = "{folder}/{data}.npz"
{normalisation}
[[originals]]
network = "{network}"
{original}
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
"""

FINETUNE = "finetune = {{ epochs = {}, learning_rate = 0.05, batch_size = 64 }}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Digits of ten and of seven classes as files of arrays, and weights that were trained on the former."""
    place = tmp_path_factory.mktemp("given")
    digits = load_data("digits", mean=[0.0], std=[1.0])
    arrays = {}
    for name, split in (("train", digits.train), ("test", digits.test)):
        arrays |= {f"{name}_images": split.pixels.numpy(), f"{name}_labels": split.labels.numpy()}
    np.savez(place / "ten.npz", **arrays)
    seven = {name: arrays[f"{name}_labels"] < 7 for name in ("train", "test")}
    np.savez(place / "seven.npz", **{key: value[seven[key.partition("_")[0]]] for key, value in arrays.items()})
    as_bytes = {key: (255 * value).astype(np.uint8) if "images" in key else value for key, value in arrays.items()}
    np.savez(place / "bytes.npz", **as_bytes)
    recipe = {"epochs": 4, "learning_rate": 0.1, "batch_size": 64, "momentum": 0.9, "weight_decay": 5e-4}
    table = {"name": "npz", "folder": str(place / "ten.npz"), "mean": (0.4,), "std": (0.3,)}
    trained = train_original(OriginalTask("key", "resnet_digits", table, recipe, 0))
    (place / "w.safetensors").write_bytes(trained.weights)
    assert trained.metrics["test_error"] < 0.3
    return place


@pytest.fixture
def study(folder):
    def of(original="", *, data="ten", normalisation="mean = [0.4]\nstd = [0.3]", network="resnet_digits"):
        given = f'checkpoint = "{folder}/w.safetensors"\n' if "pretrained" not in original else ""
        text = STUDY.format(
            folder=folder, data=data, normalisation=normalisation, network=network, original=given + original
        )
        return parse_study(text)

    return of


def planned(study):
    return plan_study(study).originals[0]


def test_the_dense_network_is_evaluated_before_anything_is_pruned(study):
    (trial,) = try_originals(plan_study(study("expected_error = 0.3")))
    assert trial.dense.test.error < 0.3
    assert trial.dense.test.images == 450
    assert trial.normalisation == "mean 0.4 and std 0.3 of pixels, as [data] says"


def test_a_wrong_normalisation_stops_a_study_before_anything_is_stored(study, tmp_path):
    wrong = study(normalisation="mean = [40.0]\nstd = [0.3]")
    with pytest.raises(TrialError, match=r"by chance: normalisation is the usual reason \(in use: mean 40 and std"):
        run_study(wrong, tmp_path / "results.db", workers=0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TrialError, match=r"expected a test error of 1 % \(expected_error;"):
        try_originals(plan_study(study("expected_error = 0.01", normalisation="mean = [0.9]\nstd = [0.3]")))


def test_a_head_of_other_classes_needs_finetune(study):
    with pytest.raises(StudyError) as caught:
        plan_study(study(data="seven"))
    said = str(caught.value)
    assert said.startswith("originals.0.checkpoint: checkpoint ")
    assert "they have a head of 10 classes, the data have 7: the head (fc) is made new and must be trained: add" in said
    assert "finetune = { epochs = 5, learning_rate = 0.01 }" in said
    assert "\n" not in said
    with pytest.raises(StudyError, match=r"expected_error = 0\.1 makes no sense: they have a head of 10 classes"):
        plan_study(study(f"{FINETUNE.format(1)}\nexpected_error = 0.1", data="seven"))


def test_a_new_head_is_of_the_seed_and_is_trained_with_all_layers(study, folder):
    original = planned(study(FINETUNE.format(0), data="seven"))
    assert original.task.recipe["new_head"] == ["fc"]
    weights = safetensors.torch.load(train_original(original.task).weights)
    given = safetensors.torch.load_file(folder / "w.safetensors")
    assert torch.equal(weights["stem.weight"], given["stem.weight"])
    assert weights["fc.weight"].shape == (7, 64)
    both = plan_study(study(f"{FINETUNE.format(0)}\nseeds = [0, 1]", data="seven")).originals
    first, second = (safetensors.torch.load(train_original(one.task).weights) for one in both)
    assert torch.equal(first["fc.weight"], weights["fc.weight"])
    assert not torch.equal(second["fc.weight"], weights["fc.weight"])
    trained = train_original(planned(study(FINETUNE.format(3), data="seven")).task)
    # six of seven are wrong by chance
    assert trained.metrics["test_error"] < 0.3
    assert not torch.equal(safetensors.torch.load(trained.weights)["stem.weight"], given["stem.weight"])


def test_a_study_with_a_new_head_runs_is_resumed_and_found_again(study, tmp_path):
    content = study(FINETUNE.format(2), data="seven")
    first = run_study(content, tmp_path / "results.db", workers=0, max_runs=1)
    second = run_study(content, tmp_path / "results.db", workers=0)
    assert (first.done_now, second.done_now, second.failed_now, second.missing) == (1, 1, 0, 0)
    engine = open_database(tmp_path / "results.db", create=False)
    with read(engine) as connection:
        (row,) = stored_originals(connection)
    engine.dispose()
    again = plan_study(Study.model_validate_json(content.model_dump_json()), [row])
    assert again.originals[0].task.key == row.key
    assert set(row.recipe) == {"checkpoint", "sha256", "new_head", "finetune"}
    assert row.recipe["finetune"]["epochs"] == 2


def test_a_head_that_fits_may_be_finetuned_too(study):
    plan = plan_study(study(FINETUNE.format(1)))
    (trial,) = try_originals(plan)
    assert trial.dense is not None
    assert "new_head" not in trial.original.task.recipe
    timing = time_trial(plan, trial)
    assert timing.original_s(1) > timing.original_s(None)
    assert expected_s(plan, [trial], [timing], 0) > timing.original_s(1)


def test_keys_depend_on_finetune_and_normalisation_and_not_on_what_is_expected(study):
    def key(*args, **changes):
        return planned(study(*args, **changes)).task.key

    first = key()
    assert first == key("expected_error = 0.2")
    assert study().fingerprint == study("expected_error = 0.2").fingerprint
    others = [
        key(FINETUNE.format(1)),
        key(FINETUNE.format(2)),
        key(normalisation=""),
        key(normalisation="mean=[0.4]\nstd=[0.2]"),
    ]
    assert len({first, *others}) == 5


def test_keys_of_checkpoints_that_were_stored_before_are_unchanged(study, folder):
    original = planned(study(normalisation=""))
    assert set(original.task.recipe) == {"checkpoint", "sha256"}
    assert set(original.task.data) == {"name", "folder", "validation_fraction", "split_seed"}


class Digits(nn.Module):
    """A user's network with weights and a configuration of their own."""

    def __init__(self, num_classes):
        super().__init__()
        self.net = build_network("resnet_digits", num_classes=num_classes)

    def forward(self, x):
        return self.net(x)


@pytest.fixture
def own(monkeypatch, folder):
    def net(num_classes=10, pretrained=False):
        network = Digits(num_classes)
        if pretrained:
            network.net.load_state_dict(safetensors.torch.load_file(folder / "w.safetensors"))
            network.pretrained_cfg = {"mean": (0.4,), "std": (0.3,)}
        return network

    module = types.ModuleType("given_networks")
    module.net = net
    monkeypatch.setitem(sys.modules, "given_networks", module)
    return "given_networks:net"


def test_pretrained_weights_bring_their_normalisation(study, own, tmp_path):
    content = study("pretrained = true\nexpected_error = 0.3", normalisation="", network=own)
    plan = plan_study(content)
    task = plan.originals[0].task
    assert (task.data["mean"], task.data["std"]) == ((0.4,), (0.3,))
    assert task.recipe["normalisation"] == {"mean": [0.4], "spread": [0.3]}
    # the data set is the same, so that originals with other weights are compared
    assert plan.originals[0].network.digest == load_data(**content.data.model_dump()).digest
    (trial,) = try_originals(plan)
    assert trial.normalisation == "mean 0.4 and std 0.3 of pixels, as its pretrained_cfg says"
    assert run_study(content, tmp_path / "results.db", workers=0).done_now == 2
    assert run_study(content, tmp_path / "results.db", workers=0).done_now == 0


def test_the_study_overrides_the_weights_normalisation(study, own):
    (trial,) = try_originals(
        plan_study(study("pretrained = true", network=own, normalisation="mean=[0.35]\nstd=[0.3]"))
    )
    assert trial.normalisation == "mean 0.35 and std 0.3 of pixels, as [data] says"
    assert "normalisation" not in trial.original.task.recipe


def test_bytes_are_scaled_for_the_weights_normalisation(study, own):
    (trial,) = try_originals(plan_study(study("pretrained = true", network=own, normalisation="", data="bytes")))
    assert trial.normalisation == "mean 0.4 and std 0.3 of pixels / 255, as its pretrained_cfg says"
    assert trial.dense.test.error < 0.3
    with pytest.raises(StudyError, match=r"data\.scale: expected pixels from 0 to 1 after division by 1, as the mean"):
        plan_study(study("pretrained = true", network=own, normalisation="scale = 1", data="bytes"))


def test_pretrained_weights_of_other_classes_are_finetuned(study, own):
    with pytest.raises(StudyError, match=r"originals\.0\.pretrained: pretrained weights of .* a head of 10 classes"):
        plan_study(study("pretrained = true", network=own, data="seven"))
    original = planned(study(f"pretrained = true\n{FINETUNE.format(2)}", network=own, data="seven"))
    assert original.given.head.layers == ("net.fc",)
    assert train_original(original.task).metrics["test_error"] < 0.4


def test_weights_that_changed_after_planning_are_refused(study, own, monkeypatch):
    original = planned(study("pretrained = true", network=own))
    module = sys.modules["given_networks"]
    before = module.net

    def changed(num_classes=10, pretrained=False):
        network = before(num_classes, pretrained)
        with torch.no_grad():
            network.net.fc.bias += 1
        return network

    monkeypatch.setattr(module, "net", changed)
    with pytest.raises(ValueError, match="have changed since the study was planned, or differ on this machine"):
        train_original(original.task)


@pytest.mark.parametrize(
    ("normalisation", "complaint"),
    [
        ("mean = [0.4]", "std is missing beside mean"),
        ("mean = [0.4]\nstd = [0.3, 0.3]", "mean and std must have one number a channel; found 1 and 2"),
        ("mean = [0.4]\nstd = [0.0]", r"data\.std\.0: input should be greater than 0; found 0\.0"),
        ("scale = 255", r"data\.scale = 255 makes no sense without mean and std"),
        (
            "mean = [0.4, 0.4]\nstd = [0.3, 0.3]",
            r"data\.mean and data\.std must have one number for each of the 1 ch",
        ),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused_in_one_line(study, normalisation, complaint):
    with pytest.raises(StudyError, match=complaint) as caught:
        plan_study(study(normalisation=normalisation))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("original", "complaint"),
    [
        ('checkpoint = "w.pth"\npretrained = true', "checkpoint and pretrained both give weights: remove one"),
        (
            "epochs = 1\nlearning_rate = 0.1\nfinetune = { epochs = 1, learning_rate = 0.1 }",
            "finetune makes no sense",
        ),
        (
            "epochs = 1\nlearning_rate = 0.1\nexpected_error = 0.1",
            "expected_error makes no sense without given",
        ),
        (
            "pretrained = true\nepochs = 1",
            r"epochs = 1 makes no sense with pretrained.*: to train it, add finetune",
        ),
        ("pretrained = true\nseeds = [0, 1]", r"seeds = \[0, 1\] makes no sense with pretrained, .* without finetune"),
        ("pretrained = true\nfinetune = { epochs = 1 }", r"originals\.0\.finetune\.learning_rate is missing"),
        ("pretrained = true\nfinetune = { epoch = 1, learning_rate = 1 }", r"epochs? is (missing|not a key)"),
        ("pretrained = true\nexpected_error = 7.41", r"expected_error: input should be less than 1; found 7\.41"),
        ('pretrained = ""', r"originals\.0\.pretrained"),
    ],
)
def test_keys_of_given_weights_that_do_not_go_together_are_refused(original, complaint):
    text = STUDY.format(folder="", data="ten", normalisation="", network="resnet_digits", original=original)
    with pytest.raises(StudyError, match=complaint) as caught:
        parse_study(text)
    assert "\n" not in str(caught.value)
