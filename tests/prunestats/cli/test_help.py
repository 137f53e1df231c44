"""The words of `prunestats --help`: every command, option and argument says what it is, in the terms of the field."""

import re

import pytest
import typer
from typer.testing import CliRunner

from prunestats.cli import app
from prunestats.cli.options import PANELS

# What the help texts once said, each with the term that says it to a stranger.
DIALECT = {
    r"laws?": "distribution",
    r"told (apart|from)": "significantly different, estimated from",
    r"outside": "external",
    r"draw it|draws?|drawn": "sample, save a figure",
    r"luck": "winner's curse, selection bias, noise of training seeds",
    r"whose errors": "split to analyse",
    r"silenc\w*": "mask",
    r"what chooses|chooses?": "selection",
    r"in so many": "1/eta",
    r"what it takes|the whole story|whatever": "say what it is",
}


def walk(command, path=()):
    """Yield every command of the application with the words that are typed for it."""
    yield " ".join(path), command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))
TEXTS = {
    (path, name): text
    for path, command in COMMANDS.items()
    for name, text in [("", command.help), *((one.name, getattr(one, "help", None)) for one in command.params)]
}


@pytest.mark.parametrize(("path", "name"), TEXTS)
def test_every_command_option_and_argument_has_a_help_text(path, name):
    text = TEXTS[path, name]
    assert text
    assert text[0].isupper() or text.startswith("ROLE=NAME")
    assert text.rstrip().endswith((".", "..."))


@pytest.mark.parametrize("words", DIALECT)
def test_no_help_text_uses_words_that_only_its_authors_know(words):
    """Values between backticks are what is typed or stored, not prose."""
    prose = {place: re.sub(r"`[^`]*`", "", text) for place, text in TEXTS.items()}
    found = {place for place, text in prose.items() if re.search(rf"\b({words})\b", text, re.IGNORECASE)}
    assert found == set(), f"write instead: {DIALECT[words]}"


def test_an_option_of_several_commands_is_said_in_the_same_words():
    """What means the same thing everywhere; other options share a name alone, as --seed of an analysis and of a run."""
    for name in ("db", "response", "level", "split", "bucket", "workers", "scheduler", "onnx", "plot", "figure"):
        said = {text for (path, option), text in TEXTS.items() if option == name and path != "import"}
        assert len(said) == 1, name


def test_commands_are_listed_in_panels_in_the_order_of_a_study():
    named = [name for names in PANELS.values() for name in names]
    root = typer.main.get_command(app)
    assert sorted(named) == sorted(root.commands)
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    titles = re.findall(r"^╭─ (\w[\w ]*\w) ─", shown, re.MULTILINE)
    assert titles == ["Options", *PANELS]
    listed = re.findall(r"^│ ([a-z][\w-]*) ", shown, re.MULTILINE)
    assert listed == named
