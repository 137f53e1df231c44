"""Latency of a stored study: which subnetworks, stored one by one, gone on with; no clock of this machine matters."""

import shutil
import sqlite3
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import prunestats as ps
from prunestats.cli import app
from prunestats.errors import InputError
from prunestats.metric import Metric, with_metric
from prunestats.noise.worth_measuring import worth_measuring
from prunestats.runners import latency as module
from prunestats.runners.run import run_study
from prunestats.runners.study.file import parse_study

STUDY = """
name = "timed"
seed = 3
[[originals]]
network = "resnet_digits"
epochs = 1
learning_rate = 0.1
[regimes]
flops = [0.5, 0.3]
tolerance = 0.1
[[spaces]]
name = "initial"
sampler = "independent"
[[spaces]]
name = "even"
sampler = "jittered_uniform"
[population]
subnetworks = 4
[protocol]
epochs = 0
learning_rate = 0.05
"""

BOARD = """
import os
seen = []
def measure(network, images):
    # as a board would: proportional to the parameters
    seen.append(sum(p.numel() for p in network.parameters()))
    if os.environ.get("FAILS_AFTER") and len(seen) > int(os.environ["FAILS_AFTER"]):
        raise OSError("board is off")
    return len(images) * seen[-1] / 1000
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    db = tmp_path_factory.mktemp("timed") / "results.db"
    run_study(parse_study(STUDY), db, workers=0)
    return db


@pytest.fixture
def db(ran, tmp_path, monkeypatch):
    shutil.copytree(ran.with_name("results.originals"), tmp_path / "results.originals")
    with sqlite3.connect(ran) as source, sqlite3.connect(tmp_path / "results.db") as target:
        source.backup(target)
    source.close()
    target.close()
    (tmp_path / "a_board.py").write_text(BOARD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "load_note", lambda: None)
    yield tmp_path / "results.db"
    sys.modules.pop("a_board", None)


def measure(db, **options):
    return ps.measure_latency("timed", db, runtime="a_board:measure", **options)


def test_those_that_matter_are_measured_and_stored(db):
    steps = []
    done = measure(db, best=1, device="my board", precision="int8", progress=lambda *step: steps.append(step))
    frame = ps.load_results(db)
    expected = worth_measuring(frame, "even", best=1)["subnetwork"].tolist()
    found = ps.load_latencies(db)
    assert sorted(found["subnetwork"]) == sorted(expected) == sorted(done.speedups)
    assert (done.subnetworks, done.chosen, done.before, done.notes) == (16, len(expected), 0, ())
    assert steps[0] == ("latency", 0, len(expected))
    assert steps[-1] == ("latency", len(expected), len(expected))
    assert set(found["device"]) == {"my board"}
    assert set(found["precision"]) == {"int8"}
    assert found["ms"].to_numpy() == pytest.approx(found["params"].to_numpy() / 1000)
    assert found["speedup"].to_numpy() == pytest.approx(found["dense_ms"] / found["ms"])


def test_what_is_stored_is_not_measured_again_unless_asked_for(db):
    first = measure(db, best=1)
    more = measure(db, every=True)
    assert (more.before, more.chosen, len(more.speedups)) == (first.chosen, 16, 16 - first.chosen)
    assert len(measure(db, every=True).speedups) == 0
    assert len(measure(db, best=1, again=True).speedups) == first.chosen
    assert len(measure(db, best=1, batch=4).speedups) == first.chosen
    assert len(ps.load_latencies(db)) == 16 + first.chosen


def test_a_board_that_fails_leaves_what_was_measured_and_the_same_call_goes_on(db, monkeypatch):
    monkeypatch.setenv("FAILS_AFTER", "70")
    with pytest.raises(InputError, match="board is off"):
        measure(db, every=True)
    stored = len(ps.load_latencies(db))
    assert 0 < stored < 16
    monkeypatch.delenv("FAILS_AFTER")
    assert measure(db, every=True).before == stored
    assert len(ps.load_latencies(db)) == 16


def test_without_their_weights_random_ones_are_measured_and_said(db):
    shutil.rmtree(db.with_name("results.originals"))
    (note,) = measure(db, best=1).notes
    assert "random" in note


def test_a_study_that_is_not_stored_is_refused(db, tmp_path):
    with pytest.raises(InputError, match="named 'absent'"):
        ps.measure_latency("absent", db, runtime="a_board:measure")
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    assert ps.measure_latency(file, db, runtime="a_board:measure", best=1).study == "timed"


def test_the_command_prints_and_best_takes_it_as_a_budget(db):
    def call(*words):
        return CliRunner().invoke(app, [*map(str, words), "--db", str(db)], catch_exceptions=False).stdout

    shown = call("latency", "timed", "--runtime", "a_board:measure", "--all")
    assert "Study 'timed', a_board:measure, float32, batch of 1, 1 thread, a_board:measure: all 16 of 16" in shown
    assert "Spearman's correlation" in shown
    assert "Next: prunestats best --speedup" in shown
    limit = float(ps.load_latencies(db)["ms"].median())
    (found,) = ps.best(db, latency_ms=limit)
    assert found.latency_ms <= limit
    assert found.params == pytest.approx(1000 * found.latency_ms)
    assert found.latency_setting == "a_board:measure, float32, batch of 1, 1 thread, a_board:measure"
    answer = " ".join(call("best", "--latency-ms", limit, "--batch", 1).split())
    assert f"a latency of at most {limit:g} ms (a_board:measure" in answer.replace("A latency", "a latency")
    assert f"latency {found.latency_ms:.3g} ms, dense network" in answer
    call("latency", "timed", "--runtime", "a_board:measure", "--best", 1, "--batch", 8)
    with pytest.raises(InputError, match=r"found 2 settings, stored are .*choose with --batch"):
        ps.best(db, speedup=1.5)
    (few,) = ps.best(db, speedup=1.1, batch=8)
    assert any("`prunestats latency --all` measures the others" in note for note in few.notes)
    assert few.speedup >= 1.1
    assert ps.best(db)[0].latency_ms is None
    call("best", "--batch", 8, "--plot", db.parent / "front.svg")
    assert "Spearman" in (db.parent / "front.svg").read_text()
    assert "none of 16 subnetworks has" in " ".join(call("best", "--latency-ms", 0.001, "--batch", 1).split())


def test_the_choice_is_the_same_for_a_metric_that_is_maximised():
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(
        {
            "subnetwork": [f"s{k}" for k in range(40)],
            "flops": rng.integers(100, 200, 40),
            "params": 5,
            "error": rng.random(40),
            "original": "net",
            "space": np.where(np.arange(40) % 2, "even", "wide"),
            "regime": np.where(np.arange(40) < 20, 0.5, 0.25),
            "protocol": "short",
        }
    )
    found = worth_measuring(runs, "even", best=2)
    mirrored = with_metric(
        runs.rename(columns={"error": "miou"}).assign(miou=1 - runs["error"]),
        Metric("miou", "maximize", "fraction", 0, 1),
    )
    assert worth_measuring(mirrored, "even", best=2)["subnetwork"].tolist() == found["subnetwork"].tolist()
    best = runs[runs["regime"] == 0.5].nsmallest(2, "error")["subnetwork"]
    assert set(best) <= set(found["subnetwork"])
