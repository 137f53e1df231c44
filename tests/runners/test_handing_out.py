"""Ask and tell: runs handed out once, by several processes, and stored with what is told."""

import math
import socket
import subprocess
import sys
import textwrap

import pytest
import torch

import prunestats as ps
from prunestats.db import Holder, open_database, query, take_lease, write
from prunestats.errors import InputError, StudyChangedError, StudyError
from prunestats.runners.execution.lease_holder import is_gone, this_process
from prunestats.runners.told import RunFailedWarning


@pytest.fixture
def study(own_study, tmp_path):
    """The file of a study whose runs are asked for, with the weights of every run kept."""
    text = own_study.replace('train = "task:train"\n', "") + "\n[storage]\nkeep_weights = 9\n"
    (tmp_path / "study.toml").write_text(text)
    return "study.toml"


def told(run, score=1.0):
    return ps.tell(run, validation={"score": score}, test={"score": score - 1})


def test_the_dense_network_is_asked_first_and_then_every_run_once(study):
    seen = []
    for run in ps.ask(study, db="r.db"):
        assert run.dense == (not seen)
        assert run.folder.is_dir()
        with torch.no_grad():
            next(run.network.parameters()).add_(1.0)
        run.report(1, score=0.5)
        seen.append((run.subnetwork, run.seed, run.folder))
        assert told(run, float(len(seen))) == "done"
        assert not run.folder.exists()
    assert len(seen) == 7
    assert len({seed for _, seed, _ in seen}) == 7
    assert list(ps.ask(study, db="r.db")) == []
    rows = query("r.db", "SELECT val_metric, test_metric, state, epochs FROM results ORDER BY val_metric").rows
    assert rows == [(float(n), float(n - 1), "done", 1) for n in range(2, 8)]
    assert query("r.db", "SELECT val_metric FROM original").rows == [(1.0,)]
    assert query("r.db", "SELECT count(*) FROM weights").rows == [(6,)]
    assert query("r.db", "SELECT count(*) FROM lease").rows == [(0,)]


def test_subnetworks_are_cut_from_the_weights_that_the_dense_network_had_when_it_was_told(study):
    asked = ps.ask(study, db="r.db")
    dense = next(asked)
    with torch.no_grad():
        dense.network.head.bias.fill_(3.5)
    told(dense)
    assert next(asked).network.head.bias.tolist() == [3.5, 3.5]


def test_a_subnetwork_has_its_widths(study):
    asked = ps.ask(study, db="r.db")
    told(next(asked))
    run = next(asked)
    assert (run.network.first.out_channels, run.network.second.out_channels) == run.widths


def test_subnetworks_need_the_dense_network_told(study):
    with pytest.raises(StudyError, match="told before subnetworks are asked for"):
        list(ps.ask(study, db="r.db"))


def test_what_was_not_told_is_asked_again_by_the_same_thread(study):
    asked = ps.ask(study, db="r.db")
    told(next(asked))
    left = next(asked).subnetwork
    assert left in [run.subnetwork for run in ps.ask(study, db="r.db", max_runs=1)]


def test_a_run_of_a_process_that_lives_is_not_handed_out_and_of_one_that_is_gone_it_is(study):
    asked = ps.ask(study, db="r.db")
    told(next(asked))
    first = next(asked)
    engine = open_database("r.db")
    lease = query("r.db", "SELECT key FROM lease").rows[0][0]

    def hand_to(process, host=None):
        with write(engine) as connection:
            take_lease(
                connection,
                lease,
                Holder(host or socket.gethostname(), process),
                seconds=60,
                is_free=lambda holder: True,
            )

    def is_handed_out():
        return (first.subnetwork, first.seed) in [(run.subnetwork, run.seed) for run in ps.ask(study, db="r.db")]

    number, start, thread = this_process().split()
    hand_to(f"{number} {start} {int(thread) + 1}")
    assert not is_handed_out()
    hand_to("1 0 0", host="another machine")
    assert not is_handed_out()
    hand_to(f"{number} 0.00 {thread}")
    assert is_handed_out()
    engine.dispose()


def test_a_process_is_gone_when_its_number_has_another_start():
    number, start, thread = this_process().split()
    assert not is_gone(socket.gethostname(), f"{number} {start} {thread}")
    assert is_gone(socket.gethostname(), f"{number} 1.00 {thread}")
    assert not is_gone("another machine", f"{number} 1.00 {thread}")
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert is_gone(socket.gethostname(), f"{int(done.stdout)} 1.00 0")


@pytest.mark.parametrize("score", [math.nan, "high", None])
def test_a_metric_that_is_none_is_a_failed_row_and_a_warning(study, score):
    asked = ps.ask(study, db="r.db")
    told(next(asked))
    with pytest.warns(RunFailedWarning, match="score must be"):
        assert ps.tell(next(asked), validation={"score": score}) == "failed"
    assert "score must be" in query("r.db", "SELECT failure FROM failures").rows[0][0]


def test_a_reason_is_stored(study):
    asked = ps.ask(study, db="r.db")
    told(next(asked))
    assert ps.tell(next(asked), failed="out of memory") == "failed"
    assert query("r.db", "SELECT failure FROM failures").rows == [("out of memory",)]


def test_tell_takes_metrics_or_a_reason(study):
    run = next(ps.ask(study, db="r.db"))
    with pytest.raises(InputError, match="neither or both"):
        ps.tell(run)
    with pytest.raises(StudyError, match="nothing can be pruned"):
        ps.tell(run, failed="no")


def test_a_study_of_another_content_is_refused(study, tmp_path):
    told(next(ps.ask(study, db="r.db")))
    (tmp_path / "study.toml").write_text((tmp_path / study).read_text().replace("subnetworks = 3", "subnetworks = 4"))
    with pytest.raises(StudyChangedError):
        next(ps.ask(study, db="r.db"))


def test_a_study_with_a_recipe_is_refused(tmp_path):
    from prunestats.runners.study.file import demo_study_file

    with pytest.raises(StudyError, match=r"found a recipe in \[protocol\]"):
        next(ps.ask(demo_study_file(), db=tmp_path / "r.db"))


def test_several_processes_share_the_runs(study, tmp_path):
    (tmp_path / "loop.py").write_text(
        textwrap.dedent(
            """
            import warnings
            import prunestats as ps

            warnings.simplefilter("ignore")
            for run in ps.ask("study.toml", db="r.db"):
                print(run.subnetwork, run.seed, flush=True)
                ps.tell(run, validation={"score": 1.0})
            """
        )
    )
    loops = [subprocess.Popen([sys.executable, "loop.py"], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [loop.communicate()[0].splitlines() for loop in loops]
    assert [loop.returncode for loop in loops] == [0, 0]
    runs = [line for lines in printed for line in lines]
    assert len(runs) == len(set(runs)) == 7
    assert query("r.db", "SELECT count(*) FROM run WHERE state = 'done'").rows == [(6,)]


def test_a_told_subnetwork_is_exported_with_the_weights_that_it_had(study, tmp_path):
    for run in ps.ask(study, db="r.db"):
        with torch.no_grad():
            run.network.head.bias.fill_(run.seed % 1000)  # which float32 holds
        told(run, 1.0 if run.dense else float(run.seed % 1000))
    key = query("r.db", "SELECT subnetwork FROM leaderboard WHERE place = 1").rows[0][0]
    best = query("r.db", f"SELECT max(val_metric) FROM results WHERE subnetwork = '{key}'").rows[0][0]
    done = ps.export_subnetwork(key, "r.db", tmp_path / "sub", onnx=False)
    assert done.words.startswith("kept weights, verified by the hash of their file")
    assert ps.load_subnetwork(tmp_path / "sub").head.bias.tolist() == [best, best]


def test_what_was_trained_elsewhere_is_not_trained_again(study, tmp_path):
    (tmp_path / "study.toml").write_text((tmp_path / study).read_text().replace("keep_weights = 9", "keep_weights = 0"))
    for run in ps.ask(study, db="r.db"):
        told(run)
    key = query("r.db", "SELECT subnetwork FROM results").rows[0][0]
    with pytest.raises(InputError, match="trained elsewhere"):
        ps.export_subnetwork(key, "r.db", tmp_path / "sub", onnx=False)
