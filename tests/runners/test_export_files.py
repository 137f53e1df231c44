"""Export: outputs of the files match the trained network, and their cost and metadata match the database."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import typer
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunestats.cli.export_subnetwork import export_subnetwork as command
from prunestats.db import load_results
from prunestats.errors import DatabaseError, InputError, ReproductionError
from prunestats.runners import load_data
from prunestats.runners.data.readers import READERS, Sizes
from prunestats.runners.export_files import load_subnetwork, write_subnetwork
from prunestats.runners.reproduction import Reproduction, seed_noise
from prunestats.runners.retrain import export_subnetwork
from prunestats.runners.run import run_study
from prunestats.runners.study.file import parse_study
from prunestats.runners.training.loop import evaluate

STUDY = """
name = "export"
seed = 3
[[originals]]
network = "resnet_digits"
epochs = 4
learning_rate = 0.1
[regimes]
flops = [0.3]
tolerance = 0.1
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 3
[protocol]
epochs = 2
learning_rate = 0.05
seeds = [0, 1]
"""


def sql(db, statement, *values):
    with sqlite3.connect(db) as connection:
        found = connection.execute(statement, values).fetchall()
    connection.close()
    return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    db = tmp_path_factory.mktemp("ran") / "results.db"
    run_study(parse_study(STUDY), db, workers=0)
    return db


@pytest.fixture
def db(ran, tmp_path):
    """A copy of the database and of the original's weights that a test may change."""
    shutil.copytree(ran.with_name("results.originals"), tmp_path / "results.originals")
    with sqlite3.connect(ran) as source, sqlite3.connect(tmp_path / "results.db") as target:
        source.backup(target)
    source.close()
    target.close()
    return tmp_path / "results.db"


@pytest.fixture(scope="module")
def key(ran):
    return sql(ran, "SELECT key FROM subnetwork ORDER BY id")[0][0]


@pytest.fixture(scope="module")
def exported(ran, key, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "files"
    return export_subnetwork(key[:6], ran, folder, seed=1)


@pytest.fixture
def images():
    return torch.randn(7, 1, 8, 8, generator=torch.Generator().manual_seed(5))


def test_the_metadata_match_the_database(ran, key, exported):
    facts = json.loads((exported.folder / "subnetwork.json").read_text())
    assert facts == exported.facts
    [(widths, flops, params, metrics)] = sql(
        ran,
        "SELECT s.widths, s.flops, s.params, json_array(r.val_error, r.test_error, r.val_loss, r.test_loss, "
        "r.train_loss, r.epochs) FROM run r JOIN subnetwork s ON s.id = r.subnetwork_id WHERE s.key = ? AND seed = 1",
        key,
    )
    assert list(facts["widths"].values()) == json.loads(widths)
    assert (facts["subnetwork"], facts["seed"], facts["flops"], facts["params"]) == (key, 1, flops, params)
    assert list(facts["metrics"].values()) == pytest.approx(json.loads(metrics), rel=1e-12)
    assert exported.differences == {}


def test_safetensors_torch_export_and_onnx_compute_the_same(exported, images):
    network = load_subnetwork(exported.folder)
    program = torch.export.load(exported.folder / "subnetwork.pt2").module()
    session = onnxruntime.InferenceSession(exported.folder / "subnetwork.onnx", providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network(images)
        torch.testing.assert_close(program(images), expected, rtol=0, atol=1e-6)
    [found] = session.run(["logits"], {"images": images.numpy()})
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)
    assert expected.std() > 0.1


def test_an_exported_network_has_the_stored_error(exported):
    """On the data set's images, normalised by the exported mean and standard deviation."""
    normalisation = exported.facts["normalisation"]
    arrays = READERS["digits"](Path(), Sizes())
    images = (torch.from_numpy(arrays.test_images) - normalisation["mean"][0]) / normalisation["spread"][0]
    data = load_data("digits")
    torch.testing.assert_close(images, data.test.images)
    error, loss = evaluate(load_subnetwork(exported.folder), data.test)
    assert error == exported.facts["stored_metrics"]["test_error"]
    assert loss == pytest.approx(exported.facts["stored_metrics"]["test_loss"], rel=1e-6)


def test_cost_counted_on_the_files_is_that_of_the_database(ran, key, exported):
    [stored] = sql(ran, "SELECT flops, params FROM subnetwork WHERE key = ?", key)
    for network in (
        load_subnetwork(exported.folder),
        torch.export.load(exported.folder / "subnetwork.pt2").module(),
    ):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 1, 8, 8))
        assert (counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters())) == stored


def test_latency_is_measured_for_subnetwork_and_original(exported):
    assert [found["batch"] for found in exported.facts["latency"]] == [1, 64]
    for found in exported.facts["latency"]:
        assert found["speedup"] == pytest.approx(found["original_median_ms"] / found["median_ms"])
        assert found["threads"] == 1
    small, large = (found["median_ms"] for found in exported.facts["latency"])
    assert 0 < small < large


def test_another_seed_is_another_network(ran, key, exported, tmp_path, images):
    first = export_subnetwork(key, ran, tmp_path / "first", onnx=False)
    assert first.facts["seed"] == 0
    assert not (tmp_path / "first" / "subnetwork.onnx").exists()
    with torch.no_grad():
        assert not torch.equal(load_subnetwork(tmp_path / "first")(images), load_subnetwork(exported.folder)(images))


def test_changed_weights_are_refused(exported, tmp_path):
    folder = shutil.copytree(exported.folder, tmp_path / "copy")
    content = bytearray((folder / "subnetwork.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "subnetwork.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="found it changed"):
        load_subnetwork(folder)
    with pytest.raises(InputError, match=r"found no subnetwork\.json"):
        load_subnetwork(tmp_path)


def test_metrics_that_differ_from_the_stored_run_are_listed(db, key, tmp_path):
    sql(db, "UPDATE run SET val_loss = val_loss + 0.5 WHERE seed = 0")
    done = export_subnetwork(key, db, tmp_path / "out", onnx=False)
    assert set(done.differences) == {"val_loss"}
    stored, found = done.differences["val_loss"]
    assert stored == pytest.approx(found + 0.5)


def test_the_command_prints_cost_and_latency_beside_the_original(db, key, tmp_path, capsys):
    sql(db, "UPDATE run SET test_loss = 9.5 WHERE seed = 0")
    with pytest.raises(typer.Exit) as left:
        command(key[:5], tmp_path / "out", str(db), onnx=False)
    assert left.value.exit_code == 1
    out, err = capsys.readouterr()
    [(flops, whole)] = sql(db, "SELECT s.flops, o.flops FROM subnetwork s, original o WHERE s.key = ?", key)
    assert re.search(rf"FLOPs +{flops} +{whole} +{whole / flops:.6g}", out)
    assert re.search(r"ms, batch of 64 +[\d.]+ +[\d.]+ +[\d.]+\n", out)
    assert "its losses differ; training seeds differ by" in out
    assert "type of machine are those of the stored run" in out
    assert "on cpu with 1 thread" in out
    assert re.search(r"^differs: test_loss is [\d.]+; stored 9.5", err)


def test_on_another_machine_a_difference_within_the_noise_of_seeds_is_accepted(db, key, tmp_path, capsys):
    sql(db, "UPDATE environment SET versions = json_set(versions, '$.processor', 'another')")
    within = seed_noise(db, "export", "finetune", 0.5, 100) / 4
    sql(db, "UPDATE run SET val_error = val_error + ? WHERE seed = 0", within)
    command(key, tmp_path / "out", str(db), onnx=False)
    out = capsys.readouterr().out
    assert "within what seeds differ by" in out
    assert "The likely reason: processor another then," in out


def test_a_larger_difference_is_not_accepted_on_any_machine():
    # two standard deviations of the difference of two seeds
    for error, accepted in ((0.1 + 0.0282, True), (0.1 + 0.0284, False)):
        moved = Reproduction({"val_error": (0.1, error)}, ("processor A then, B now",), 0.01)
        assert moved.is_accepted is accepted
        assert not Reproduction({"val_error": (0.1, error)}, (), 0.01).is_accepted
    assert "more than what seeds differ by" in moved.words
    assert Reproduction({}, (), 0.0).is_accepted


def test_the_noise_of_seeds_is_pooled_over_subnetworks(db):
    frame = load_results(db)
    means = frame.groupby("subnetwork")["val_error"].transform("mean")
    squares = ((frame["val_error"] - means) ** 2).sum()
    found = seed_noise(db, "export", "finetune", 0.5, 100)
    assert found == pytest.approx((squares / (len(frame) - frame["subnetwork"].nunique())) ** 0.5)
    sql(db, "DELETE FROM run WHERE seed = 1")
    assert seed_noise(db, "export", "finetune", 0.36, 100) == pytest.approx(0.048)  # sqrt(0.36 0.64 / 100)


def test_an_original_whose_weights_are_lost_is_trained_again(db, key, exported, tmp_path, images):
    shutil.rmtree(tmp_path / "results.originals")
    done = export_subnetwork(key, db, tmp_path / "out", seed=1, onnx=False)
    with torch.no_grad():
        assert torch.equal(load_subnetwork(done.folder)(images), load_subnetwork(exported.folder)(images))
    sql(db, "UPDATE original SET weights_sha256 = 'other'")
    with pytest.raises(DatabaseError, match="training gave others"):
        export_subnetwork(key, db, tmp_path / "out2", onnx=False)


@pytest.mark.parametrize(
    ("change", "arguments", "complaint"),
    [
        (None, {"key": "nothing"}, "found none that begins with 'nothing'"),
        (None, {"key": ""}, "found none that begins with ''"),
        (None, {"seed": 7}, "with seed 0, 1; found 7"),
        (None, {"protocol": "other"}, r"with protocol 'finetune' \(.*; found 'other'"),
        ("UPDATE subnetwork SET key = 'same' || key", {"key": "same"}, "found 3 that begin with 'same'"),
        ("UPDATE run SET state = 'failed', failure = 'loss is nan'", {}, "found it failed: loss is nan"),
        ("UPDATE study SET text = 'import of x.csv'", {}, "external results"),
        ("UPDATE subnetwork SET flops = flops + 1", {}, "flops as stored; found"),
    ],
)
def test_what_cannot_be_exported_is_one_line(db, key, tmp_path, change, arguments, complaint):
    if change:
        sql(db, change)
    with pytest.raises(InputError, match=complaint) as caught:
        export_subnetwork(**{"key": key, "db": db, "folder": tmp_path / "out", "onnx": False, **arguments})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "subnetwork.json").exists()


def test_data_that_changed_are_named(db, key, tmp_path):
    sql(db, "UPDATE original SET dataset = 'digits-0'")
    with pytest.raises(ReproductionError, match=r"found that they changed \(data: digits-0 then, digits-\w+ now\)"):
        export_subnetwork(key, db, tmp_path / "out", onnx=False)


def test_a_folder_that_holds_an_export_is_left_alone(ran, key, exported):
    before = (exported.folder / "subnetwork.json").read_bytes()
    with pytest.raises(InputError, match="name another"):
        export_subnetwork(key, ran, exported.folder)
    assert (exported.folder / "subnetwork.json").read_bytes() == before


def test_without_its_packages_onnx_is_refused_before_any_work(ran, key, tmp_path, monkeypatch):
    monkeypatch.setattr("prunestats.runners.export_files.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'prunestats\[export\]'"):
        export_subnetwork(key, ran, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Undecided(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x


def test_a_network_with_data_dependent_control_flow_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"torch\.export can trace"):
        write_subnetwork(Undecided(), torch.zeros(1, 2), tmp_path, {"flops": 4, "params": 6}, onnx=False)


@pytest.fixture
def kept(db, ran):
    """The copy of the database with the kept weights beside it, and key and seed of its best run."""
    shutil.copytree(ran.with_name("results.weights"), db.with_name("results.weights"))
    return db, *sql(db, f"{KEPT} ORDER BY r.val_error, r.val_loss LIMIT 1")[0]


KEPT = "SELECT s.key, r.seed FROM weights w JOIN run r ON r.id = w.run_id JOIN subnetwork s ON s.id = r.subnetwork_id"


def test_kept_weights_are_those_that_the_training_gives(kept, tmp_path, monkeypatch):
    """To the last bit, and with the stored metrics, without a training."""
    db, key, seed = kept
    with monkeypatch.context() as patch:
        patch.setattr("prunestats.runners.retrain.train_subnetwork", None)
        read = export_subnetwork(key, db, tmp_path / "kept", onnx=False)
    assert (read.kept, read.facts["seed"], read.facts["weights"], read.differences) == (True, seed, "kept", {})
    assert read.words == "kept weights, evaluated again; its metrics equal the stored ones"
    shutil.rmtree(db.with_name("results.weights"))
    again = export_subnetwork(key, db, tmp_path / "again", seed=seed, onnx=False)
    assert (again.kept, again.facts["weights"], again.differences) == (False, "retrained", {})
    assert again.words == "trained again, as its weights are not kept; its metrics equal the stored ones"
    assert read.facts["metrics"] == again.facts["metrics"]
    assert read.facts["sha256"]["subnetwork.safetensors"] == again.facts["sha256"]["subnetwork.safetensors"]


def test_changed_weights_are_not_exported(kept, tmp_path):
    db, key, seed = kept
    for file in db.with_name("results.weights").iterdir():
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert not export_subnetwork(key, db, tmp_path / "again", seed=seed, onnx=False).kept


def test_the_best_kept_run_of_a_subnetwork_is_exported(kept, tmp_path):
    db, key, seed = kept
    other = sql(db, "SELECT seed FROM run r JOIN subnetwork s ON s.id = r.subnetwork_id WHERE s.key = ?", key)
    assert len(other) == 2
    weighted = [found for (one, found) in sql(db, KEPT) if one == key]
    assert export_subnetwork(key, db, tmp_path / "best", onnx=False).facts["seed"] == seed
    for (number,) in other:
        done = export_subnetwork(key, db, tmp_path / f"seed{number}", seed=number, onnx=False)
        assert done.kept == (number in weighted)
