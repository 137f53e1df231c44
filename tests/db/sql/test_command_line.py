"""`prunestats sql`: formats, standard input, and the shell on a terminal."""

import csv
import fcntl
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pyarrow.parquet as pq
import pytest
import typer
from prompt_toolkit.document import Document
from sqlalchemy import make_url

from prunestats.cli import _kept, app
from prunestats.cli.sql.answer import answer_query
from prunestats.cli.sql.completion import SqlCompleter
from prunestats.cli.sql.output import parquet_bytes, write_rows
from prunestats.cli.terminal import csv_text, json_records
from prunestats.db.schema.comments import VIEWS
from prunestats.db.schema.tables import metadata
from prunestats.db.sql.read_only import catalogue, query
from prunestats.errors import InputError, QueryError

COMMAND = [sys.executable, "-m", "prunestats", "sql"]
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
HANGS_S = 240
"""Seconds after which a test gives up: none waits so long unless something hangs, whatever else the machine does."""

SOME = "SELECT seed, val_error, failure FROM results ORDER BY run_id LIMIT 9"


def sql(*arguments, stdin="", code=0):
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], input=stdin.encode(), capture_output=True, env=environment, timeout=HANGS_S
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_formats_hold_the_same(filled, tmp_path):
    rows = query(filled, SOME).rows
    found = list(csv.reader(io.StringIO(sql(SOME, "--db", filled, "-f", "csv").stdout.decode())))
    assert found == [["seed", "val_error", "failure"], *[["" if v is None else str(v) for v in row] for row in rows]]
    records = json.loads(sql("--db", filled, "-f", "json", stdin=SOME + ";\n").stdout)
    assert [tuple(record.values()) for record in records] == rows
    table = pq.read_table(io.BytesIO(sql("-", "--db", filled, "-f", "parquet", stdin=SOME).stdout))
    assert [tuple(record.values()) for record in table.to_pylist()] == rows
    # the ending of the file says the format
    sql(SOME, "--db", filled, "-o", tmp_path / "some.parquet")
    assert pq.read_table(tmp_path / "some.parquet").equals(table)
    write_rows(("a",), [(1,)], "csv", tmp_path / "some.csv")
    assert (tmp_path / "some.csv").read_text() == "a\n1\n"


def test_empty_standard_input_lists_the_tables(filled):
    shown = sql("--db", filled).stdout.decode()
    assert [line.split()[0] for line in shown.splitlines()[1 : 1 + len(VIEWS)]] == list(VIEWS)
    assert set(metadata.tables) <= {line.split()[0] for line in shown.splitlines()}
    assert sql("--db", filled, ".tables").stdout.decode() == shown


def test_a_pipe_takes_several_lines_and_commands_as_a_terminal_does(filled):
    script = ".tables\n-- two queries on one line\nSELECT 1 AS a; SELECT\n  ';' AS b;\n\\d plan\n.quit\nSELECT 3 AS c\n"
    parts = sql("--db", filled, stdin=script).stdout.decode().split("\n\n")
    assert [part.split()[0] for part in parts] == ["name", "a", "b", "name"]
    assert parts[0] + "\n" == sql("--db", filled, ".tables").stdout.decode()
    assert parts[2].split() == ["b", ";"]
    assert parts[3] == sql("--db", filled, ".schema plan").stdout.decode()
    assert sql("--db", filled, "-f", "csv", "SELECT 1 AS a; SELECT 2 AS b").stdout == b"a\n1\n\nb\n2\n"
    assert b".schema [NAME]" in sql("--db", filled, stdin=".help\n").stdout


def test_a_script_ends_with_its_first_failure_at_its_line(filled):
    done = sql(
        "--db", filled, "-f", "csv", stdin="SELECT 1 AS a;\nSELECT 2 AS b; SELECT\nval_eror FROM results;", code=1
    )
    assert done.stdout == b"a\n1\n\nb\n2\n\n"
    assert b"at line 3, column 1" in done.stderr


def test_one_file_holds_one_answer(filled, tmp_path):
    for arguments in (("-f", "json"), ("-f", "parquet"), ("-o", tmp_path / "x.csv")):
        done = sql("--db", filled, *arguments, "SELECT 1 AS a; SELECT 2 AS b", code=2)
        assert b"expected one query with" in done.stderr


def test_a_limit_says_that_there_is_more(filled):
    done = sql("SELECT seed FROM results", "--db", filled, "-f", "csv", "--limit", 2)
    assert len(done.stdout.splitlines()) == 3
    assert b"only the first 2 rows" in done.stderr
    done = sql("SELECT seed FROM results", "--db", filled, "-f", "csv", "--limit", 0)
    assert (len(done.stdout.splitlines()), done.stderr) == (97, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("DELETE FROM run",), 1, "only reads"),
        (("SELECT x.key, x.key FROM original x", "-f", "json"), 2, "'key' twice"),
        (("SELECT 1", "-o", "/nowhere/x.csv"), 2, "can be written"),
        (("SELECT 1", "-f", "xml"), 2, "xml"),
        ((".schema resuls",), 2, "do you mean results"),
        ((".drop run",), 2, "expected .tables"),
        (("SELECT val_eror FROM results",), 1, "do you mean val_error"),
    ],
)
def test_what_goes_wrong_is_one_line(sqlite_filled, arguments, code, words):
    done = sql("--db", sqlite_filled, *arguments, code=code)
    assert words in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


def test_columns_have_meanings_on_both(filled):
    columns = catalogue(filled)
    assert list(columns)[: len(VIEWS)] == list(VIEWS)
    everything = answer_query(filled, ".schema", limit=None, timeout_s=HANGS_S).rows
    assert {(name, column) for name, column, _ in everything} == {(n, c) for n in columns for c in columns[n]}
    assert all(meaning for name, _, meaning in everything if name != "prunestats_version")
    assert (
        dict(row[1:] for row in answer_query(filled, ".schema plan;", limit=None, timeout_s=HANGS_S).rows)["study_id"]
        == "the study"
    )


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("SELECT 'val_eror',\n  val_eror\nFROM results", 21),
        ("SELECT 1 FROM resuls", 14),
        ("SELECT seed,\n FROM run", 14),
    ],
)
def test_the_place_of_a_mistake_is_known(filled, text, offset):
    with pytest.raises(QueryError) as caught:
        query(filled, text)
    assert (caught.value.sql, caught.value.offset) == (text, offset)


def test_numbers_that_json_has_no_sign_for_are_named():
    assert json.loads(json_records(("a", "b"), [(float("inf"), float("nan"))])) == [{"a": "inf", "b": "nan"}]
    assert csv_text(("a",), [("x,\ny",)]) == 'a\n"x,\ny"\n'


def test_parquet_wants_one_type_a_column_and_pyarrow(monkeypatch):
    with pytest.raises(InputError, match="one type per column"):
        parquet_bytes(("a",), [(1,), ("x",)])
    assert pq.read_table(io.BytesIO(parquet_bytes(("a", "b"), []))).column_names == ["a", "b"]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'prunestats\[parquet\]'"):
        parquet_bytes(("a",), [(1,)])


@pytest.mark.parametrize(
    ("before", "first"),
    [
        ("SELECT val_err", "val_error"),
        ("SELECT * FROM lea", "leaderboard"),
        ("SELECT * FROM run r JOIN sub", "subnetwork"),
        ("SELECT r.wal", "wall_s"),
        ("sel", "select"),
        ("SEL", "SELECT"),
        (".sch", ".schema"),
        (".schema par", "pareto"),
        ("SELECT * FROM run WHERE sta", "state"),
    ],
)
def test_completion(sqlite_filled, before, first):
    after = " FROM run r" if "r.wal" in before else ""
    document = Document(before + after, len(before))
    found = list(SqlCompleter(catalogue(sqlite_filled)).get_completions(document, None))
    completed = before[: len(before) + found[0].start_position] + found[0].text
    assert completed == before[: -len(before.split()[-1].rpartition(".")[2])] + first if first[0] != "." else first


def wait_until_it_queries(process, url):
    """Wait until a process has the database open: each query opens and closes a connection of its own."""
    deadline = time.monotonic() + HANGS_S
    while not is_querying(process, url):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_querying(process, url):
    if not url.startswith("postgresql"):
        return str(Path(url).resolve()) in {file.path for file in psutil.Process(process.pid).open_files()}
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'FETCH FORWARD%'"
        here = " AND datname = current_database()"
        return connection.execute((running + here).encode()).fetchone()[0] > 0


@contextmanager
def shell(db, folder):
    """The shell on a terminal of its own; yields functions that type and wait."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(
        [*COMMAND, "--db", str(db)], stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
    )
    os.close(its)
    seen = ""

    def type_in(text):
        nonlocal seen
        seen = ""
        os.write(ours, text.encode())

    def wait_for(text, after=""):
        nonlocal seen
        deadline = time.monotonic() + HANGS_S
        while text not in seen.partition(after)[2] if after else text not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    seen += os.read(ours, 65536).decode(errors="replace")
                except OSError:
                    break
        return seen

    try:
        yield process, type_in, wait_for
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_the_shell_answers_explains_and_leaves(filled, tmp_path):
    with shell(filled, tmp_path) as (process, type_in, wait_for):
        wait_for("sql>")
        type_in("SELECT count(*) AS runs,\r")
        wait_for("...>")
        type_in("';' AS sign FROM resul")
        wait_for("resul")
        type_in("\t")
        wait_for("ts")
        type_in(";\r")
        assert "96" in wait_for("(1 rows")
        type_in("SELECT val_eror FROM results;\r")
        shown = wait_for("do you mean val_error")
        assert "SELECT val_eror FROM results;\r\n       ^\r\n" in shown
        assert "Traceback" not in shown
        type_in("DELETE FROM run;\r")
        wait_for("only reads")
        type_in(ENDLESS + ";\r")
        wait_until_it_queries(process, filled)
        os.kill(process.pid, signal.SIGINT)
        wait_for("stopped: ")
        type_in("\\d plan\r")
        wait_for("a training seed of each of its subnetworks")
        type_in(".help\r")
        wait_for("opened read-only")
        # before the next prompt the terminal would keep the Ctrl-D for itself
        wait_for("sql>", after="opened read-only")
        type_in("\x04")
        assert process.wait(timeout=HANGS_S) == 0
    assert query(filled, "SELECT count(*) FROM run").rows[0][0] > 0
    history = tmp_path / "prunestats" / "sql_history"
    assert "+';' AS sign FROM results;" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


def test_the_shell_remembers_and_quits_by_name(sqlite_filled, tmp_path):
    (tmp_path / "prunestats").mkdir()
    (tmp_path / "prunestats" / "sql_history").write_text("\n# 2026-01-01\n+SELECT 40 + 2 AS x;\n")
    with shell(sqlite_filled, tmp_path) as (process, type_in, wait_for):
        wait_for("sql>")
        type_in("\x1b[A\r")
        assert "42" in wait_for("(1 rows")
        type_in(".quit\r")
        assert process.wait(timeout=HANGS_S) == 0


def test_ctrl_c_stops_a_query_outside_of_the_shell(filled):
    process = subprocess.Popen([*COMMAND, ENDLESS, "--db", filled], stderr=subprocess.PIPE, text=True)
    wait_until_it_queries(process, filled)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=HANGS_S)
    assert process.returncode == 130
    assert errors == "stopped: the query was stopped and nothing was changed\n"


def test_what_an_interrupted_command_leaves_is_said_by_kind():
    kept = {name: _kept([name, "--db", "results.db"]) for name in typer.main.get_command(app).commands}
    runs = {name for name, words in kept.items() if words.startswith("every run that had ended is stored")}
    queries = {name for name, words in kept.items() if words.startswith("the query was stopped")}
    assert (runs, queries) == ({"demo", "run", "search"}, {"sql"})
    assert kept.pop("latency").startswith("every latency that was measured is stored")
    assert {kept[name] for name in kept if name not in runs | queries} == {"nothing was left half-written"}
    assert _kept([]) == "nothing was left half-written"


def test_a_file_is_replaced_as_a_whole_and_a_device_is_written_to(tmp_path):
    (tmp_path / "rows.csv").write_text("older and longer than what replaces it\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "rows.csv")
    write_rows(("a",), [(1,)], "csv", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "rows.csv").read_text() == "a\n1\n"
    write_rows(("a",), [(1,)], "csv", Path(os.devnull))
    assert not Path(os.devnull).is_file()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.csv", "rows.csv"]
