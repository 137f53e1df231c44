"""From nothing to a study: init writes a short one for a user's network, and check tries it, without storing."""

import re

import numpy as np
import pytest

from prunestats.runners.study.file import demo_study_file, read_study
from prunestats.runners.study.short_study import ShortStudy
from prunestats.runners.study.sizing import StudySize
from prunestats.spaces.constraints import WidthDivisor

NETWORK = """
from torch import nn


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 24, 3), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 32, 3), nn.BatchNorm2d(32), nn.ReLU(),
        )
        self.fc = nn.Linear(32, num_classes)

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 1)
        return self.fc(x.view(x.size(0), -1))
"""


@pytest.fixture
def folder(tmp_path):
    """A folder as a new user has it: a network and images."""
    (tmp_path / "mynet.py").write_text(NETWORK)
    rng, labels = np.random.default_rng(0), np.arange(300) % 3
    pixels = (rng.normal(size=(300, 1, 10, 10)) + labels[:, None, None, None]).astype(np.float32)
    np.savez(
        tmp_path / "images.npz",
        train_images=pixels,
        train_labels=labels,
        test_images=pixels[:90],
        test_labels=labels[:90],
    )
    return tmp_path


def written(folder, checkpoint=None):
    """A study of the network in the folder, as init writes it."""
    data = {"name": "npz", "folder": str(folder / "images.npz")}
    size = StudySize(original_epochs=1, epochs=1, subnetworks=4, seeds=1)
    draft = ShortStudy("Net-images", data, "mynet:Net", checkpoint, (0.5,), 0.1, True, 225, size)
    (folder / "study.toml").write_text(draft.text)
    return folder / "study.toml"


@pytest.fixture
def installed(prunestats, environment, monkeypatch):
    """The command as it is installed: unlike with `python -m`, the current folder is not on its import path."""
    monkeypatch.setitem(environment, "PYTHONSAFEPATH", "1")
    return prunestats


def test_a_network_in_the_current_folder_is_sized_checked_and_run(folder, installed):
    done = installed("init", "--network", "mynet:Net", "--data", "images.npz", "--minutes", 500, cwd=folder)
    assert "Timed on this machine, a training step takes, for each image" in done.stdout
    assert re.search(r"2 budgets x 2 spaces x \d+ subnetworks x 2 training seeds, \d+ different runs", done.stdout)
    assert re.search(r"`prunestats run` will take about .* with \d+ worker process", done.stdout)
    assert "Next: prunestats check study.toml, then: prunestats run study.toml" in done.stdout
    study = read_study(folder / "study.toml")
    assert (study.name, study.data.folder, study.regimes.flops) == ("Net-images", "images.npz", (0.5, 0.25))
    assert [space.name for space in study.spaces] == ["initial", "uniform"]
    # a group has 16 filters
    assert not any(space.space().constraints for space in study.spaces)
    assert study.population.subnetworks >= 10
    checked = installed("check", "study.toml", cwd=folder).stdout
    for said in (
        "data       npz from images.npz: 3 classes, 1 channel, 10 x 10 pixels",
        "images     225 training, 75 validation, 90 test",
        "network    mynet:Net",
        "groups     3 of filters that are pruned together: features.0 16, features.3 24, features.6 32",
        "multiply-adds (MACs) for one image, ",
        "memory     ",
        "Nothing was stored.",
    ):
        assert said in checked
    assert re.search(r"run +of \d+ epochs? at 0\.25 of the FLOPs: about", checked)
    assert not list(folder.glob("*.db"))
    run = installed("run", "study.toml", "--workers", 2, "--max-runs", 2, cwd=folder)
    assert "2 runs in" in run.stdout
    assert "failed" not in run.stdout


def test_widths_are_multiples_of_8_where_every_group_is_large(folder, installed):
    wide = NETWORK.replace("(16", "(64").replace("(24", "(80").replace("(32", "(64")
    for old, new in (("1, 16", "1, 64"), (", 24", ", 80"), (", 32", ", 64")):
        wide = wide.replace(old, new)
    (folder / "widenet.py").write_text(wide)
    done = installed("init", "--network", "widenet:Net", "--data", "images.npz", "--minutes", 500, cwd=folder)
    assert "widths are multiples of 8: others cost time on many runtimes" in " ".join(done.stdout.split())
    study = read_study(folder / "study.toml")
    assert [space.space().constraints for space in study.spaces] == [(WidthDivisor(8),)] * 2


def test_a_module_beside_the_study_file_is_found_from_elsewhere(folder, installed, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    checked = installed("check", written(folder), "--workers", 1, cwd=elsewhere).stdout
    assert "network    mynet:Net" in checked
    assert "with 1 worker process on an otherwise idle machine." in checked


def test_a_study_that_fits_no_minutes_says_how_many_it_needs(folder, prunestats):
    done = prunestats("init", "--network", "mynet:Net", "--data", "images.npz", "--minutes", 0.01, cwd=folder)
    found = re.search(
        r"more than 0\.01 minutes allow: it fits --minutes (\d+); with the budget 0\.25 alone", done.stdout
    )
    assert int(found[1]) >= 1
    assert read_study(folder / "study.toml").population.subnetworks == 10


def test_init_without_a_network_writes_the_study_of_the_demo(prunestats, tmp_path):
    for arguments in (("plain.toml",), ("full.toml", "--full")):
        assert "Wrote " in prunestats("init", *arguments, cwd=tmp_path).stdout
        assert (tmp_path / arguments[0]).read_bytes() == demo_study_file().read_bytes()


def test_a_check_that_fails_exits_with_1_and_the_line_of_the_user(folder, prunestats):
    written(folder)
    broken = NETWORK.replace("return self.fc(", "return self.fc(x.nothing if self.training else ")
    (folder / "mynet.py").write_text(broken)
    for command in (("check", "study.toml"), ("run", "study.toml")):
        done = prunestats(*command, cwd=folder, code=1)
        assert re.fullmatch(
            r"error: mynet:Net: .* fails at mynet\.py:17 `return self\.fc\(x\.nothing .*", done.stderr.strip()
        )
    assert not list(folder.glob("*.db"))


def test_a_check_says_what_was_removed_from_a_checkpoint(folder, prunestats):
    import torch

    space: dict = {}
    exec(compile(NETWORK, "mynet", "exec"), space)
    weights = {f"module.{name}": value for name, value in space["Net"](3).state_dict().items()}
    torch.save({"epoch": 3, "state_dict": weights}, folder / "net.pth")
    study = written(folder, "net.pth")
    for command in ("check", "run"):
        refused = prunestats(command, "study.toml", cwd=folder, code=1).stderr
        assert re.fullmatch(
            r"error: mynet:Net: expected weights that classify better than chance .* 66\.7 % by chance: normalis.*",
            refused.strip(),
        )
    study.write_text(study.read_text().replace('"net.pth"', '"net.pth"\nexpected_error = 0.67'))
    checked = prunestats("check", "study.toml", cwd=folder).stdout
    assert "of checkpoint net.pth: read under 'state_dict', without the prefix 'module.'" in checked
    assert re.search(r"pixels     normalised by mean \S+ and std \S+ of pixels, of the training images\n", checked)
    assert re.search(r"dense      validation error \S+ % \(75 images\), test error .*; by chance 66\.7 %\n", checked)


def test_a_check_says_what_is_made_new_and_what_is_finetuned(folder, prunestats):
    import torch

    space: dict = {}
    exec(compile(NETWORK, "mynet", "exec"), space)
    torch.save(space["Net"](5).state_dict(), folder / "net.pth")
    study = written(folder, "net.pth")
    refused = prunestats("check", "study.toml", cwd=folder, code=1).stderr
    assert "a head of 5 classes, the data have 3: the head (fc) is made new and must be trained: add" in refused
    finetune = "finetune = { epochs = 2, learning_rate = 0.01 }"
    study.write_text(study.read_text().replace('"net.pth"', f'"net.pth"\n{finetune}'))
    checked = prunestats("check", "study.toml", cwd=folder).stdout
    assert re.search(r"names; they have a head of 5 classes, .* is made new; fine-tuned for 2 epochs, about ", checked)
    assert "dense " not in checked


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--data", "images.npz"), "--data needs --network, as in --network mynet:Net"),
        (("--full", "--network", "mynet:Net"), "expected no --network with it"),
        (("--network", "mynet:Net", "--data", "absent.npz"), "found 'absent.npz', nothing there"),
        (
            ("--network", "mynet:Net", "--flops", "1.5"),
            "--flops must be a fraction of the dense network's, between 0",
        ),
    ],
)
def test_wrong_options_are_said_in_one_line_and_write_nothing(folder, prunestats, arguments, complaint):
    done = prunestats("init", *arguments, cwd=folder, code=2)
    assert complaint in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "study.toml").exists()
