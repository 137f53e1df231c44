"""The option --response in a study with a metric of its own."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from prunestats.db import import_results, load_results
from prunestats.metric import Metric
from prunestats.optimum import find_optimum

MIOU = Metric("miou", "maximize", "fraction", 0.0, 1.0)


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    """60 subnetworks with an mIoU, a maximum of it inside, and a second metric that is missing in one run."""
    path, rng = tmp_path_factory.mktemp("own") / "results.db", np.random.default_rng(0)
    u = rng.uniform(-0.8, 0.8, 60)
    table = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(60)], "flops": 10**6})
    table["params"] = np.rint(1e5 * np.exp(-u)).astype(int)
    table["error"] = 0.2 + 0.1 * u**2 + 0.005 * rng.standard_normal(60)
    import_results(
        path, table, original="net", study="external", split="validation", flops_convention="multiply-adds",
        original_flops=4 * 10**6, original_params=4 * 10**5,
    )  # fmt: skip
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE study SET metric = ?", [json.dumps(MIOU.to_dict())])
        connection.execute("UPDATE run SET val_metric = 1 - val_error")
        for place, (row, value) in enumerate(connection.execute("SELECT id, val_metric FROM run").fetchall()):
            metrics = {"miou": value, "dice_loss": 1 - value**2} | ({"recall": value} if place else {})
            connection.execute("UPDATE run SET metrics = ? WHERE id = ?", [json.dumps({"validation": metrics}), row])
        connection.execute("UPDATE run SET val_error = NULL")
    return path


def test_the_optimum_of_a_study_is_that_of_its_metric(segmented, prunestats, tmp_path):
    done = prunestats("optimum", "--db", segmented, "--plot", tmp_path / "optimum.png")
    assert "verdict on an optimal ratio for mIoU in space" in done.stdout
    assert "the mIoU rises" in done.stdout
    assert "the two-lines test finds an inverted U" in done.stdout
    assert "error" not in done.stdout + done.stderr
    assert (tmp_path / "optimum.png").stat().st_size > 0
    with closing(sqlite3.connect(segmented)) as connection:
        [(parameters, result)] = connection.execute("SELECT parameters, result FROM analysis WHERE kind = 'optimum'")
    assert json.loads(parameters)["response"] == "miou"
    assert json.loads(result)["found"][0]["metric"] == MIOU.to_dict()
    expected = find_optimum(load_results(segmented), rng=np.random.default_rng(0))
    assert expected.verdict == "interior"
    assert json.loads(result)["found"][0]["ratio"] == expected.ratio


def test_buckets_predict_the_metric_of_the_study(segmented, prunestats):
    told = prunestats("buckets", "--db", segmented, "--size", 1).stdout
    assert "share of the variance of mIoU" in told
    assert "error" not in told


def test_another_metric_that_training_returned_is_analysed_with_a_note_on_its_direction(segmented, prunestats):
    done = prunestats("optimum", "--db", segmented, "--response", "dice_loss")
    assert done.stderr == (
        "note: lower dice_loss is taken to be better: a study has the direction of its metric, miou\n"
    )
    assert "the dice_loss falls" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("optimum", "--response", "error"), "expected one of miou, dice_loss, recall for --response; found 'error'"),
        (("edf", "--split", "validation", "--response", "error"), "expected one of miou, dice_loss, recall"),
        (("buckets", "--response", "accuracy"), "expected one of miou, dice_loss, recall for --response"),
        (("optimum", "--response", "recall"), "found 1 of 60 runs without it: use --response miou"),
        (("optimum", "--split", "test"), "expected miou on the test split in every run; found 60 of 60 runs"),
        (("edf",), "expected miou on the test split in every run"),
    ],
)
def test_a_metric_that_the_runs_lack_is_refused_in_one_line(segmented, prunestats, arguments, complaint):
    done = prunestats(*arguments, "--db", segmented, code=2)
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
