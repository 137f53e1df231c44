"""`prunestats remove`: it shows, asks, backs up and deletes."""

from __future__ import annotations

import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from prunestats.cli import app, removal
from prunestats.db import (
    OriginalRow,
    import_results,
    load_results,
    merge_database,
    open_database,
    rows_hash,
    store_original,
    write,
)
from prunestats.errors import DatabaseError, InputError

TABLE = "arch,flops,params,val_error\n" + "".join(f"a{k},{1000 + k},{100 + k % 3},{k / 97!r}\n" for k in range(20))
LINES = re.MULTILINE


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A database with two imported studies of one original, that share every subnetwork, and one of another."""
    folder = tmp_path_factory.mktemp("saved")
    (folder / "table.csv").write_text(TABLE)
    for study, original in (("first", "net"), ("second", "net"), ("third", "other")):
        options = {"columns": {"subnetwork": "arch"}, "flops_convention": "multiply-adds"}
        import_results(folder / "r.db", folder / "table.csv", study=study, original=original, **options)
    return folder / "r.db"


@pytest.fixture
def db(saved, tmp_path, monkeypatch):
    """A copy of it, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(saved, tmp_path / "r.db"))


def remove(*options, code=0):
    """Run the command in this process; return what it printed."""
    done = CliRunner().invoke(app, ["remove", "--db", "r.db", *options])
    if code == 2:
        assert isinstance(done.exception, InputError)
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.stdout


def names(db, column="study"):
    frame = load_results(db)
    return sorted(set(frame[column]))


def test_a_dry_run_shows_what_would_go_and_changes_nothing(db):
    before = db.read_bytes()
    done = remove("--study", "third", "--dry-run")
    assert "\n  study 'third'\n" in done
    assert re.search(r"^  population: study 'third', space 'outside', regime 1, original 'other' \(\w+\)$", done, LINES)
    assert re.search(r"^  original 'other' \(\w+\)$", done, LINES)
    assert re.search(r"^run +20 *$", done, LINES)
    assert done.endswith("A dry run: nothing was deleted\n")
    assert db.read_bytes() == before
    assert sorted(file.name for file in db.parent.iterdir()) == ["r.db"]


def test_a_study_is_deleted_and_its_backup_brings_it_back(db):
    hashed = rows_hash(load_results(db))
    done = remove("--study", "third", "--yes")
    said = "Deleted 1 study, 1 population, 1 original, 20 subnetworks and 20 runs\n"
    assert said in done
    (copy,) = db.parent.glob("r.backup-*.db")
    assert f"Backup: {copy.name}; `prunestats db merge {copy.name} --db r.db` brings the rows back\n" in done
    assert "Weights" not in done
    assert names(db) == ["first", "second"]
    merge_database(db, copy)
    assert rows_hash(load_results(db)) == hashed


def test_shared_rows_stay(db):
    done = remove("--study", "first", "--yes", "--no-backup")
    assert "Deleted 1 study and 1 population\n" in done
    assert "Backup" not in done
    assert names(db) == ["second", "third"]
    assert len(load_results(db, study="second")) == 20


def test_an_original_goes_with_its_studies(db):
    remove("--original", "net", "--yes", "--backup", "copy.db")
    assert names(db) == ["third"]
    assert names(db.parent / "copy.db", "network") == ["net", "other"]


def test_a_population_is_named_by_study_space_and_regime(db):
    which = ["--study", "third", "--space", "outside", "--regime", "1", "--original", "other"]
    assert "Deleted 1 study, 1 population" in remove(*which, "--yes")


WRONG = {
    "": "expected what to delete; found nothing: pass --study NAME or --original KEY",
    "--study first --space outside": "or a population by --study, --space and --regime; found --study, --space:",
    "--study first --original net": "or a population by --study, --space and --regime; found --study, --original:",
    "--original net --keep-originals": "expected --keep-originals with a whole study; found it without",
    "--study fist --yes": "expected a study in the database; found 'fist': it has 'first', 'second', 'third'",
    "--study first": "expected an answer from a terminal; found none: pass --yes to delete without being asked",
    "--study first --backup a.db --no-backup": "expected --backup or --no-backup; found both",
    "--study first --yes --backup r.db": "expected a new file for the backup; found that it exists",
    "--study first --yes --backup no/copy.db": "expected a new file for the backup; found no such folder",
}


@pytest.mark.parametrize("options", WRONG)
def test_wrong_usage_is_one_line_and_changes_nothing(db, options):
    before = db.read_bytes()
    said = remove(*options.split(), code=2)
    assert WRONG[options] in said
    assert "\n" not in said
    assert db.read_bytes() == before


def answer(db, typed):
    """Run it on a terminal and type an answer; return its exit code and what it printed."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "prunestats", "remove", "--db", str(db), "--study", "third"]
    with subprocess.Popen(command, stdin=its, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        os.write(ours, typed)
        said = process.communicate(timeout=300)[0]
    os.close(ours)
    os.close(its)
    return process.returncode, said


@pytest.mark.parametrize("typed", [b"n\n", b"\n", b"\x04"], ids=["n", "return", "end of file"])
def test_without_a_yes_nothing_is_deleted(db, typed):
    code, said = answer(db, typed)
    assert code == 1
    assert said.endswith("Nothing was deleted\n")
    assert names(db) == ["first", "second", "third"]
    assert not list(db.parent.glob("r.backup*"))


def test_a_yes_deletes(db):
    code, said = answer(db, b"y\n")
    assert code == 0
    assert "Deleted 1 study" in said
    assert names(db) == ["first", "second"]


def test_rows_that_came_after_they_were_shown_are_not_deleted(db, monkeypatch):
    def another_writer(question):
        with sqlite3.connect(db) as connection:
            connection.execute(
                "INSERT INTO run (subnetwork_id, protocol_id, seed, state, val_error, created_at) "
                "SELECT subnetwork_id, protocol_id, 9, state, val_error, created_at FROM run ORDER BY id DESC LIMIT 1"
            )
        connection.close()
        return True

    monkeypatch.setattr(removal, "agreed", another_writer)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(DatabaseError, match="another process changed them since: nothing was deleted"):
        removal.remove(db=str(db), study="third")
    assert names(db) == ["first", "second", "third"]
    assert not list(db.parent.glob("r.backup*"))


def test_weights_of_a_deleted_original_stay_and_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine = open_database(tmp_path / "r.db")
    with write(engine) as connection:
        row = OriginalRow("k1", "net", "digits", 0, 90, 9, weights_sha256="a" * 64)
        store_original(connection, row)
    engine.dispose()
    (tmp_path / "r.originals").mkdir()
    weights = tmp_path / "r.originals" / "k1.safetensors"
    weights.write_bytes(b"")
    done = remove("--original", "k1", "--yes", "--no-backup")
    assert "Weights of deleted originals stay as files: r.originals/k1.safetensors\n" in done
    assert weights.exists()
