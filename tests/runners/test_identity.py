"""What a run rests on is known by content: networks and data that changed are never answered with stored results."""

import importlib
import sys
import textwrap
from collections import OrderedDict

import numpy as np
import pytest
from typer.testing import CliRunner

from prunestats.cli import app
from prunestats.db import load_results, open_database, query, write
from prunestats.errors import ReproductionError, StudyChangedError
from prunestats.runners.execution.stale_workers import StaleWorkerError
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.retrain import export_subnetwork
from prunestats.runners.run import run_study
from prunestats.runners.study.file import parse_study

NETWORK = textwrap.dedent(
    """
    from torch import nn
    from torch.nn import functional


    class Net(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.conv = nn.Conv2d(1, 8, 3, padding=1)
            self.other = nn.Conv2d(8, 8, 3, padding=1)
            self.drop = nn.Dropout(0.1)
            self.fc = nn.Linear(8, num_classes)

        def forward(self, x):
            x = functional.relu(self.other(functional.relu(self.conv(x))))
            return self.fc(self.drop(x.mean((2, 3))))
    """
)

STUDY = """
name = "{name}"

[data]
name = "npz"
folder = "{data}"

[[originals]]
network = "{network}"
epochs = 1
learning_rate = 0.05
batch_size = 16

[regimes]
flops = [0.5]
tolerance = 0.2

[[spaces]]
name = "initial"
sampler = "independent"

[population]
subnetworks = {subnetworks}

[protocol]
name = "short"
epochs = {epochs}
learning_rate = 0.02
batch_size = 16
"""


class Project:
    """A folder with a network and data of the user's own, and a database."""

    def __init__(self, folder):
        self.folder, self.db = folder, folder / "results.db"
        self.write(NETWORK)
        self.images(0)

    def write(self, source, module="mycnn"):
        (self.folder / f"{module.replace('.', '/')}.py").write_text(source)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("mycnn", "moved")]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def images(self, seed):
        rng = np.random.default_rng(seed)
        arrays = {
            f"{split}_{what}": values
            for split in ("train", "test")
            for what, values in (("images", rng.random((40, 1, 8, 8), np.float32)), ("labels", np.arange(40) % 4))
        }
        np.savez(self.folder / "images.npz", **arrays)

    def study(self, **changes):
        given = {"name": "mine", "data": self.folder / "images.npz", "network": "mycnn:Net"}
        return parse_study(STUDY.format(**{**given, "subnetworks": 3, "epochs": 1, **changes}))

    def run(self, replace=False, **changes):
        return run_study(self.study(**changes), self.db, workers=0, replace=replace)

    def differences(self, **changes):
        with pytest.raises(StudyChangedError) as caught:
            self.run(**changes)
        return {key: (stored, now) for key, stored, now in caught.value.differences}

    def count(self, table):
        return query(self.db, f"SELECT count(*) FROM {table}").rows[0][0]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Project(tmp_path)


def test_a_changed_network_under_another_name_is_trained(project):
    first = project.run()
    assert (first.runs, first.done_before, first.done_now) == (3, 0, 3)
    project.write(NETWORK.replace("Dropout(0.1)", "Dropout(0.6)"))
    second = project.run(name="other")
    assert (second.done_before, second.done_now) == (0, 3)
    assert project.count("original") == 2
    kept = load_results(project.db, study="mine")
    assert set(kept["original"]).isdisjoint(load_results(project.db, study="other")["original"])


def test_a_changed_network_is_refused_with_what_differs(project):
    project.run()
    project.write(NETWORK.replace("Dropout(0.1)", "Dropout(0.6)"))
    found = project.differences()
    assert found["layer drop"] == ("Dropout(p=0.1, inplace=False)", "Dropout(p=0.6, inplace=False)")
    assert found["originals.0.network"][0] == "mycnn:Net"
    assert "outputs in training mode differ by" in found["originals.0.network"][1]
    assert project.count("run") == 3


def test_a_changed_width_is_refused_with_what_differs(project):
    project.run()
    project.write(NETWORK.replace("Conv2d(1, 8,", "Conv2d(1, 9,").replace("Conv2d(8, 8,", "Conv2d(9, 8,"))
    found = project.differences()
    assert found["layer conv"][0].startswith("Conv2d(1, 8,")
    assert found["layer conv"][1].startswith("Conv2d(1, 9,")


def test_changed_data_are_refused_with_what_differs(project):
    project.run()
    project.images(1)
    found = project.differences()
    assert list(found) == ["data"]
    assert found["data"][0] != found["data"][1]
    assert project.run(name="other").done_now == 3
    assert load_results(project.db).groupby("study")["dataset"].nunique().tolist() == [1, 1]


def test_a_changed_protocol_is_named_before_a_run_is_stored(project):
    run_study(project.study(), project.db, workers=0, max_runs=0)
    assert project.differences(epochs=2) == {"protocol.epochs": ("1", "2")}


def test_a_network_that_was_renamed_moved_and_reformatted_keeps_its_results(project):
    project.run()
    source = NETWORK.replace("class Net", "class Renamed").replace("self.conv", "self.entry") + "\n# the end\n"
    (project.folder / "moved").mkdir()
    (project.folder / "moved" / "__init__.py").touch()
    project.write(source, "moved.network")
    (project.folder / "mycnn.py").unlink()
    assert project.run(network="moved.network:Renamed").done_now == 0
    # new subnetworks of the same original are pruned from the same weights
    more = project.run(network="moved.network:Renamed", name="more", subnetworks=6)
    assert (project.count("original"), more.done_before, more.done_now) == (1, 3, 3)
    key = load_results(project.db, study="mine")["subnetwork"].iloc[0]
    export = export_subnetwork(key, project.db, project.folder / "export", onnx=False)
    assert export.differences == {}


def test_an_export_names_what_changed(project):
    project.run()
    key = load_results(project.db)["subnetwork"].iloc[0]
    project.write(NETWORK.replace("Dropout(0.1)", "Dropout(0.6)"))
    with pytest.raises(ReproductionError, match=r"layer drop: Dropout\(p=0.1, inplace=False\) then, Dropout\(p=0.6"):
        export_subnetwork(key, project.db, project.folder / "export", onnx=False)
    project.write(NETWORK)
    project.images(1)
    with pytest.raises(ReproductionError, match=r"data: npz-\w+ then, npz-\w+ now"):
        export_subnetwork(key, project.db, project.folder / "export", onnx=False)


def test_replacing_deletes_what_no_study_plans_and_keeps_a_backup(project):
    project.run()
    before = load_results(project.db)
    replaced = project.run(replace=True, subnetworks=5)
    # the first three subnetworks of the larger population are the stored ones
    assert (replaced.done_before, replaced.done_now) == (3, 2)
    project.write(NETWORK.replace("Dropout(0.1)", "Dropout(0.6)"))
    replaced = project.run(replace=True)
    assert (replaced.done_before, replaced.done_now) == (0, 3)
    assert (project.count("run"), project.count("subnetwork"), project.count("study")) == (3, 3, 1)
    backups = sorted(project.folder.glob("results.backup-*.db"))
    assert load_results(backups[0])["val_error"].tolist() == before["val_error"].tolist()
    assert len(load_results(backups[1])) == 5


def test_an_original_without_a_fingerprint_is_found_by_name_and_noted(project, monkeypatch):
    # as an earlier version stored it, whose keys of originals were made of names alone
    with monkeypatch.context() as earlier:
        earlier.setattr("prunestats.runners.execution.identity.is_own", lambda name: False)
        project.run()
    engine = open_database(project.db)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE original SET fingerprint = NULL")
    engine.dispose()
    again = project.run()
    assert again.done_now == 0
    assert "network 'mycnn:Net' is not fingerprinted" in again.notes[0]
    # a study under another name reuses its runs, too, and says so
    assert "is not fingerprinted" in project.run(name="other").notes[0]
    shown = CliRunner().invoke(app, ["status", "--db", str(project.db)]).output
    assert "network mycnn:Net is not fingerprinted" in shown
    # what it computes cannot be compared; its costs can
    project.write(NETWORK.replace("Conv2d(1, 8,", "Conv2d(1, 9,").replace("Conv2d(8, 8,", "Conv2d(9, 8,"))
    found = project.differences()
    assert "FLOPs" in found["originals.0.network"][0]


def test_a_run_that_is_killed_while_it_replaces_leaves_the_stored_study(project, monkeypatch):
    project.run()
    with monkeypatch.context() as killed:
        killed.setattr("prunestats.runners.populations.remove_unused", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            project.run(replace=True, epochs=2)
    assert project.count("run") == 3
    assert project.run().done_before == 3


def test_a_worker_that_imported_the_file_before_it_was_changed_is_refused(project, monkeypatch):
    """As on a cluster that keeps running: it would train the old network for the new one."""
    project.run()
    plan = "prunestats.runners.run.plan_study"

    def changed_after_planning(study, stored):
        planned = plan_study(study, stored)
        project.write(NETWORK.replace("Dropout(0.1)", "Dropout(0.6)"))
        return planned

    with monkeypatch.context() as changing:
        changing.setattr(plan, changed_after_planning)
        changing.setattr("prunestats.runners.execution.worker._prepared", OrderedDict())
        with pytest.raises(StaleWorkerError, match=r"'mycnn:Net' as this process does; .* Restart the workers"):
            project.run(name="more", subnetworks=5)
    assert project.count("run") == 3
    project.write(NETWORK)
    assert project.run(name="more", subnetworks=5).done_now == 2
