"""Import, export and maintenance of the database, from the command line."""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from prunestats.cli import app
from prunestats.db.exchange.column_roles import ROLES
from prunestats.errors import PrunestatsError

PAGE = Path(__file__).parents[3] / "docs" / "importing.md"
ROWS = "arch,acc,macs,weights\n" + "".join(f"a{k},{90 + k / 10},{100 + k},{10 + k % 3}\n" for k in range(20))
OPTIONS = [
    "--column",
    "subnetwork=arch",
    "--column",
    "accuracy=acc",
    "--column",
    "flops=macs",
    "--column",
    "params=weights",
]
OPTIONS += [
    "--split",
    "validation",
    "--error-unit",
    "percent",
    "--flops-convention",
    "multiply-adds",
    "--original",
    "net",
]


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """Run a command in this process, in a folder of its own: a process takes a second to start."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, code: int = 0):
        done = CliRunner().invoke(app, list(map(str, arguments)))
        if isinstance(done.exception, PrunestatsError):
            assert code, done.exception
            return str(done.exception)
        assert done.exit_code == code, done.output
        return done

    return call


@pytest.fixture
def table(tmp_path):
    (tmp_path / "table.csv").write_text(ROWS)
    return tmp_path / "table.csv"


def test_import_prints_how_it_reads_the_table_then_stores_it_once(typed, table, tmp_path):
    db = tmp_path / "results.db"
    dry = typed("import", table, *OPTIONS, "--db", db, "--dry-run").stdout
    for told in ("accuracy: 'acc' (percent, stored as val_error)", "flops: 'macs' (counts, multiply-adds)"):
        assert told in dry
    assert "20 runs of 20 subnetworks, 1 seeds from 0 to 0" in dry
    assert "val_error from 0.081 to 0.1" in dry
    assert "A dry run: nothing was stored; there would be 20 new runs" in dry
    assert not db.exists()
    assert "Stored 20 new runs and 20 new subnetworks" in typed("import", table, *OPTIONS, "--db", db).stdout
    assert "All runs were stored already: 0 new runs" in typed("import", table, *OPTIONS, "--db", db).stdout


def test_bad_rows_are_refused_shown_and_skipped_on_request(typed, table, tmp_path):
    db = tmp_path / "results.db"
    table.write_text(ROWS + "b1,,100,10\nb2,930,100,10\nb3,n/a,100,10\n")
    refused = typed("import", table, *OPTIONS, "--db", db, code=2)
    assert len(refused.splitlines()) == 1
    assert "found 3 that cannot" in refused
    dry = typed("import", table, *OPTIONS, "--db", db, "--dry-run", code=1).stdout
    assert "row 21: an error for every completed run; found none" in dry
    assert "row 22: accuracy between 0 and 100; found 930" in dry
    assert "row 23: a number for accuracy; found 'n/a'" in dry
    assert "nothing would be" in dry
    kept = typed("import", table, *OPTIONS, "--db", db, "--skip-bad").stdout
    assert "3 rows or runs cannot be stored: 1 × " in kept
    assert "Stored 20 new runs" in kept


def test_widths_are_given_as_digits(typed, tmp_path):
    (tmp_path / "t.csv").write_text("arch,flops,params,val_error\n12,600,60,0.2\n22,900,90,0.1\n")
    options = ["--original", "net", "--flops-convention", "multiply-adds", "--widths-digits", "arch"]
    said = typed(
        "import", "t.csv", *options, "--digit-widths", "1=0.5, 2=1", "--original-widths", "8, 16", "--db", "r.db"
    ).stdout
    assert "  subnetwork: 'arch'\n  widths: 'arch' (digits: 1 = 1/2, 2 = 1 of 8, 16 filters)\n" in said
    found = typed("sql", "SELECT widths FROM subnetwork ORDER BY key", "--db", "r.db", "-f", "csv").stdout
    assert found.splitlines()[1:] == ['"[4,16]"', '"[8,16]"']
    for wrong, complaint in (
        (["--digit-widths", "1"], "expected DIGIT=WIDTH, separated by commas; found '1'"),
        (["--digit-widths", "1=1,1=2"], "expected each digit once in --digit-widths; found '1=1,1=2'"),
        (["--digit-widths", "1=1,2=1", "--original-widths", "8,x"], "separated by commas; found '8,x'"),
    ):
        assert complaint in typed("import", "t.csv", *options, *wrong, "--db", "r.db", code=2)


def test_a_refusal_is_one_line_of_the_program(prunestats, table, tmp_path):
    done = prunestats("import", table, "--column", "subnetwrk=arch", "--db", tmp_path / "results.db", code=2)
    assert done.stderr == "error: expected a role of a column; found 'subnetwrk': do you mean subnetwork?\n"


def test_an_export_is_imported_without_options(typed, demo, tmp_path):
    db, first, second = demo[0] / "results.db", tmp_path / "first.csv", tmp_path / "second.csv"
    assert "48 results in" in typed("export", first, "--db", db).stdout
    assert "Stored 48 new runs" in typed("import", first, "--db", tmp_path / "copy.db").stdout
    typed("export", second, "--db", tmp_path / "copy.db")
    assert first.read_bytes() == second.read_bytes()
    assert "24 results" in typed("export", first, "--db", db, "--space", "initial", "--state", "done").stdout


def test_commands_that_maintain_the_database(typed, demo, tmp_path):
    db = demo[0] / "results.db"
    assert "nothing to do" in typed("db", "upgrade", "--db", db).stdout
    assert "no damage, no orphans, no impossible values" in typed("db", "check", "--db", db).stdout
    assert "bytes, checked" in typed("db", "backup", tmp_path / "copy.db", "--db", db).stdout
    assert "after" in typed("db", "vacuum", "--db", tmp_path / "copy.db").stdout
    assert "### run" in typed("db", "schema").stdout
    merged = typed("db", "merge", db, "--db", tmp_path / "copy.db").stdout
    assert "nothing was added" in merged
    assert "48 rows of run" in typed("db", "merge", db, "--db", tmp_path / "new.db").stdout
    assert "exists already" in typed("db", "backup", tmp_path / "copy.db", "--db", db, code=2)


def test_findings_and_conflicts_set_the_exit_code(typed, table, tmp_path):
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    typed("import", table, *OPTIONS, "--db", one)
    table.write_text(ROWS.replace("a3,90.3", "a3,91.7"))
    typed("import", table, *OPTIONS, "--db", two)
    done = typed("db", "merge", two, "--db", one, code=1)
    assert "conflict: run of subnetwork 'a3', protocol 'outside', seed 0: val_error is" in done.stderr
    assert "1 in all" in done.stderr
    with sqlite3.connect(two) as connection:
        connection.execute("DELETE FROM subnetwork WHERE id = 1")
    connection.close()
    assert "orphans: 1 rows of draw" in typed("db", "check", "--db", two, code=1).stdout


def test_a_report_is_rebuilt_from_its_row(typed, demo, tmp_path):
    db = demo[0] / "results.db"
    rows = json.loads(typed("analyses", "--db", db, "-f", "json").stdout)
    row = next(row for row in rows if row["kind"] == "report")
    assert (row["rows"], row["parameters"]) == (48, '{"bucket":1,"seed":0}')
    assert re.fullmatch("[0-9a-f]{8}", row["hash"])
    pdf = tmp_path / "again.pdf"
    done = typed("report", "--db", db, "--analysis", row["id"], "-o", pdf)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert done.stderr == ""
    assert len(json.loads(typed("analyses", "--db", db, "-f", "json").stdout)) == len(rows)
    assert "--analysis alone" in typed("report", "--db", db, "--analysis", 1, "--bucket", 2, code=2)


def test_the_page_on_importing_runs(typed, tmp_path):
    """Files are written as the page shows them, commands are run, and their output is that of the page."""
    text = PAGE.read_text()
    for name, content in re.findall(r"`([\w.]+)`:\n\n```(?:json|text)\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).write_text(content)
    commands = re.findall(r"```console\n\$ ((?:.*\\\n)*.*)\n((?:(?!```).*\n)*)```", text)
    assert len(commands) == text.count("```console") == 6
    for command, expected in commands:
        name, *arguments = shlex.split(command.replace("\\\n", " "))
        assert name == "prunestats"
        assert typed(*arguments).stdout == expected
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code + "print(len(frame))"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("9\n", "")


def test_the_page_on_importing_lists_the_roles():
    listed = re.findall(r"\| `(\w+)` \| (.*) \|", PAGE.read_text().split("## Roles")[1])
    assert dict(listed) == ROLES


def test_every_command_of_db_is_documented():
    page = (PAGE.parent / "database.md").read_text()
    names = typer.main.get_command(app).commands["db"].commands
    assert len(names) == 6
    assert [name for name in names if f"`prunestats db {name}" not in page] == []


def test_any_metric_is_imported_and_exported(typed, tmp_path):
    rows = "model,params,ppl\n" + "".join(f"m{k},{10**6 + k},{9 - k / 10}\n" for k in range(20))
    (tmp_path / "t.csv").write_text(rows)
    options = ["--metric", "perplexity", "--column", "perplexity=ppl", "--column", "subnetwork=model"]
    told = typed("import", "t.csv", *options, "--direction", "minimize", "--unit", "", "--db", "r.db").stdout
    for line in (
        "  perplexity: 'ppl' (no unit, stored as test_metric)",
        "  lower values of perplexity are better",
        "  split of perplexity: test, as none is given (change: --split)",
        "  the original has the name of the file, as none is given (change: --original)",
        "  no FLOPs: there are no regimes, and the budget of `prunestats best` is --params or --speedup",
        "  study 't', 't', space 'outside': 20 subnetworks",
        "  test_perplexity from 7.1 to 9",
        "Stored 20 new runs and 20 new subnetworks",
    ):
        assert line in told.splitlines()
    known = typed("import", "t.csv", *options, "--split", "test", "--original", "t", "--db", "r.db").stdout
    assert "  lower values of perplexity are better, as is usual for its name (change: --direction)" in known
    assert "All runs were stored already" in known
    typed("export", "one.csv", "--db", "r.db")
    assert "test_perplexity from 7.1 to 9" in typed("import", "one.csv", "--db", "copy.db").stdout
    typed("export", "two.csv", "--db", "copy.db")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert (
        "space 'outside', regime none, original 't'" in typed("remove", "--study", "t", "--db", "r.db", "--yes").stdout
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--metric", "ppl"], "expected the direction of ppl, minimize or maximize; found none"),
        (["--metric", "perplexity", "--range", "1"], "expected --range LOW:HIGH, two numbers; found '1'"),
        (["--metric", "perplexity", "--range", "a:b"], "expected --range LOW:HIGH, two numbers; found 'a:b'"),
        (["--metric", "perplexity", "--range", "1:8"], "found 10 that cannot"),
        (["--metric", "perplexity", "--range", ":nan"], "expected numbers as the range of perplexity; found nan"),
    ],
)
def test_options_on_a_metric_that_contradict_are_one_line(typed, tmp_path, options, complaint):
    rows = "model,params,ppl\n" + "".join(f"m{k},{10**6 + k},{9 - k / 10}\n" for k in range(19))
    (tmp_path / "t.csv").write_text(rows)
    columns = ["--column", f"{options[1]}=ppl", "--column", "subnetwork=model"]
    refused = typed("import", "t.csv", *options, *columns, "--db", "r.db", code=2)
    assert complaint in refused
    assert len(refused.splitlines()) == 1
