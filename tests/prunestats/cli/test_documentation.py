"""The commands and snippets of the documentation run, and it names every command and public name."""

import contextlib
import pydoc
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import prunestats as ps
from prunestats.cli import app

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
DOCS = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_python_examples_run_on_the_demo(demo, environment, code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=demo[0].parent,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_sql_examples_run_on_the_demo(demo, prunestats):
    queries = re.findall(r'prunestats sql[^"`]*"([^"]+)"', README)
    assert queries
    for query in queries:
        assert prunestats("sql", query, "--db", demo[0] / "results.db", "-f", "csv").stdout.count("\n") > 1


def test_numbers_in_the_text_on_studies_are_those_of_their_summaries():
    folder = ROOT / "studies"
    found = "".join(path.read_text() for path in sorted(folder.glob("*.txt")))
    said = set(re.findall(r"-?\d+\.\d+|\d+ of \d+", (folder / "README.md").read_text()))
    assert {number for number in said if number not in found} == set()
    assert len(said) > 10


def test_every_command_is_documented():
    commands = typer.main.get_command(app).commands
    assert {name for name in commands if f"prunestats {name}" not in DOCS} == set()


def shell_commands():
    """Yield every `prunestats ...` of the blocks to type in, one line each."""
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", DOCS, flags=re.DOTALL):
        joined = re.sub(r"\\\n\s*", " ", block)
        for line in re.findall(r"^(?:\$ )?(prunestats (?:\"[^\"]*\"|[^\"\n])*)", joined, flags=re.MULTILINE):
            yield re.sub(r"\s+[#|].*", "", line) if '"' not in line else line


@pytest.mark.parametrize("line", sorted(set(shell_commands())))
def test_every_command_to_type_is_understood(line):
    """Its names, options and values; nothing is run."""
    _, *words = shlex.split(line)
    command = typer.main.get_command(app)
    with contextlib.suppress(typer.Exit):
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(line, words)


def test_every_public_name_is_documented_once():
    api = (ROOT / "docs" / "api.md").read_text()
    named = re.findall(r"auto(?:function|class):: (prunestats\.[\w.]+)", api)
    assert len(named) == len(set(named))
    assert [one for one in named if pydoc.locate(one) is None] == []
    rooms = {name: [one for one in named if one.rpartition(".")[2] == name] for name in ps.__all__}
    assert {name: found for name, found in rooms.items() if len(found) != 1} == {}
    assert all(getattr(ps, name).__doc__ for name in ps.__all__)


def test_files_that_decisions_name_are_there():
    text = "".join(path.read_text() for path in (ROOT / "docs" / "decisions").glob("*.md"))
    named = set(re.findall(r"`((?:prunestats|runners|tests|db|reports)/[\w/.-]+\.\w+)`", text))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert len(named) > 5


def test_importing_the_package_is_light():
    """`import prunestats` imports no heavy library."""
    code = "import sys, prunestats; print([m for m in ('torch', 'pandas', 'scipy', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
