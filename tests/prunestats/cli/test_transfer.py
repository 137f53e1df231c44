"""Several originals in one database: what `prunestats transfer` prints, plots, predicts and stores."""

import csv
import io
import json
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

import prunestats as ps
from prunestats.db import import_results

REGIMES = (0.5, 0.25)


def external_results(ratio, rng):
    """External results of an original whose optimum is at twice its ratio."""
    u, regime = rng.uniform(-0.8, 0.8, 120), np.repeat(REGIMES, 60)
    flops = (regime * ratio * 10**6).astype(int)
    params = np.rint(flops / (2 * ratio * np.exp(u))).astype(int)
    error = 0.2 + 0.1 * u**2 + 0.01 * rng.standard_normal(120)
    names = [f"{ratio} {number}" for number in range(120)]
    return pd.DataFrame({"subnetwork": names, "flops": flops, "params": params, "error": error})


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A database of the external results of five originals."""
    db, rng = tmp_path_factory.mktemp("imported") / "results.db", np.random.default_rng(0)
    for ratio in (40, 48, 56, 64, 72):
        import_results(
            db, external_results(ratio, rng), original=f"net{ratio}", study="external", split="validation",
            regimes=REGIMES, tolerance=0.01, flops_convention="multiply-adds", original_flops=ratio * 10**6,
            original_params=10**6,
        )  # fmt: skip
    return db


def rows(done):
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.fixture(scope="module")
def several(tmp_path_factory, prunestats, study_text):
    """A study of three originals, two of them one design, too short for any optimum to be identified."""
    folder = tmp_path_factory.mktemp("several")
    file, db = folder / "study.toml", folder / "results.db"
    strided = '[[originals]]\nnetwork = "resnet_digits_strided"\nepochs = 1\nlearning_rate = 0.1\n\n[regimes]'
    text = study_text.replace("seeds = [0]\nepochs = 2", "seeds = [0, 1]\nepochs = 1", 1).replace("[regimes]", strided)
    file.write_text(text.replace("subnetworks = 40", "subnetworks = 12"))
    prunestats("run", file, "--db", db, "--workers", 0)
    return db


def test_every_design_and_regime_has_its_row_and_the_reasons_follow(several, prunestats, tmp_path):
    picture = tmp_path / "transfer.png"
    done = prunestats("transfer", "--db", several, "--ratio", 5, "--figure", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "cannot be tested here: no slope is fitted." in done.stdout
    assert "- ratio 5: no prediction, as no line is fitted." in done.stdout
    found = rows(prunestats("transfer", "--db", several, "-f", "csv"))
    expected = ps.transfer_optimum(ps.load_results(several), response="log_cross_entropy", rng=np.random.default_rng(0))
    assert [(row["original"], row["n_originals"], row["verdict"]) for row in found] == [
        (one.design.name, str(len(one.design.originals)), one.optimum.verdict) for one in expected.optima
    ]
    assert [row["original"] for row in found] == ["resnet_digits_strided", "resnet_digits"]


def test_an_analysis_is_stored_once(several, prunestats):
    for _ in range(2):
        prunestats("transfer", "--db", several, "--ratio", 7)
    with closing(sqlite3.connect(several)) as connection:
        kept = connection.execute("SELECT parameters, result FROM analysis WHERE kind = 'transfer'").fetchall()
    asked = [json.loads(parameters)["ratio"] for parameters, _ in kept]
    assert asked.count([7]) == 1
    assert all(json.loads(result)["found"][0]["verdict"] == "too few" for _, result in kept)


def test_buckets_are_those_of_the_original_too(several, prunestats):
    one, many = (rows(prunestats("transfer", "--db", several, "-f", "csv", *more)) for more in ((), ("--bucket", 64)))
    assert all(float(b["original_ratio"]) > 30 * float(a["original_ratio"]) for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--network", "resnet20"), "(1, 8, 8)"),
        (("--network", "resnet21"), "must be one of"),
        (("--figure", "transfer.bmp"), ".png, .svg, .pdf"),
    ],
)
def test_wrong_usage_is_an_error_of_one_line(several, prunestats, arguments, complaint):
    done = prunestats("transfer", "--db", several, *arguments, code=2)
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_single_design_is_refused(demo, prunestats):
    done = prunestats("transfer", "--db", demo[0] / "results.db", code=2)
    assert "needs several designs; found resnet_digits alone" in done.stderr


def test_an_optimum_associated_with_the_ratio_is_reported_and_predicted(imported, prunestats, tmp_path):
    command = ("transfer", "--db", imported, "--response", "error")
    done = prunestats(*command, "--ratio", 60, "--figure", tmp_path / "transfer.svg")
    assert "- The optimum increases significantly with the ratio of the original: slope" in done.stdout
    assert "- ratio 60, at 0.25 of the FLOPs: predicted optimum" in done.stdout
    found = json.loads(prunestats(*command, "--ratio", 60, "-f", "json").stdout)
    new = [row for row in found if row["verdict"] == "predicted"]
    assert [(row["original"], row["regime"]) for row in new] == [("ratio 60", 0.5), ("ratio 60", 0.25)]
    frame = ps.load_results(imported)
    expected = ps.predict_optimum(frame, 60, regime=0.25, rng=np.random.default_rng(0))
    assert (new[1]["low"], new[1]["high"]) == (expected.new.low, expected.new.high)
    assert new[1]["low"] < 120 < new[1]["high"]


def test_a_network_needs_the_images_of_a_study(imported, prunestats):
    done = prunestats("transfer", "--db", imported, "--response", "error", "--network", "resnet20", code=2)
    assert "found 'external': give --ratio" in done.stderr


def test_a_network_by_name_is_predicted_as_its_cost(several, prunestats):
    done = prunestats("transfer", "--db", several, "--network", "resnet_digits_deep")
    assert "- resnet_digits_deep: no prediction, as no line is fitted." in done.stdout


def test_a_report_looks_for_an_optimum_in_each_network(several, prunestats, tmp_path):
    for bucket in (1, 64):
        done = prunestats("report", "--db", several, "-o", tmp_path / "report.pdf", "--bucket", bucket)
        assert " of 2 networks " in done.stdout
        assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    with closing(sqlite3.connect(several)) as connection:
        kept = connection.execute("SELECT result FROM analysis WHERE kind = 'report' ORDER BY id").fetchall()
    one, many = (json.loads(result) for (result,) in kept)
    names = ["resnet_digits_strided", "resnet_digits"]
    assert [[design["name"] for design in regime["designs"]] for regime in one["regimes"]] == [names]
    assert one["transfer"]["verdict"] == many["transfer"]["verdict"] == "too few"
    ratios = [[design["ratio"] for design in found["regimes"][0]["designs"]] for found in (one, many)]
    assert all(larger > 32 * ratio for ratio, larger in zip(*ratios, strict=True))
