"""Queries of users: read-only, limited in rows and time, with errors that give the position."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from prunestats.db import query
from prunestats.errors import DatabaseError, InputError


def test_it_answers_with_columns_rows_and_whether_there_are_more(filled):
    columns, rows, truncated = query(filled, "SELECT seed, state FROM results ORDER BY run_id;", limit=3)
    assert (columns, len(rows), truncated) == (("seed", "state"), 3, True)
    assert query(filled, "SELECT 1 AS one", limit=1) == (("one",), [(1,)], False)
    assert len(query(filled, "SELECT * FROM results", limit=None).rows) == 96
    assert query(filled, "SELECT * FROM results WHERE 1 = 0").columns[0] == "study"
    assert query(filled, "WITH x AS (SELECT 1 AS a) SELECT a FROM x -- comment").rows == [(1,)]
    assert query(filled, "SELECT '%s %(a)s :b ? {}' AS text").rows == [("%s %(a)s :b ? {}",)]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM run",
        "UPDATE run SET val_error = 0",
        "INSERT INTO study (name, text, fingerprint, seed, created_at) VALUES ('a', '', '', 0, '2026-01-01')",
        "DROP TABLE run",
        "DROP VIEW results",
        "CREATE TABLE x (a integer)",
        "CREATE TEMP TABLE x (a integer)",
        "BEGIN",
        "COMMIT",
        "VACUUM",
        "ROLLBACK",
        "SAVEPOINT a",
        "BEGIN READ WRITE",
        "END",
        "SELECT 1; DELETE FROM run",
        "COMMIT; DELETE FROM run",
        "COMMIT; BEGIN READ WRITE; DELETE FROM run",
        "/* a */ DELETE FROM run -- SELECT",
        "EXPLAIN ANALYZE DELETE FROM run",
        "CREATE VIEW x AS SELECT 1",
        "CREATE INDEX x ON run (seed)",
        "ALTER TABLE run ADD COLUMN x integer",
        "REPLACE INTO protocol VALUES (1, 'a', 'a', '{}')",
        "INSERT INTO plan SELECT * FROM plan ON CONFLICT DO NOTHING",
        "WITH x AS (SELECT 1) DELETE FROM run",
    ],
)
def test_nothing_can_be_written(filled, sql):
    before = query(filled, "SELECT count(*) FROM run")
    with pytest.raises(DatabaseError) as caught:
        query(filled, sql)
    assert "\n" not in str(caught.value)
    assert query(filled, "SELECT count(*) FROM run") == before


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH DATABASE '{folder}/new.db' AS other",
        "ATTACH DATABASE ':memory:' AS other",
        "VACUUM INTO '{folder}/new.db'",
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 7",
        "SELECT load_extension('x')",
        "SELECT writefile('{folder}/new.db', 'x')",
        "REINDEX",
        "ANALYZE",
        "DETACH DATABASE main",
        "PRAGMA writable_schema = 1",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA optimize",
        "SELECT * FROM pragma_wal_checkpoint('TRUNCATE')",
        "CREATE VIRTUAL TABLE x USING fts5(a)",
        "CREATE TEMP TRIGGER x AFTER INSERT ON run BEGIN SELECT 1; END",
        "SELECT fts3_tokenizer('simple', x'00')",
        "UPDATE sqlite_master SET sql = ''",
    ],
)
def test_nothing_else_can_be_done_on_sqlite(tmp_path, sqlite_template, sql):
    with pytest.raises(DatabaseError):
        query(sqlite_template, sql.format(folder=tmp_path))
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (DELETE FROM run RETURNING 1) SELECT * FROM gone",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SET TRANSACTION READ WRITE",
        "DO $$ BEGIN DELETE FROM run; END $$",
        "DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM run; END $$",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "SELECT nextval('run_id_seq')",
        "SELECT setval('run_id_seq', 1)",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        "SELECT pg_reload_conf()",
        "SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/prunestats-was-here')",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT query_to_xml('DELETE FROM run', true, false, '')",
        "SELECT set_config('transaction_read_only', '0', true), query_to_xml('DELETE FROM run', true, false, '')",
        "COPY run TO '/tmp/prunestats-was-here'",
        "LOCK TABLE run",
        "NOTIFY x",
        "PREPARE x AS DELETE FROM run",
        "EXECUTE x",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "ROLLBACK; BEGIN READ WRITE; DELETE FROM run; COMMIT",
        "SELECT 1 INTO TEMP x",
        "SELECT 1 FOR UPDATE; DELETE FROM run",
        "SELECT * FROM run FOR UPDATE",
    ],
)
def test_nothing_else_can_be_done_on_postgresql(postgresql_template, sql):
    with pytest.raises(DatabaseError):
        query(postgresql_template, sql)
    assert not Path("/tmp/prunestats-was-here").exists()


def test_a_superuser_keeps_the_schema_of_their_name_and_loses_their_powers(postgresql_template):
    found = query(postgresql_template, "SELECT current_user, current_schemas(false)").rows
    assert found == [("pg_read_all_data", ["public"])]
    assert query(postgresql_template, "SELECT count(*) FROM results").rows == [(0,)]


def test_what_a_function_leaves_behind_is_undone_on_postgresql(postgresql_template):
    # before version 16, PostgreSQL lets a READ ONLY transaction make large objects
    with contextlib.suppress(DatabaseError):
        query(postgresql_template, "SELECT lo_create(0)")
    assert query(postgresql_template, "SELECT count(*) FROM pg_largeobject_metadata").rows == [(0,)]


def test_descriptions_are_allowed_on_sqlite(sqlite_template):
    assert query(sqlite_template, "PRAGMA table_info(run)").rows
    assert query(sqlite_template, "SELECT name FROM sqlite_master WHERE type = 'view'").rows
    assert query(sqlite_template, "EXPLAIN QUERY PLAN SELECT * FROM run").rows
    assert query(sqlite_template, "SELECT value FROM json_each('[3, 4]')").rows == [(3,), (4,)]


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def test_a_query_without_end_is_stopped(filled):
    # that it comes back at all shows it: the query has no end
    with pytest.raises(DatabaseError, match=r"expected an answer within 0.2 s"):
        query(filled, ENDLESS, timeout_s=0.2)


def test_a_value_without_end_is_refused_on_sqlite(sqlite_template):
    with pytest.raises(DatabaseError, match="too big"):
        query(sqlite_template, "SELECT zeroblob(1000000000)")


@pytest.mark.parametrize(
    ("sql", "place", "near"),
    [
        ("SELECT val_eror FROM results", "line 1, column 8", "val_error"),
        ("SELECT 'val_eror',\n  val_eror\nFROM results", "line 2, column 3", "val_error"),
        ("SELECT x.flop FROM results x", "line 1, column ", "flops"),
        ("SELECT *\nFROM resuls", "line 2, column 6", "results"),
        ("  SELECT *\n  FROM leaderbord", "line 2, column 8", "leaderboard"),
    ],
)
def test_a_wrong_name_is_answered_with_its_place_and_near_names(filled, sql, place, near):
    with pytest.raises(DatabaseError) as caught:
        query(filled, sql)
    assert place in str(caught.value)
    assert near in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT seed FORM results", "line 1, column "),
        ("SELEC 1", "line 1, column 1"),
        ("SELECT 'FORM', seed,\n FROM results", "line 2, column 2"),
        ("SELECT count(* FROM results", "line 1, column "),
        ("SELECT 1 +", "line 1, column "),
    ],
)
def test_wrong_syntax_is_answered_with_its_place(filled, sql, place):
    with pytest.raises(DatabaseError) as caught:
        query(filled, sql)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_mistakes_are_one_line(filled):
    for sql in ("SELECT nofunction(1)", "SELECT sum(seed), study FROM results GROUP BY 99", "SELECT (SELECT 1, 2)"):
        with pytest.raises(DatabaseError) as caught:
            query(filled, sql)
        assert "\n" not in str(caught.value)


def test_limits_that_are_none(filled):
    with pytest.raises(InputError, match="limit must be 1 or more"):
        query(filled, "SELECT 1", limit=0)
    with pytest.raises(InputError, match="above 0 seconds"):
        query(filled, "SELECT 1", timeout_s=0)
    for sql in ("", " ; "):
        with pytest.raises(DatabaseError, match="empty statement"):
            query(filled, sql)


def test_it_reads_while_another_process_writes(url, engine, fill):
    fill(engine, runs=2)
    if engine.dialect.name == "sqlite":
        writer = sqlite3.connect(url, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        assert query(url, "SELECT count(*) FROM run").rows == [(2,)]
        writer.close()
    assert query(url, "SELECT count(*) FROM run").rows == [(2,)]
