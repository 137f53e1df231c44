"""Opening: what is created, what is upgraded, and what is refused with which message."""

import gzip
import os
import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, select

from prunestats.db import load_results, open_database, query, read, study_status, write
from prunestats.db.connection.address import parse_address
from prunestats.db.connection.engine import make_engine
from prunestats.db.schema import tables as schema
from prunestats.db.schema.upgrade import _MIGRATIONS, schema_version
from prunestats.db.schema.views import VIEWS, create_views
from prunestats.errors import DatabaseError
from prunestats.metric import metric_of

SAVED = Path(__file__).parents[1] / "saved"


def refused(url, *, create=True, match):
    with pytest.raises(DatabaseError, match=match) as caught:
        open_database(url, create=create)
    assert "\n" not in str(caught.value)


def structure(engine):
    """Everything that a database says about its tables, in a form that can be compared."""
    found = inspect(engine)
    tables = {}
    for name in sorted(set(found.get_table_names()) - {schema.VERSION_TABLE}):
        columns = [
            (column["name"], repr(column["type"]), column["nullable"], column["default"], column.get("comment"))
            for column in found.get_columns(name)
        ]
        uniques = sorted((str(unique["name"]), unique["column_names"]) for unique in found.get_unique_constraints(name))
        checks = sorted((str(check["name"]), check["sqltext"]) for check in found.get_check_constraints(name))
        keys = sorted(repr(sorted(key.items(), key=str)) for key in found.get_foreign_keys(name))
        tables[name] = (
            columns,
            found.get_pk_constraint(name),
            uniques,
            checks,
            keys,
            found.get_table_comment(name)["text"] if engine.dialect.supports_comments else None,
        )
    return tables


def indices(engine):
    if engine.dialect.name == "postgresql":
        text = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '{}'"
    else:
        text = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name <> '{}'"
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(text.format(schema.VERSION_TABLE)).all()
    return sorted((table, name, definition) for table, name, definition in rows)


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection:sqlalchemy.exc.SAWarning")
def test_the_migrations_make_what_the_schema_says(kind, engine, request, tmp_path):
    if kind == "sqlite":
        other = make_engine(parse_address(tmp_path / "other.db"))
    else:
        other = make_engine(parse_address(request.getfixturevalue("server").new_database()))
    schema.metadata.create_all(other)
    assert structure(engine) == structure(other)
    assert indices(engine) == indices(other)
    other.dispose()


def test_tables_without_row_numbers_are_so_in_both(tmp_path, sqlite_template):
    other = make_engine(parse_address(tmp_path / "other.db"))
    schema.metadata.create_all(other)
    other.dispose()
    text = "SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%' ORDER BY name"
    assert query(sqlite_template, text).rows == [("draw",), ("epoch_metric",), ("plan",)]
    with sqlite3.connect(tmp_path / "other.db") as connection:
        assert connection.execute(text).fetchall() == [("draw",), ("epoch_metric",), ("plan",)]
    connection.close()


def test_every_table_and_column_has_a_comment():
    for table in schema.metadata.sorted_tables:
        assert table.comment
        assert all(column.comment for column in table.columns), table.name


def test_the_version_is_that_of_the_last_migration():
    assert int(ScriptDirectory(str(_MIGRATIONS)).get_current_head() or 0) == schema.SCHEMA_VERSION


def test_opening_again_changes_nothing(empty_url):
    open_database(empty_url).dispose()
    engine = open_database(empty_url, create=False)
    with read(engine) as connection:
        assert schema_version(connection) == schema.SCHEMA_VERSION
        assert set(VIEWS) <= set(inspect(connection).get_view_names())
    engine.dispose()


def test_sqlite_is_opened_by_the_recipe(tmp_path):
    engine = open_database(tmp_path / "results.db")
    with write(engine) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout", "application_id")
        }
        assert connection.connection.dbapi_connection.isolation_level is None
        # only a transaction that began immediate holds the lock before it writes
        second = sqlite3.connect(tmp_path / "results.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("BEGIN IMMEDIATE")
        second.close()
    engine.dispose()
    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": 30_000}
    assert pragmas == {**expected, "application_id": schema.APPLICATION_ID}


@pytest.mark.parametrize("path", ["results.db", "a name with spaces & ?#%41.db", "данные.db", "it's.db"])
def test_any_file_name_works(tmp_path, fill, path):
    engine = open_database(tmp_path / path)
    fill(engine)
    engine.dispose()
    assert sorted(file.name for file in tmp_path.iterdir()) == [path]
    assert len(load_results(tmp_path / path)) > 0
    assert query(tmp_path / path, "SELECT count(*) FROM study").rows == [(1,)]


def test_a_url_and_a_path_name_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_database("sqlite:///results.db").dispose()
    open_database(f"sqlite:///{tmp_path}/results.db", create=False).dispose()
    open_database(Path("results.db"), create=False).dispose()
    assert (tmp_path / "results.db").exists()


def test_the_standard_library_opens_it(tmp_path, fill):
    engine = open_database(tmp_path / "results.db")
    fill(engine)
    with sqlite3.connect(tmp_path / "results.db") as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM results").fetchall()
    connection.close()
    engine.dispose()
    assert len(rows) == 48
    assert {type(value) for row in rows for value in row} <= {str, int, float, type(None)}
    assert rows[0]["widths"].startswith("[")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to be mistaken for one\n" * 9)
    refused(tmp_path / "text.db", match="another kind of file")
    (tmp_path / "short.db").write_bytes(b"SQLite format 3\0" + b"\0" * 9)
    refused(tmp_path / "short.db", match="restore a backup")
    refused(tmp_path, match="found the folder")
    refused(tmp_path / "nowhere" / "results.db", match=r"found no folder .*nowhere': make it")
    refused(tmp_path / "none.db", create=False, match="found no such file")
    (tmp_path / "empty.db").touch()
    refused(tmp_path / "empty.db", create=False, match="found an empty file")
    open_database(tmp_path / "empty.db").dispose()


def test_a_truncated_database_is_refused(tmp_path, sqlite_template):
    whole = sqlite_template.read_bytes()
    for size in (60, 4096, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.db").write_bytes(whole[:size])
        refused(tmp_path / "cut.db", match="restore a backup")
        with pytest.raises(DatabaseError, match="restore a backup"):
            load_results(tmp_path / "cut.db")


def test_a_damaged_database_is_one_line(tmp_path, sqlite_template):
    damaged = bytearray(sqlite_template.read_bytes())
    damaged[100:8192] = b"\xff" * 8092
    (tmp_path / "damaged.db").write_bytes(damaged)
    refused(tmp_path / "damaged.db", match="damaged: restore a backup")
    with pytest.raises(DatabaseError, match="malformed"):
        query(tmp_path / "damaged.db", "SELECT 1 FROM run")


def test_files_of_other_applications_are_refused(tmp_path):
    for name, setting in (("marked.db", "PRAGMA application_id = 7"), ("tables.db", "CREATE TABLE run (a)")):
        with sqlite3.connect(tmp_path / name) as connection:
            connection.execute(setting)
            connection.execute("CREATE TABLE notes (a)")
        connection.close()
        before = (tmp_path / name).read_bytes()
        refused(tmp_path / name, match="of another application")
        with pytest.raises(DatabaseError, match="of another application"):
            load_results(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_tables_of_our_names_are_refused_and_others_left_alone_on_postgresql(server):
    taken, shared = server.new_database(), server.new_database()
    for url, name in ((taken, "run"), (shared, "notes")):
        other = create_engine(url)
        with other.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE {name} (a integer)")
        other.dispose()
    refused(taken, match="of another application")
    engine = open_database(shared)
    with read(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM notes").scalar() == 0
    engine.dispose()


def test_a_newer_database_is_refused(url, engine):
    with write(engine) as connection:
        connection.exec_driver_sql(f"UPDATE {schema.VERSION_TABLE} SET version_num = '0999'")
    engine.dispose()
    refused(url, match="found 999 .*upgrade prunestats")
    with pytest.raises(DatabaseError, match="upgrade prunestats"):
        load_results(url)


def test_an_empty_database_is_refused_unless_it_is_to_be_created(server):
    refused(server.new_database(), create=False, match="empty: run a study first")


@pytest.mark.parametrize(
    ("url", "finding"),
    [
        ("mysql://host/x", "found mysql://"),
        ("sqlite://", "in memory"),
        (":memory:", "':memory:'"),
        ("", "''"),
        ("postgresql://nobody:secret@127.0.0.1:1/none", "is the server running"),
        ("postgresql://nobody@/none?host=/nowhere", "is the server running"),
        ("a\0b.db", "expected a database file"),
    ],
)
def test_urls_that_cannot_be_opened(url, finding):
    refused(url, match=finding)
    with pytest.raises(DatabaseError) as caught:
        query(url, "SELECT 1")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_read_only_folder_is_one_line(tmp_path, monkeypatch):
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    else:
        tmp_path.chmod(0o500)
    refused(tmp_path / "results.db", match="found its folder read-only")


def test_a_database_in_a_read_only_folder_can_be_read(tmp_path, monkeypatch, fill):
    engine = open_database(tmp_path / "results.db")
    fill(engine)
    engine.dispose()
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    else:
        tmp_path.chmod(0o500)
    assert len(load_results(tmp_path / "results.db")) > 0
    assert query(tmp_path / "results.db", "SELECT count(*) FROM study").rows == [(1,)]


@pytest.mark.parametrize("saved", sorted(SAVED.glob("*.db.gz")), ids=lambda path: path.name)
def test_saved_databases_of_every_version_open(tmp_path, saved):
    path = tmp_path / "results.db"
    path.write_bytes(gzip.decompress(saved.read_bytes()))
    engine = open_database(path, create=False)
    frame = load_results(engine, state=None, bucket=100)
    assert frame["subnetwork"].tolist() == ["s1", "s1", "s2"]
    assert frame["widths"].tolist() == [(2, 8), (2, 8), (4, 4)]
    metric, (first, last) = ("miou", (0.5, 0.8)) if saved.name >= "v5.db.gz" else ("error", (0.1, 0.2))
    assert metric_of(frame).name == metric
    assert frame[metric].tolist() == pytest.approx([first, float("nan"), last], nan_ok=True)
    assert frame["buckets"].tolist() == [2, 2, 2]
    measured = float("nan") if saved.name == "v1.db.gz" else 1.25
    assert frame["speedup_1"].tolist() == pytest.approx([measured, float("nan"), measured], nan_ok=True)
    proxy = 0.75 if saved.name >= "v3.db.gz" else float("nan")
    assert frame["pruned_val_error"].tolist() == pytest.approx([proxy, float("nan"), proxy], nan_ok=True)
    with read(engine) as connection:
        status = study_status(connection, "saved")[0]
        assert (status.done, status.failed, status.missing) == (2, 1, 1)
        assert connection.scalar(select(schema.epoch_metric.c.val_loss).where(schema.epoch_metric.c.epoch == 0)) == 3.0
    engine.dispose()


def test_there_is_a_saved_database_of_every_version():
    names = {path.name for path in SAVED.glob("*.db.gz")}
    assert names == {f"v{version}.db.gz" for version in range(1, schema.SCHEMA_VERSION + 1)}


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty_url, monkeypatch):
    def broken(connection):
        create_views(connection)
        raise ZeroDivisionError

    monkeypatch.setattr("prunestats.db.schema.upgrade.create_views", broken)
    with pytest.raises(ZeroDivisionError):
        open_database(empty_url)
    monkeypatch.undo()
    engine = make_engine(parse_address(empty_url))
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    open_database(empty_url).dispose()
