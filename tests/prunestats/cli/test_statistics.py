"""Commands of one analysis: they print what the Python API returns, and store it."""

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

import prunestats as ps
from prunestats.db import import_results
from prunestats.results.means import subnetwork_means


@pytest.fixture
def db(demo, tmp_path):
    return shutil.copy(demo[0] / "results.db", tmp_path / "results.db")


def frame(db, **chosen):
    return ps.load_results(db, study="demo", **chosen)


def rows(done):
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_edf_prints_the_quantiles_of_every_population(db, prunestats):
    found = rows(prunestats("edf", "--db", db, "-f", "csv"))
    assert [(row["regime"], row["space"]) for row in found[:2]] == [("0.5", "initial"), ("0.5", "uniform")]
    means = subnetwork_means(frame(db, regime=0.5, space="initial", split="test"))["error"]
    assert float(found[0]["least"]) == means.min()
    assert float(found[0]["median"]) == float(ps.edf(means).quantile(0.5))
    assert int(found[0]["subnetworks"]) == 8


def test_compare_prints_what_compare_returns(db, prunestats):
    found = rows(prunestats("compare", "--db", db, "--regime", 0.25, "--seed", 3, "-f", "csv"))
    expected = ps.compare(frame(db, regime=0.25, split="test"), rng=np.random.default_rng(3)).frame
    assert len(found) == len(expected) == 1
    for name in ("mean_difference", "mean_low", "p_less", "ks_p"):
        assert float(found[0][name]) == pytest.approx(expected[name][0], rel=1e-12)


def test_compare_prints_verdicts_and_all_statistics_on_request(db, prunestats):
    expected = ps.compare(frame(db, split="test"), rng=np.random.default_rng(0))
    sentence, head, *table = prunestats("compare", "--db", db).stdout.splitlines()
    assert sentence.startswith("Study 'demo' (resnet_digits on digits-")
    assert "; 2 originals are strata), test split (for reporting; selection uses validation): difference of" in sentence
    assert head.split("  ")[0] == "regime"
    assert head.split()[-1] == "verdict"
    one = expected.pairs[0].mean_difference
    assert f"{100 * one.value:.2f} [{100 * one.low:.2f}, {100 * one.high:.2f}]" in table[0]
    assert table[3].startswith("pooled")
    assert "at significance level 5 %" in table[4]
    told = prunestats("compare", "--db", db, "--all").stdout
    assert all(f"\n{name} " in told for name in expected.frame.columns)
    assert f"{expected.pairs[0].ks_p:.6g}" in told


COMMANDS = ("edf", "compare", "best-of", "optimum", "winners", "noise")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_begins_with_study_split_and_content(db, prunestats, command):
    first = prunestats(command, "--db", db).stdout.splitlines()[0]
    splits = {"optimum": ("validation split (for selection",), "winners": ("validation split", "test split")}
    assert first.startswith("Study 'demo' (resnet_digits on digits-")
    assert first.endswith(".")
    assert all(words in first for words in splits.get(command, ("test split (for reporting",)))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_csv_and_json_go_without_sentences(db, prunestats, command, form):
    done = prunestats(command, "--db", db, "-f", form)
    assert "Study" not in done.stdout
    assert done.stderr == ""
    assert json.loads(done.stdout) if form == "json" else len({line.count(",") for line in done.stdout.split()}) == 1


@pytest.fixture(scope="module")
def without_losses(tmp_path_factory):
    """External results of 40 subnetworks: errors of the validation split, and nothing else."""
    path, rng = tmp_path_factory.mktemp("external") / "results.db", np.random.default_rng(0)
    u = rng.uniform(-0.8, 0.8, 40)
    table = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(40)], "flops": 10**6})
    table["params"] = np.rint(1e5 * np.exp(-u)).astype(int)
    table["error"] = 0.2 + 0.1 * u**2 + 0.01 * rng.standard_normal(40)
    import_results(
        path, table, original="net", study="external", split="validation", flops_convention="multiply-adds",
        original_flops=4 * 10**6, original_params=4 * 10**5,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("command", [("optimum",), ("buckets", "--size", 1)])
def test_error_is_analysed_where_no_cross_entropy_is_recorded(without_losses, prunestats, command):
    done = prunestats(*command, "--db", without_losses)
    assert done.stderr == ("note: error is analysed, as 40 of 40 runs have no cross-entropy on the validation split\n")
    assert " error in space " in done.stdout or "variance of error" in done.stdout
    found = prunestats(*command, "--db", without_losses, "-f", "csv")
    asked = prunestats(*command, "--db", without_losses, "-f", "csv", "--response", "error")
    assert found.stdout == asked.stdout
    assert asked.stderr == ""
    with closing(sqlite3.connect(without_losses)) as connection:
        kept = connection.execute("SELECT parameters FROM analysis WHERE kind = ?", [command[0]]).fetchall()
    assert [json.loads(parameters)["response"] for (parameters,) in kept] == ["error"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("optimum", "--response", "log_cross_entropy"), "40 of 40 runs without one: use --response error"),
        (("edf",), "expected an error on the test split in every run"),
        (("winners",), "or import the errors of this one"),
    ],
)
def test_a_metric_that_is_not_recorded_is_refused_with_what_to_do(without_losses, prunestats, arguments, complaint):
    done = prunestats(*arguments, "--db", without_losses, code=2)
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_optimum_uses_the_first_space_and_gives_reasons(db, prunestats):
    found = json.loads(prunestats("optimum", "--db", db, "-f", "json").stdout)
    assert [(row["regime"], row["n_subnetworks"]) for row in found] == [(0.5, 8), (0.25, 8), (0.1, 8)]
    told = prunestats("optimum", "--db", db).stdout
    assert "- 0.25: Only 8 subnetworks: a verdict needs at least 20." in told


@pytest.mark.parametrize("seed", [0, 5])
def test_optimum_and_the_report_find_the_same_with_one_seed(db, prunestats, seed, tmp_path):
    report = ps.build_report(db, tmp_path / "report.pdf", study="demo", seed=seed)
    prunestats("optimum", "--db", db, "--seed", seed)
    with closing(sqlite3.connect(db)) as connection:
        (stored,) = connection.execute("SELECT result FROM analysis WHERE kind = 'optimum'").fetchone()
    expected = [{"regime": one.regime, **one.optimum.to_dict()} for one in report.analysis.regimes]
    assert json.loads(stored)["found"] == json.loads(json.dumps(expected))


def test_best_of_prints_k_and_how_many_reach_a_target(db, prunestats):
    found = rows(prunestats("best-of", "--db", db, "--space", "initial", "-k", 1, "-k", 8, "-f", "csv"))
    means = subnetwork_means(frame(db, regime=0.5, space="initial", split="test"))["error"]
    assert float(found[0]["expected"]) == pytest.approx(means.mean())
    assert float(found[1]["expected"]) == pytest.approx(means.min())
    reached = rows(prunestats("best-of", "--db", db, "--target", means.min(), "--regime", 0.5, "-f", "csv"))
    assert float(reached[0]["draws_expected"]) == pytest.approx(8 / (means <= means.min()).sum())


def test_compare_prints_a_table_to_paste_and_saves_the_figure(db, prunestats, tmp_path):
    done = prunestats("compare", "--db", db, "--paste", "markdown", "--plot", tmp_path / "compare.png")
    table = done.stdout.splitlines()
    assert done.stderr == f"figure: saved as {tmp_path / 'compare.png'}\n"
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert len(table) == 2 + 4
    assert table[-1].startswith("| pooled | initial | uniform |")


def test_winners_prints_the_subnetwork_selected_by_validation_and_its_test_error(db, prunestats):
    found = rows(prunestats("winners", "--db", db, "--regime", 0.25, "--space", "initial", "-f", "csv"))
    runs = frame(db, regime=0.25, space="initial").merge(
        frame(db, regime=0.25, space="initial", split="test")[["original", "subnetwork", "seed", "error"]],
        on=["original", "subnetwork", "seed"],
        suffixes=("", "_test"),
    )
    for row in found:
        mine = runs[runs["original"] == row["original"]]
        assert float(row["seen"]) == mine["error"].min()
        chosen = mine[mine["subnetwork"] == row["subnetwork"]].iloc[0]
        assert float(row["test"]) == chosen["error_test"]
    assert len(found) == 2


def test_buckets_need_twenty_subnetworks(db, prunestats):
    assert "20" in prunestats("buckets", "--db", db, code=2).stderr


def test_noise_says_what_one_seed_cannot_separate(db, prunestats):
    done = prunestats("noise", "--db", db)
    assert done.stdout.count("identified separately") == 1
    refused = prunestats("noise", "--db", db, "--half-width", 0.01, code=2)
    assert "run a pilot with two seeds" in refused.stderr


def test_refine_says_why_it_writes_nothing(db, prunestats):
    study = db.parent / "study.toml"
    prunestats("init", study)
    study.write_text(study.read_text().replace("subnetworks = 60 ", "subnetworks = 4 "))
    told = prunestats("refine", study, "--db", db, "--regime", 0.25).stdout
    assert "The verdict on the ratio is unidentified: 8 subnetworks" in told
    assert "No study was written." in told
    assert list(db.parent.glob("*refined*")) == []
    assert "choose with --regime" in prunestats("refine", study, "--db", db, code=2).stderr


def test_head_to_head_compares_every_space_with_the_first(db, prunestats):
    found = rows(prunestats("head-to-head", "--db", db, "-f", "csv"))
    assert [(row["regime"], row["space"]) for row in found] == [(f, "uniform") for f in ("0.5", "0.25", "0.1")]
    assert all(0 <= float(row["low"]) <= float(row["p_better"]) <= float(row["high"]) <= 1 for row in found)
    told = prunestats("head-to-head", "--db", db, "--regime", 0.25).stdout
    assert told.startswith("Study 'demo' (resnet_digits on digits-")
    assert "test split (for reporting; selection uses validation): probability that a space has the lower error" in told
    assert "Study 'demo' was stored with hash" in told
    assert "before any of its 48 runs." in told
    refused = prunestats("head-to-head", "--db", db, "-k", 0, code=2)
    assert "-k" in refused.stderr


@pytest.mark.parametrize("command", ["edf", "compare", "optimum", "best-of"])
def test_plots_are_written_and_analyses_are_stored_once(db, prunestats, tmp_path, command):
    picture = tmp_path / f"{command}.png"
    for _ in range(2):
        prunestats(command, "--db", db, "--plot", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    with closing(sqlite3.connect(db)) as connection:
        kept = connection.execute("SELECT n_rows, study_id, parameters FROM analysis WHERE kind = ?", [command])
        ((n_rows, study_id, parameters),) = kept.fetchall()
    assert n_rows == (24 if command == "optimum" else 48)
    assert study_id == 1
    assert json.loads(parameters)["study"] == "demo"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("edf", "--regime", 0.3), "0.3"),
        (("edf", "--space", "intial"), "initial"),
        (("edf", "--study", "other"), "demo"),
        (("edf", "--plot", "edf.bmp"), ".png, .svg, .pdf"),
        (("edf", "--plot", "nowhere/edf.png"), "nowhere"),
        (("best-of", "-k", 9), "at most the 8 subnetworks"),
        (("compare", "--space", "initial"), "two populations"),
        (("optimum", "--response", "log_loss"), "expected log_cross_entropy"),
        (("optimum", "--response", "accuracy"), "error, log_cross_entropy"),
    ],
)
def test_wrong_usage_is_an_error_of_one_line(db, prunestats, arguments, complaint):
    done = prunestats(*arguments, "--db", db, code=2, cwd=db.parent)
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
