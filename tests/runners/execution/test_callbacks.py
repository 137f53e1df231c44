"""Callbacks: rows of runs and epochs in the parent process; an error in one stops nothing."""

import warnings

import pytest

import prunestats as ps
from prunestats.errors import InputError
from prunestats.runners.execution.callbacks import CallbackWarning
from prunestats.runners.run import run_study
from prunestats.runners.study.file import parse_study


def test_every_run_and_epoch_is_a_row(own_study):
    runs, epochs = [], []
    run_study(parse_study(own_study), "r.db", workers=0, on_run=runs.append, on_epoch=epochs.append)
    assert len(runs) == 6
    assert len(epochs) == 12
    frame = ps.load_results("r.db").set_index(["subnetwork", "seed"])
    for row in runs:
        stored = frame.loc[(row["subnetwork"], row["seed"])]
        assert row["val_score"] == stored["score"]
        assert (row["flops"], row["params"]) == (stored["flops"], stored["params"])
        assert row["state"] == "done"
        assert row["widths"] == list(stored["widths"])
    assert [row["epoch"] for row in epochs] == [1, 2] * 6
    assert all("score" in row for row in epochs)


def test_a_study_names_its_callbacks_which_change_no_result(own_study, module, tmp_path):
    module(
        "def note(row):\n    with open('rows.txt', 'a') as file:\n        file.write(row['subnetwork'] + '\\n')\n",
        "logs",
    )
    named = own_study + '\n[callbacks]\non_run = "logs:note"\n'
    assert parse_study(named).fingerprint == parse_study(own_study).fingerprint
    run_study(parse_study(own_study), "r.db", workers=0, max_runs=2)
    run_study(parse_study(named), "r.db", workers=0)
    assert len((tmp_path / "rows.txt").read_text().splitlines()) == 4


def test_an_error_is_said_once_and_the_study_goes_on(own_study):
    def broken(row):
        raise OSError("no network")

    with pytest.warns(CallbackWarning, match="no network") as caught:
        summary = run_study(parse_study(own_study), "r.db", workers=0, on_run=broken)
    assert summary.done_now == 6
    assert len([one for one in caught if issubclass(one.category, CallbackWarning)]) == 1


def test_a_callback_that_is_not_there_is_refused_before_anything_runs(own_study, tmp_path):
    study = parse_study(own_study + '\n[callbacks]\non_epoch = "nowhere:note"\n')
    with pytest.raises(InputError, match="callback 'nowhere:note' cannot be imported"):
        run_study(study, "r.db", workers=0)
    assert not (tmp_path / "r.db").exists()


def test_told_runs_are_rows_too(own_study, module, tmp_path):
    module("ROWS = []\nnote = ROWS.append\n", "logs")
    text = own_study.replace('train = "task:train"\n', "") + '\n[callbacks]\non_run = "logs:note"\n'
    (tmp_path / "study.toml").write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for run in ps.ask("study.toml", db="r.db", max_runs=1):
            ps.tell(run, validation={"score": 2.0})
    import logs

    assert [row["val_score"] for row in logs.ROWS] == [2.0]
