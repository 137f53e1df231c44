"""Originals are tried before a study: what fails, fails in one line, and random streams are left as they were."""

import sys
import types
from contextlib import closing

import numpy as np
import pytest
import torch
from torch import nn

from prunestats.db import open_database
from prunestats.errors import PrunestatsError, TrialError
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.execution.timing import expected_s
from prunestats.runners.execution.trial import try_originals
from prunestats.runners.run import run_study
from prunestats.runners.study.duration import Pace, Splits, Timing
from prunestats.runners.study.file import parse_study

STUDY = """
name = "tried"
data.name = "npz"
data.folder = "FOLDER"
regimes = { flops = [0.5, 0.25], tolerance = 0.1 }
population.subnetworks = 3
spaces = [{ name = "initial", sampler = "independent" }]
[[originals]]
network = "tried_networks:Net"
epochs = 2
learning_rate = 0.1
batch_size = 16
[protocol]
epochs = 1
learning_rate = 0.02
batch_size = 16
"""


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12)
        self.conv2, self.bn2 = nn.Conv2d(12, 16, 3), nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, num_classes)

    def forward(self, x):
        x = self.features(x)
        return self.fc(self.head(x.mean((2, 3))))

    def features(self, x):
        return self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()

    def head(self, x):
        return x


class Noisy(Net):
    def head(self, x):
        return x + self.noise if self.training else x


class Reshaped(Net):
    def head(self, x):
        return x.reshape(-1, 17)[:, :16] if self.training else x


class Normed(Net):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.bn3 = nn.BatchNorm1d(16)

    def head(self, x):
        return self.bn3(x)


class InPlace(Net):
    def head(self, x):
        y = x.sigmoid()
        y += 1
        return x * y


class Auxiliary(Net):
    def forward(self, x):
        return (super().forward(x), x) if self.training else super().forward(x)


class Narrow(Net):
    def head(self, x):
        if self.training and x.shape[1] < 16:
            raise ValueError("too narrow")
        return x


class Cut(Net):
    def head(self, x):
        return x.view(-1, 16)


class Colour(Net):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.conv1 = nn.Conv2d(3, 12, 3)


class Missing(Net):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.extra = nn.Conv2D(1, 1)


class Keyed(Net):
    def head(self, x):
        return {"a": x}["b"]


class Labels(Net):
    def forward(self, x):
        return super().forward(x).argmax(1)


class Several(Net):
    def forward(self, x):
        return super().forward(x), x


class Undefined(Net):
    def forward(self, x):
        return super().forward(x) / 0


class Viewing(Net):
    def forward(self, x):
        return self.fc(nn.functional.adaptive_avg_pool2d(self.features(x), 1).view(x.size(0), -1))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """321 images, of which 241 train: 15 batches of 16, and one of a single image."""
    file = tmp_path_factory.mktemp("images") / "images.npz"
    rng, labels = np.random.default_rng(0), np.arange(321) % 4
    pixels = (rng.normal(size=(321, 1, 9, 9)) + labels[:, None, None, None]).astype(np.float32)
    np.savez(file, train_images=pixels, train_labels=labels, test_images=pixels[:60], test_labels=labels[:60])
    return file


@pytest.fixture
def study(images, monkeypatch):
    def of(network, **changes):
        module = types.ModuleType("tried_networks")
        module.Net = network
        monkeypatch.setitem(sys.modules, "tried_networks", module)
        text = STUDY.replace("FOLDER", str(images))
        for old, new in changes.values():
            text = text.replace(old, new)
        return parse_study(text)

    return of


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        (Noisy, r"training step of the dense network fails at .*`return x \+ self\.noise.*: AttributeError: 'Noisy'"),
        (Reshaped, r"training step of the dense network fails at .*`return x\.reshape\(-1, 17\).*: RuntimeError: "),
        (Normed, r"fails at .*layer 'bn3'.*more than 1 value per channel.*Choose another batch_size"),
        (InPlace, r"fails at .*test_trial\.py:\d+ `y = x\.sigmoid\(\)`: RuntimeError: .*inplace"),
        (Auxiliary, r"must return one tensor of logits in training mode, too, of shape \(2, 4\) .*; found a tuple"),
        (Narrow, r"a subnetwork at 0\.5 of the FLOPs \(widths .*\) fails at .*: ValueError: too narrow"),
        (Cut, r"originals\.0\.network: the network fails after .*`return x\.view\(-1, 16\)`"),
        (Colour, r"cannot take an image of shape \(1, 9, 9\): .*to have 3 channels.*layer 'conv1'"),
        (Missing, r"fails at .*`self\.extra = nn\.Conv2D\(1, 1\)`: AttributeError: "),
        (Keyed, r"fails at .*`return \{\"a\": x\}\[\"b\"\]`: KeyError: 'b'"),
        (Labels, r"must return a tensor of floating-point numbers, or a nest of them; found a Tensor without any"),
        (Several, "must return one tensor of logits, as it is trained by cross-entropy; found a tuple"),
        (Undefined, "must return finite numbers; found NaN or infinity"),
    ],
)
def test_what_fails_is_one_line_with_the_line_of_the_user(study, network, complaint):
    with pytest.raises(PrunestatsError, match=complaint) as caught:
        try_originals(plan_study(study(network)))
    assert "\n" not in str(caught.value)


def test_a_network_that_trains_is_tried_in_every_regime(study):
    planned = plan_study(study(Net, seeds=("epochs = 2", "epochs = 2\nseeds = [0, 1]")))
    (trial,) = try_originals(planned)
    assert [regime.flops for regime, _ in trial.pruned] == [0.5, 0.25]
    sizes = [sum(value.numel() for value in one.parameters()) for _, one in trial.pruned]
    assert trial.original.params > sizes[0] > sizes[1]
    assert trial.layout == torch.channels_last
    assert (trial.checkpoint, trial.diverged) == ("", ())


def test_a_network_of_views_is_tried_as_it_is_trained(study):
    (trial,) = try_originals(plan_study(study(Viewing)))
    assert trial.layout in (torch.channels_last, torch.contiguous_format)


@pytest.mark.parametrize(
    "protocol",
    [
        'criterion = "taylor"\nbn_recalibration = 2\ndistill_weight = 0.5',
        "steps = 5\nstep_epochs = 3\nwarmup_epochs = 0",
        'optimiser = "adamw"\nmomentum = 0.9\nlabel_smoothing = 0.1\naugment = "crop_flip"',
        'schedule = "step"\nmilestones = [0.3, 0.8]',
        'init = "scratch"',
    ],
)
def test_protocols_are_tried_in_one_step(study, protocol):
    changes = ("learning_rate = 0.02", f"learning_rate = 0.02\n{protocol}")
    (trial,) = try_originals(plan_study(study(Net, protocol=changes)))
    assert len(trial.pruned) == 2


def test_a_training_step_that_diverges_is_noted(study):
    (trial,) = try_originals(plan_study(study(Net, rate=("learning_rate = 0.1", "learning_rate = 1e30"))))
    assert trial.diverged
    assert "dense network: " in trial.diverged[0]


def test_no_random_stream_and_no_setting_is_changed(study):
    planned = plan_study(study(Net))
    torch.manual_seed(5)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    try_originals(planned)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_checkpoint_says_what_was_removed_to_read_it(study, tmp_path):
    wrapped = {"state_dict": {f"module.{name}": value for name, value in Net(4).state_dict().items()}}
    torch.save(wrapped, tmp_path / "net.pth")
    training = "epochs = 2\nlearning_rate = 0.1\nbatch_size = 16"
    given = f'checkpoint = "{tmp_path / "net.pth"}"\nexpected_error = 0.75'
    (trial,) = try_originals(plan_study(study(Net, weights=(training, given))))
    assert trial.checkpoint == "read under 'state_dict', without the prefix 'module.'"


def test_a_run_is_refused_before_anything_is_stored(study, tmp_path):
    with pytest.raises(TrialError, match="too narrow"):
        run_study(study(Narrow), tmp_path / "results.db", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_is_complete_is_not_tried_again(study, tmp_path, monkeypatch):
    content = study(Net, batch=("batch_size = 16", "batch_size = 32"))
    first = run_study(content, tmp_path / "results.db", workers=0)
    assert (first.missing, first.failed_now) == (0, 0)
    tried = []
    monkeypatch.setattr("prunestats.runners.run.try_originals", lambda planned, **_: tried.append(planned))
    assert run_study(content, tmp_path / "results.db", workers=0).done_now == 0
    assert tried == []
    run_study(study(Net, name=('"tried"', '"another"')), tmp_path / "results.db", workers=0, max_runs=1)
    assert len(tried) == 1


def test_results_are_the_same_with_and_without_a_trial(study, tmp_path, monkeypatch):
    def losses(name):
        run_study(study(Net), tmp_path / name, workers=0)
        with closing(open_database(tmp_path / name, create=False).raw_connection()) as connection:
            return connection.cursor().execute("SELECT subnetwork_id, val_loss FROM run ORDER BY 1").fetchall()

    tried = losses("tried.db")
    monkeypatch.setattr("prunestats.runners.run.try_originals", lambda planned, **_: ())
    torch.manual_seed(123)
    assert losses("untried.db") == tried


def test_the_expected_time_counts_each_original_and_each_subnetwork_once(study):
    planned = plan_study(study(Net, seeds=("epochs = 2", "epochs = 2\nseeds = [0, 1]")))
    trials = try_originals(planned)
    pace = Pace(0.001, 0.0)
    timing = Timing(Splits(100, 10, 10), pace, {0.5: pace, 0.25: pace}, 0.0, 0.0)
    run = timing.run_s(0.5, planned.study.protocol)
    assert expected_s(planned, trials, [timing], 0) == pytest.approx(2 * 0.2 + planned.n_runs * run)
