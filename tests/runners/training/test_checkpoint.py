"""A training that is interrupted after any epoch goes on with the same bits."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from prunestats.runners import build_network, load_data, trace
from prunestats.runners.data.datasets import ImageSplit
from prunestats.runners.training.checkpoint import TrainingCheckpoint
from prunestats.runners.training.loop import train
from prunestats.runners.training.protocol import PruningProtocol, prune_and_train
from prunestats.runners.training.recipe import Recipe

WIDTHS = (5, 4, 9, 8, 17, 16)
BASE = {"criterion": "l1", "init": "inherited", "epochs": 3, "learning_rate": 0.02, "batch_size": 64}
BASE |= {"momentum": 0.9, "weight_decay": 5e-4}


@pytest.fixture(scope="module")
def digits():
    data = load_data("digits")

    def first(split, n):
        return ImageSplit(split.pixels[:n].clone(), split.labels[:n].clone())

    return dataclasses.replace(data, train=first(data.train, 150), validation=first(data.validation, 64))


class Noisy(nn.Module):
    """Dropout draws from torch's generator, whose state goes on too."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(nn.functional.dropout(x, 0.1, self.training))


@pytest.fixture(scope="module")
def original(digits):
    network = Noisy(build_network("resnet_digits", seed=0))
    with torch.random.fork_rng():
        train(network, digits.train, digits.validation, Recipe(2, 0.1, 64, 0.9, 5e-4), rng=np.random.default_rng(0))
    return network, trace(network, digits.example_input)


class Interrupted(BaseException):
    """Ends a training as a kill does."""


class Stopping(TrainingCheckpoint):
    """Ends the training after a number of epochs, of all its stages."""

    left = math.inf

    def after_epoch(self, state, epoch, train_loss):
        super().after_epoch(state, epoch, train_loss)
        self.left -= 1
        if self.left == 0:
            raise Interrupted


def trained(original, digits, parameters, checkpoint):
    protocol = PruningProtocol.from_parameters(BASE | parameters)
    network, loss = prune_and_train(
        *(*original, digits, WIDTHS, protocol),
        rng=np.random.default_rng(5),
        on_epoch=checkpoint.log.append,
        on_pruned=lambda pruned: checkpoint.measured.update(pruned=1.5),
        checkpoint=checkpoint,
    )
    return network.state_dict(), loss, checkpoint.log, checkpoint.measured


def assert_same(one, other):
    assert one[1:] == other[1:]
    assert one[0].keys() == other[0].keys()
    for name, value in one[0].items():
        assert torch.equal(value, other[0][name]), name


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"momentum": 0.0},
        {"optimiser": "adamw", "learning_rate": 1e-3},
        {"schedule": "step", "warmup_epochs": 1},
        {"warmup_epochs": 1, "augment": "crop_flip", "label_smoothing": 0.1},
        {"distill_weight": 0.5},
        {"bn_recalibration": 2},
        {"init": "scratch"},
        {"criterion": "random", "steps": 3, "step_epochs": 2, "epochs": 1},
        {"criterion": "taylor", "steps": 2, "step_epochs": 2, "epochs": 2, "bn_recalibration": 2},
    ],
    ids=str,
)
def test_interrupted_after_any_epoch_it_ends_with_the_same_bits(original, digits, parameters, tmp_path):
    whole = trained(original, digits, parameters, TrainingCheckpoint())
    protocol = PruningProtocol.from_parameters(BASE | parameters)
    epochs = protocol.recipe.epochs + (protocol.steps - 1) * protocol.step_epochs
    for stop in range(1, epochs + 1):
        file = tmp_path / str(stop) / "checkpoint.pt"
        begun = Stopping(file, 0.0, "run")
        begun.left = stop
        with pytest.raises(Interrupted):
            trained(original, digits, parameters, begun)
        torch.rand(3)  # what another run leaves in the global generator
        assert_same(whole, trained(original, digits, parameters, TrainingCheckpoint(file, 0.0, "run")))


def test_interrupted_after_every_epoch_it_ends_with_the_same_bits(original, digits, tmp_path):
    parameters = {"steps": 2, "step_epochs": 2}
    whole = trained(original, digits, parameters, TrainingCheckpoint())
    for _ in range(5):
        begun = Stopping(tmp_path / "checkpoint.pt", 0.0, "run")
        begun.left = 1
        with pytest.raises(Interrupted):
            trained(original, digits, parameters, begun)
    last = TrainingCheckpoint(tmp_path / "checkpoint.pt", 0.0, "run")
    assert last.before_s > 0
    assert_same(whole, trained(original, digits, parameters, last))


def test_a_training_that_takes_less_time_writes_nothing(original, digits, tmp_path):
    trained(original, digits, {}, TrainingCheckpoint(tmp_path / "run" / "checkpoint.pt", 600.0, "run"))
    assert not (tmp_path / "run").exists()


def test_the_end_of_an_epoch_is_due_again_only_after_the_same_time(original, digits, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("prunestats.runners.training.checkpoint.time.monotonic", lambda: now[0])
    checkpoint = TrainingCheckpoint(tmp_path / "checkpoint.pt", 10.0, "run")
    written = []

    def after_epoch(metric):
        now[0] += 6
        checkpoint.log.append(metric)
        written.append((tmp_path / "checkpoint.pt").exists())
        (tmp_path / "checkpoint.pt").unlink(missing_ok=True)

    protocol = PruningProtocol.from_parameters(BASE | {"epochs": 6})
    prune_and_train(
        *(*original, digits, WIDTHS, protocol),
        rng=np.random.default_rng(5),
        on_epoch=after_epoch,
        checkpoint=checkpoint,
    )
    # the epochs end at 12, 18, 24, ... seconds; each value is what was there when the next epoch ended
    assert written == [False, False, True, False, True, False, True]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 neither"])
def test_a_damaged_file_is_not_read(tmp_path, content):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    assert TrainingCheckpoint(tmp_path / "checkpoint.pt", 0.0, "run").found_stage is None


def test_a_file_of_another_run_or_version_is_not_read(original, digits, tmp_path, monkeypatch):
    file = tmp_path / "checkpoint.pt"
    trained(original, digits, {}, TrainingCheckpoint(file, 0.0, "run"))
    assert TrainingCheckpoint(file, 0.0, "run").found_stage == 1
    assert TrainingCheckpoint(file, 0.0, "another").found_stage is None
    monkeypatch.setattr(torch, "__version__", "0.1")
    assert TrainingCheckpoint(file, 0.0, "run").found_stage is None


def test_an_original_goes_on_too(digits, tmp_path):
    def states(checkpoint):
        torch.manual_seed(3)
        network = Noisy(build_network("resnet_digits", seed=0))
        recipe = Recipe(3, 0.1, 64, 0.9, 5e-4)
        rng = np.random.default_rng(0)
        train(network, digits.train, digits.validation, recipe, rng=rng, checkpoint=checkpoint)
        return network.state_dict()

    whole = states(None)
    begun = Stopping(tmp_path / "checkpoint.pt", 0.0, "original")
    begun.left = 2
    with pytest.raises(Interrupted):
        states(begun)
    again = states(TrainingCheckpoint(tmp_path / "checkpoint.pt", 0.0, "original"))
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_a_disk_that_is_full_costs_the_checkpoint_and_not_the_run(original, digits, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    checkpoint = TrainingCheckpoint(tmp_path / "file" / "checkpoint.pt", 0.0, "run")
    assert_same(trained(original, digits, {}, TrainingCheckpoint()), trained(original, digits, {}, checkpoint))
