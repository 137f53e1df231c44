"""`prunestats search`: from a study file to an exported winner, resumed where it was stopped."""

import json
import sqlite3
from contextlib import closing

import pytest

STUDY = """
name = "small"
[[originals]]
network = "resnet_digits"
epochs = 1
learning_rate = 0.1
[regimes]
flops = [0.5]
tolerance = 0.05
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 4
[protocol]
epochs = 3
learning_rate = 0.05
"""
OPTIONS = (
    "--flops",
    0.5,
    "--budget",
    12,
    "--finalists",
    2,
    "--finalist-seeds",
    1,
    "--confirm-seeds",
    2,
    "--workers",
    0,
)


def rows(folder, query):
    with closing(sqlite3.connect(folder / "prunestats.db")) as connection:
        return connection.execute(query).fetchall()


def test_a_search_exports_its_winner_and_is_idempotent(tmp_path, prunestats):
    (tmp_path / "study.toml").write_text(STUDY)
    done = prunestats("search", "study.toml", *OPTIONS, "-o", "winner", "--no-onnx", cwd=tmp_path)
    spent = sum(epochs for (epochs,) in rows(tmp_path, "SELECT epochs FROM run")) / 3
    assert f"{spent:.4g} full trainings were spent" in done.stdout
    assert spent <= 12
    winner = json.loads((tmp_path / "winner" / "subnetwork.json").read_text())
    assert f"Winner: {winner['subnetwork']}" in done.stdout
    assert winner["protocol"]["epochs"] == 3
    assert abs(winner["flops"] / winner["original"]["flops"] - 0.5) <= 0.025
    confirmed = rows(
        tmp_path,
        "SELECT avg(test_error), count(*) FROM results WHERE study LIKE '%confirmation' "
        f"AND subnetwork = '{winner['subnetwork']}'",
    )
    assert confirmed[0][1] == 2
    assert f"not used for selection: {100 * confirmed[0][0]:.3g} %" in done.stdout
    assert rows(tmp_path, "SELECT kind FROM analysis") == [("search",)]
    before = rows(tmp_path, "SELECT id, created_at FROM run ORDER BY id")
    again = prunestats("search", "study.toml", *OPTIONS, cwd=tmp_path)
    assert rows(tmp_path, "SELECT id, created_at FROM run ORDER BY id") == before
    assert done.stdout.split("Winner")[1].split("spent")[0] == again.stdout.split("Winner")[1].split("spent")[0]


def test_results_stored_meanwhile_do_not_change_a_search_that_has_begun(tmp_path, prunestats):
    (tmp_path / "study.toml").write_text(STUDY)
    prunestats("search", "study.toml", *OPTIONS, cwd=tmp_path)
    prunestats("run", "study.toml", "--workers", 0, cwd=tmp_path)
    n = rows(tmp_path, "SELECT count(*) FROM run")
    again = prunestats("search", "study.toml", *OPTIONS, cwd=tmp_path)
    assert "Winner" in again.stdout
    assert rows(tmp_path, "SELECT count(*) FROM run") == n
    # An analysis or report without --study leaves out the rounds of a search.
    assert "4 subnetworks" in prunestats("report", "-o", "report.pdf", cwd=tmp_path).stdout
    prunestats("edf", cwd=tmp_path)
    studies = (
        "SELECT kind, s.name FROM analysis a JOIN study s ON s.id = a.study_id WHERE kind <> 'search' ORDER BY a.id"
    )
    assert rows(tmp_path, studies) == [("report", "small"), ("edf", "small")]


@pytest.mark.parametrize(
    ("flops", "budget", "reason"),
    [
        (0.5, 5, "error: expected a budget of 17 trainings or more"),
        (0.0001, 40, "error: 0.0001 of the FLOPs is below the smallest subnetwork"),
        (25, 40, "error: flops must be a fraction above 0 and at most 1; found 25"),
    ],
)
def test_an_impossible_search_is_an_error_of_one_line_and_makes_no_database(
    tmp_path, prunestats, flops, budget, reason
):
    (tmp_path / "study.toml").write_text(STUDY)
    failed = prunestats("search", "study.toml", "--flops", flops, "--budget", budget, cwd=tmp_path, code=2)
    assert failed.stdout == ""
    assert failed.stderr.startswith(reason)
    assert failed.stderr.count("\n") == 1
    assert not (tmp_path / "prunestats.db").exists()
