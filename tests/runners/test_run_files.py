"""Kept weights and folders of runs stay in step with stored rows, whatever is killed and whoever else runs."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from sqlalchemy import func, select

from prunestats.db import missing_runs, open_database, read
from prunestats.db.schema import tables as schema
from prunestats.db.storing.kept_weights import kept_runs
from prunestats.db.upkeep.weight_files import wrong_files
from prunestats.errors import DatabaseError
from prunestats.outcome import Outcome
from prunestats.runners import run_files
from prunestats.runners.execution.keep_limit import KeepLimit
from prunestats.runners.execution.run_folders import RunFolders, marked, run_name, sees
from prunestats.runners.networks.weights import load_named, named_bytes
from prunestats.runners.run import run_study
from prunestats.runners.run_files import RunStore, clean_files, runs_folder
from prunestats.runners.study.file import parse_study

STUDY = """
name = "kept"
[[originals]]
network = "resnet_digits"
epochs = 1
learning_rate = 0.1
[regimes]
flops = [0.5, 0.4]
tolerance = 0.2
[[spaces]]
name = "initial"
sampler = "independent"
[[spaces]]
name = "uniform"
sampler = "jittered_uniform"
[population]
subnetworks = 6
[protocol]
epochs = 0
learning_rate = 0.05
seeds = [0, 1]
[storage]
keep_weights = 2
"""


class KilledError(Exception):
    """Ends a process, as kill -9 does: nothing after it is executed."""


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A database with populations, and one run, of which nothing is kept."""
    db = tmp_path_factory.mktemp("planned") / "results.db"
    run_study(parse_study(STUDY.replace("keep_weights = 2", "keep_weights = 0")), db, workers=0, max_runs=1)
    assert not db.with_name("results.weights").exists()
    return db


@pytest.fixture
def engine(planned, tmp_path):
    (tmp_path / "results.db").write_bytes(planned.read_bytes())
    engine = open_database(tmp_path / "results.db")
    yield engine
    engine.dispose()


def todo(engine):
    with read(engine) as connection:
        return missing_runs(connection, study_id=1, protocol_id=1, seeds=[0, 1])


def result(run):
    """An outcome that depends on the run alone, with ties, and its weights."""
    rng = np.random.default_rng([run.subnetwork_id, run.seed])
    error, loss = rng.integers(1, 6) / 10, float(rng.random())
    return Outcome("done", error, error, loss, loss, loss, 0, 1.0), f"{run.subnetwork_key} {run.seed}".encode()


def store_run(store, run):
    outcome, content = result(run)
    weights = content if store.limit(run.subnetwork_id).allows(outcome) else None
    return store.store(
        outcome,
        subnetwork_id=run.subnetwork_id,
        subnetwork_key=run.subnetwork_key,
        seed=run.seed,
        environment=None,
        weights=weights,
    )


def best(engine, keep):
    """Runs that are among the best of a population, by their definition."""
    run, draw, s = schema.run, schema.draw, schema.subnetwork
    joined = run.join(draw, draw.c.subnetwork_id == run.c.subnetwork_id).join(s, s.c.id == run.c.subnetwork_id)
    columns = (
        draw.c.population_id,
        run.c.id,
        run.c.val_error,
        run.c.val_loss,
        s.c.flops,
        s.c.params,
        s.c.key,
        run.c.seed,
    )
    with read(engine) as connection:
        rows = connection.execute(select(*columns).select_from(joined).where(run.c.state == "done")).all()
    found = set()
    for population in {row.population_id for row in rows}:
        mine = sorted((row for row in rows if row.population_id == population), key=lambda row: row[2:])
        found |= {row.id for row in mine[:keep]}
    return found


def assert_in_step(engine):
    with read(engine) as connection:
        assert [line for line in wrong_files(connection) if not line.startswith("orphans")] == []


def assert_clean(engine):
    clean_files(engine)
    with read(engine) as connection:
        assert list(wrong_files(connection)) == []
    folder = Path(engine.url.database).with_name("results.weights")
    with read(engine) as connection:
        names = {one.file for one in kept_runs(connection)}
    assert {file.name for file in folder.glob("*")} == names


def kept_ids(engine):
    with read(engine) as connection:
        return {one.run_id for one in kept_runs(connection)}


@pytest.mark.parametrize("keep", [0, 1, 2, 5])
def test_the_best_runs_of_each_population_are_kept_in_any_order(engine, keep):
    runs = todo(engine)
    np.random.default_rng(keep).shuffle(runs)
    store = RunStore.of_study(engine, 1, 1, keep=keep)
    for run in runs:
        assert store_run(store, run)
        assert_in_step(engine)
    with read(engine) as connection:
        first = connection.scalar(select(func.min(schema.run.c.id)))  # stored before weights were kept
    assert kept_ids(engine) == best(engine, keep) - {first}
    assert_clean(engine)


def test_weights_are_asked_for_only_where_they_are_kept(engine):
    store, asked = RunStore.of_study(engine, 1, 1, keep=1), []
    for run in todo(engine):
        outcome, content = result(run)

        def weights(run=run, content=content):
            asked.append(run)
            return content

        key = {"subnetwork_id": run.subnetwork_id, "subnetwork_key": run.subnetwork_key, "seed": run.seed}
        store.store(outcome, **key, environment=None, weights=weights)
        assert not store.store(outcome, **key, environment=None, weights=b"of another process")
    assert len(kept_ids(engine)) <= len(asked) < len(todo(engine)) + 24
    assert_clean(engine)


@pytest.mark.parametrize(
    "step", ["before the file", "half of the file", "before the row", "before the commit", "after it"]
)
def test_killed_at_any_step_rows_have_their_files_and_orphans_go(engine, step, monkeypatch):
    runs = todo(engine)
    for number in range(0, len(runs), 4):
        store = RunStore.of_study(engine, 1, 1, keep=1)
        with monkeypatch.context() as patch:
            _kill_at(patch, step)
            try:
                for run in runs[number : number + 4]:
                    store_run(store, run)
            except (KilledError, DatabaseError):
                pass
        assert_in_step(engine)
        assert_clean(engine)
    for run in todo(engine):
        store_run(RunStore.of_study(engine, 1, 1, keep=1), run)
    assert_clean(engine)
    assert kept_ids(engine) <= best(engine, 1)


def _kill_at(patch, step):
    def kill(*arguments, **named):
        raise KilledError

    def half(path, content):
        path.parent.mkdir(exist_ok=True)
        path.with_name(f".{path.name[:40]}-abc123").write_bytes(content[:3])
        raise KilledError

    def stored_then(*arguments, **named):
        original(*arguments, **named)
        raise KilledError

    original = run_files.store_weights
    if step == "before the file":
        patch.setattr(run_files, "write_atomically", kill)
    elif step == "half of the file":
        patch.setattr(run_files, "write_atomically", half)
    elif step == "before the row":
        patch.setattr(run_files, "store_weights", kill)
    elif step == "before the commit":
        patch.setattr(run_files, "store_weights", stored_then)
    else:
        patch.setattr(run_files, "remove_folder", kill)
        patch.setattr(Path, "unlink", _unlink_that_kills(Path.unlink))


def _unlink_that_kills(unlink):
    def kill(path, missing_ok=False):
        if path.parent.name == "results.weights" and not path.name.startswith("."):
            raise KilledError
        unlink(path, missing_ok=missing_ok)

    return kill


def test_a_full_disk_stores_no_run(engine, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_files, "write_atomically", full)
    run = todo(engine)[0]
    with pytest.raises(DatabaseError, match=r"No space left on device: free some space, or set keep_weights = 0"):
        store_run(RunStore.of_study(engine, 1, 1, keep=1), run)
    assert run in todo(engine)


def test_two_processes_on_one_database_stay_in_step(engine):
    """Each with its own connections and its own order, one of them started again and again."""
    runs, failures = todo(engine), []

    def work(seed):
        mine = open_database(engine.url.database)
        try:
            mixed = list(runs)
            np.random.default_rng(seed).shuffle(mixed)
            store = RunStore.of_study(mine, 1, 1, keep=2)
            for number, run in enumerate(mixed):
                store_run(store, run)
                if seed and number % 5 == 0:
                    clean_files(mine)
                    store = RunStore.of_study(mine, 1, 1, keep=2)
        except BaseException as error:
            failures.append(error)
        finally:
            mine.dispose()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert todo(engine) == []
    assert_in_step(engine)
    assert_clean(engine)
    with read(engine) as connection:
        first = connection.scalar(select(func.min(schema.run.c.id)))
    assert kept_ids(engine) == best(engine, 2) - {first}


def test_a_folder_goes_with_the_row_of_its_run_and_stays_before(engine):
    runs = todo(engine)
    store = RunStore.of_study(engine, 1, 1, keep=0)
    folders = RunFolders(str(runs_folder(engine)))
    for run in runs[:3]:
        with folders.opened(run_name(run.subnetwork_key, store.protocol_key, run.seed)) as folder:
            (folder / "state").write_text("epoch 3")
    root = runs_folder(engine)
    for name in (run_name("0" * 16, store.protocol_key, 0), run_name(runs[0].subnetwork_key, "0" * 16, 0)):
        (root / name).mkdir()
    (root / "notes").mkdir()
    clean_files(engine)
    names = [run_name(run.subnetwork_key, store.protocol_key, run.seed) for run in runs[:3]]
    assert sorted(folder.name for folder in root.iterdir()) == sorted([*names, "notes"])
    store_run(store, runs[0])
    assert sorted(folder.name for folder in root.iterdir()) == sorted([*names[1:], "notes"])
    with folders.opened(names[1]) as folder:
        assert (folder / "state").read_text() == "epoch 3"
    (root / names[0]).mkdir()  # of a process that was killed between the row and the folder
    (root / "notes").rmdir()
    for run in runs[1:3]:
        store_run(store, run)
    clean_files(engine)
    assert not root.exists()


def test_workers_without_the_folder_have_a_temporary_one(tmp_path):
    with RunFolders(None).opened("run") as folder:
        (folder / "state").write_text("")
    assert not folder.exists()
    assert RunFolders(None).checkpoint("run").file is None
    with marked(tmp_path / "results.runs") as (file, word):
        assert sees(file, word)
        assert not sees(file, "another")
        assert not sees(f"{file}x", word)
    assert not (tmp_path / "results.runs").exists()


def test_a_limit_allows_what_is_as_good_or_better():
    done = Outcome("done", val_error=0.2)
    assert not KeepLimit().allows(done)
    assert [KeepLimit(value).allows(done) for value in (0.1, 0.2, 0.3)] == [False, True, True]
    higher = Outcome("done", val_metric=0.6)
    assert [KeepLimit(-value, -1).allows(higher) for value in (0.5, 0.6, 0.7)] == [True, True, False]
    assert not KeepLimit(float("inf")).allows(Outcome("failed", failure="killed"))


def test_names_of_weights_follow_a_renamed_layer():
    def network(name):
        return torch.nn.ModuleDict({name: torch.nn.Linear(2, 3), "last": torch.nn.BatchNorm1d(3)})

    one, other, same = network("zeta"), network("alpha"), network("zeta")
    content = named_bytes(one.state_dict())
    for each in (other, same):
        load_named(each, content)
        assert all(map(torch.equal, one.state_dict().values(), each.state_dict().values()))
    assert list(safetensors.torch.load(content)) != []
    tied = torch.nn.Linear(2, 2)
    load_named(tied, named_bytes({"weight": tied.weight, "bias": tied.weight[0]}))


def test_a_study_keeps_what_its_workers_return(tmp_path):
    text = STUDY.replace("epochs = 0", "epochs = 1")
    db = tmp_path / "results.db"
    run_study(parse_study(text), db, workers=0, max_runs=9)
    run_study(parse_study(text), db, workers=0)
    engine = open_database(db)
    assert kept_ids(engine) == best(engine, 2)
    assert_clean(engine)
    with read(engine) as connection:
        for one in kept_runs(connection):
            content = (tmp_path / "results.weights" / one.file).read_bytes()
            assert hashlib.sha256(content).hexdigest() == one.sha256
    engine.dispose()
    assert not (tmp_path / "results.runs").exists()
