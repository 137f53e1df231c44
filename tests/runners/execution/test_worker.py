import dataclasses
import sys
import types

import numpy as np
import pytest
import torch

from prunestats.runners import build_network, load_data
from prunestats.runners.execution.worker import OriginalTask, RunTask, run_subnetwork, run_task, train_original
from prunestats.runners.study.file import demo_study_file, read_study
from prunestats.runners.training.loop import DivergedError, evaluate, train
from prunestats.runners.training.recipe import Recipe
from prunestats.runners.training.seeds import derived_rng

STUDY = read_study(demo_study_file())
PROTOCOL = STUDY.protocol.parameters
LATENCY = {"latency": True}


@pytest.fixture(scope="module")
def task():
    recipe = {**STUDY.originals[0].recipe, "epochs": 3}
    return OriginalTask("key", "resnet_digits", STUDY.data.model_dump(), recipe, 0)


@pytest.fixture(scope="module")
def trained(task):
    return train_original(task)


def run(**changes):
    fields = {
        "original_key": "key",
        "subnetwork_key": "sub",
        "subnetwork_id": 1,
        "widths": (8, 8, 16, 16, 32, 32),
        "protocol_key": "p",
        "protocol": PROTOCOL,
        "seed": 0,
    }
    return RunTask(**{**fields, **changes})


def test_training_reduces_the_error_reproducibly(task, trained):
    # of ten classes, chance errs on nine tenths
    assert trained.metrics["val_error"] < 0.6
    assert train_original(task).sha256 == trained.sha256
    assert train_original(dataclasses.replace(task, seed=1)).sha256 != trained.sha256


def test_dropout_depends_on_the_seed_only(task, monkeypatch):
    """Also where a network uses random numbers in training."""

    def dropping(num_classes):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(64, num_classes))

    module = types.ModuleType("dropping")
    module.build = dropping
    monkeypatch.setitem(sys.modules, "dropping", module)
    other = dataclasses.replace(task, network="dropping:build")
    torch.manual_seed(1)
    first = train_original(other).sha256
    torch.manual_seed(2)
    assert train_original(other).sha256 == first


def test_a_run_is_the_same_wherever_and_whenever_it_runs(task, trained):
    first, *_ = run_subnetwork(run(), task, trained.weights)
    torch.manual_seed(99)
    np.random.default_rng(5)
    again, where, _ = run_subnetwork(run(), task, trained.weights)
    assert dataclasses.replace(first, wall_s=0.0) == dataclasses.replace(again, wall_s=0.0)
    assert where["versions"]["torch"] == torch.__version__


def test_fine_tuning_reduces_the_error_and_is_logged(task, trained):
    outcome, *_ = run_subnetwork(run(), task, trained.weights)
    assert outcome.state == "done"
    assert [metric.epoch for metric in outcome.epochs_log] == [0, 1, 2]
    assert outcome.epochs_log[0].train_loss is None
    assert outcome.val_error == outcome.epochs_log[-1].val_error < outcome.epochs_log[0].val_error


def test_another_seed_is_another_training(task, trained):
    losses = {run_subnetwork(run(seed=seed), task, trained.weights)[0].val_loss for seed in range(3)}
    assert len(losses) == 3


@pytest.mark.parametrize("init", ["inherited", "scratch"])
def test_no_epoch_measures_the_pruned_network_itself(task, trained, init):
    outcome, *_ = run_subnetwork(run(protocol={**PROTOCOL, "epochs": 0, "init": init}), task, trained.weights)
    assert (outcome.state, outcome.epochs, outcome.train_loss) == ("done", 0, None)


def test_a_run_that_diverges_is_an_outcome_with_its_reason(task, trained):
    outcome, *_ = run_subnetwork(run(protocol={**PROTOCOL, "learning_rate": 1e12}), task, trained.weights)
    assert outcome.state == "failed"
    assert "loss became" in outcome.failure
    assert outcome.val_error is None


def test_error_is_the_share_of_wrong_answers():
    data = load_data("digits")
    network = build_network("resnet_digits", seed=0)
    error, loss = evaluate(network, data.test)
    with torch.no_grad():
        logits = network.eval()(data.test.images)
    assert error == pytest.approx(1 - float((logits.argmax(1) == data.test.labels).float().mean()))
    assert loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, data.test.labels)), rel=1e-5)


def test_a_loss_that_is_not_finite_stops_training():
    data = load_data("digits")
    network = build_network("resnet_digits", seed=0)
    with pytest.raises(DivergedError, match="epoch 1"):
        train(network, data.train, data.validation, Recipe(5, 1e12, 64, 0.9, 0.0), rng=np.random.default_rng(0))


def test_derived_generators_differ_by_seed_and_by_key():
    draws = {derived_rng(seed, *keys).integers(2**60) for seed in (0, 1) for keys in (["a"], ["b"], ["a", "b"])}
    assert len(draws) == 6
    assert derived_rng(3, "a").integers(2**60) == derived_rng(3, "a").integers(2**60)


def test_proxies_are_of_the_network_before_training_and_change_nothing_else(task, trained):
    more = ({}, {"proxies": True}, {"epochs": 0}, {"epochs": 0, "bn_recalibration": 8})
    tasks = [run_task("key", "sub", 1, (8, 8, 16, 16, 32, 32), {**PROTOCOL, **each}, 0) for each in more]
    plain, beside, pruned, recalibrated = (run_subnetwork(each, task, trained.weights)[0] for each in tasks)
    assert (plain.pruned_val_error, plain.recalibrated_val_error) == (None, None)
    assert beside.pruned_val_error == pruned.val_error
    # recalibrated on other batches, so only nearly equal
    assert beside.recalibrated_val_error == pytest.approx(recalibrated.val_error, abs=0.05)
    unmeasured = dataclasses.replace(beside, pruned_val_error=None, recalibrated_val_error=None, wall_s=0.0)
    assert unmeasured == dataclasses.replace(plain, wall_s=0.0)


def test_measuring_latency_changes_nothing_else(task, trained):
    tasks = [run_task("key", "sub", 1, (8, 8, 16, 16, 32, 32), {**PROTOCOL, **more}, 0) for more in ({}, LATENCY)]
    plain, measured = (run_subnetwork(each, task, trained.weights)[0] for each in tasks)
    names = ("latency_ms_1", "latency_ms_64", "speedup_1", "speedup_64")
    assert [getattr(plain, name) for name in names] == [None] * 4
    assert all(getattr(measured, name) > 0 for name in names)
    unmeasured = dataclasses.replace(measured, **dict.fromkeys(names))
    assert dataclasses.replace(unmeasured, wall_s=0.0) == dataclasses.replace(plain, wall_s=0.0)
