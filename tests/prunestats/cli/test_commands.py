import csv
import io
import json
import sqlite3

import pytest


def count(db, table):
    with sqlite3.connect(db) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_the_demo_leaves_a_database_a_report_and_figures(demo):
    folder, done = demo
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    assert list((folder / "figures").glob("*.png"))
    assert count(folder / "results.db", "run") == 2 * 3 * 2 * 4
    assert count(folder / "results.db", "original") == 2
    assert str(folder / "results.db") in done.stdout
    assert str(folder / "report.pdf") in done.stdout


def test_the_demo_prints_a_verdict_for_each_regime(demo):
    verdicts = [line for line in demo[1].stdout.splitlines() if "of the FLOPs, " in line]
    assert len(verdicts) == 3


def test_the_queries_it_suggests_run(demo, prunestats):
    lines = [line for line in demo[1].stdout.splitlines() if line.startswith("prunestats sql")]
    assert len(lines) == 3
    for line in lines:
        query = line.partition('"')[2].rstrip('"')
        answer = prunestats("sql", query, "--db", demo[0] / "results.db", "-f", "csv").stdout
        assert len(list(csv.DictReader(io.StringIO(answer)))) >= 2


def test_running_the_demo_again_adds_no_row(demo, prunestats):
    folder, _ = demo
    tables = ("study", "original", "subnetwork", "draw", "run", "epoch_metric", "population")
    before = [count(folder / "results.db", table) for table in tables]
    again = prunestats("demo", "--folder", folder, "--subnetworks", 4)
    assert "were stored already" in again.stdout
    assert [count(folder / "results.db", table) for table in tables] == before


def test_a_second_demo_holds_the_same_subnetworks_and_errors(demo, prunestats, tmp_path):
    """With another number of workers, too: none but this process."""
    query = "SELECT original, space, regime, draw, subnetwork, widths, seed, val_error, test_error, val_loss, test_loss"
    query += " FROM results ORDER BY 1, 2, 3, 4"
    prunestats("demo", "--folder", tmp_path, "--subnetworks", 4, "--workers", 0)
    first, second = (
        prunestats("sql", query, "--db", folder / "results.db", "-f", "csv").stdout for folder in (demo[0], tmp_path)
    )
    assert first == second
    assert len(first.splitlines()) == 49


def test_report_can_be_built_again(demo, prunestats, tmp_path):
    pdf = tmp_path / "again.pdf"
    done = prunestats("report", "--db", demo[0] / "results.db", "-o", pdf)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert str(pdf) in done.stdout


def test_status_counts_what_is_done(demo, prunestats):
    rows = json.loads(prunestats("status", "--db", demo[0] / "results.db", "-f", "json").stdout)
    assert len(rows) == 12
    assert {(row["drawn"], row["done"], row["failed"], row["missing"]) for row in rows} == {(4, 4, 0, 0)}
    assert "demo: all 48 runs are stored." in prunestats("status", "--db", demo[0] / "results.db").stdout


def test_sql_prints_tables_csv_and_json(demo, prunestats):
    query = "SELECT regime, count(*) AS n FROM results GROUP BY regime ORDER BY regime"
    db = demo[0] / "results.db"
    assert json.loads(prunestats("sql", query, "--db", db, "-f", "json").stdout)[0] == {"regime": 0.1, "n": 16}
    assert prunestats("sql", query, "--db", db, "-f", "csv").stdout.splitlines()[:2] == ["regime,n", "0.1,16"]
    assert "0.25" in prunestats("sql", query, "--db", db).stdout
    assert "results" in prunestats("sql", "--db", db).stdout


def test_sql_cannot_write(demo, prunestats):
    db = demo[0] / "results.db"
    before = count(db, "run")
    done = prunestats("sql", "DELETE FROM run", "--db", db, code=1)
    assert done.stderr.startswith("error: ")
    assert count(db, "run") == before


def test_init_sample_and_a_stop_after_some_runs(prunestats, tmp_path):
    prunestats("init", "mine.toml", cwd=tmp_path)
    rows = json.loads(prunestats("sample", "mine.toml", "-f", "json", cwd=tmp_path).stdout)
    assert len(rows) == 12
    assert all(row["subnetworks"] == 60 and 0 < row["acceptance"] < 1 for row in rows)
    assert not list(tmp_path.glob("*.db"))
    text = (tmp_path / "mine.toml").read_text().replace("epochs = 20", "epochs = 1")
    (tmp_path / "mine.toml").write_text(text)
    done = prunestats("run", "mine.toml", "--max-runs", 2, "--workers", 0, cwd=tmp_path)
    assert "718 are missing" in done.stdout
    assert "To resume: prunestats run mine.toml" in done.stdout
    assert "718 runs are missing" in prunestats("status", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("run", "absent.toml"), 2, "`prunestats init` writes one"),
        (("status", "--db", "absent.db"), 1, "absent.db"),
        (("report", "--db", "absent.db"), 1, "absent.db"),
        (("sampel",), 2, "Did you mean 'sample'"),
        (("run",), 2, "Missing argument 'study'"),
        (("run", "study.toml", "--wrokers", 2), 2, "`prunestats run --help` shows the usage"),
        (("run", "study.toml", "--scheduler", "tcp://127.0.0.1:9"), 2, "none answered"),
        (("init", "study.toml"), 2, "left as it is"),
    ],
)
def test_an_error_is_one_line(study, prunestats, arguments, code, complaint):
    done = prunestats(*arguments, cwd=study.parent, code=code)
    assert complaint in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("tolerance = 0.05", "tolerence = 0.05", "regimes.tolerence"),
        ("flops = [0.25]", "flops = [0.0001]", "below the smallest subnetwork"),
        ('network = "resnet_digits"', 'network = "resnet_digit"', "originals.0.network"),
        ('sampler = "independent"', 'sampler = "independant"', "spaces.0"),
        ("[regimes]", '[data]\nname = "cifar10"\nfolder = "nowhere"\n[regimes]', "data.folder"),
    ],
)
def test_a_wrong_study_is_refused_before_anything_is_stored(study, prunestats, old, new, complaint):
    study.write_text(study.read_text().replace(old, new))
    done = prunestats("run", study, "--db", study.parent / "x.db", code=2)
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (study.parent / "x.db").exists()


def test_another_study_of_the_same_name_is_refused(study, prunestats):
    db = study.parent / "x.db"
    prunestats("run", study, "--db", db, "--workers", 0, "--max-runs", 1)
    study.write_text(study.read_text().replace("seed = 7", "seed = 8"))
    done = prunestats("run", study, "--db", db, "--workers", 0, code=1)
    assert "'small'" in done.stderr
    assert count(db, "run") == 1


def test_a_run_that_diverges_is_stored_as_failed_and_the_study_goes_on(study, prunestats):
    db = study.parent / "x.db"
    study.write_text(study.read_text().replace("learning_rate = 0.02", "learning_rate = 1e12").replace("= 40", "= 3"))
    done = prunestats("run", study, "--db", db, "--workers", 0)
    assert "3 of them failed" in done.stdout
    answer = prunestats("sql", "SELECT DISTINCT state, failure FROM results", "--db", db, "-f", "csv").stdout
    assert "failed,DivergedError: training loss became" in answer
    assert "were stored already" in prunestats("run", study, "--db", db).stdout
