"""Functions of the user's own are known by the syntax trees of what they reach in the user's modules."""

import importlib
import sys

import pytest

from prunestats.errors import InputError
from prunestats.runners.networks.function_source import changed_since_import, function_source, reads

PLAIN = """
import helpers
from helpers import RATE as rate

SCALE = 2


def unused():
    return 7


def train(network, context):
    return helpers.loss(network) * rate * SCALE
"""
HELPERS = """
RATE = 0.1


class Loss:
    def value(self):
        return 3


def loss(network):
    return Loss().value()
"""


@pytest.fixture
def source(module):
    def of(plain=PLAIN, helpers=HELPERS, name="plain"):
        module(helpers, "helpers")
        module(plain, name)
        return function_source(f"{name}:train")

    return of


@pytest.mark.parametrize(
    ("plain", "helpers"),
    [
        (PLAIN.replace("return 7", "return 8"), HELPERS),
        (PLAIN.replace("SCALE = 2\n", "SCALE = 2  # twice\n\n\n"), HELPERS),
        (PLAIN.replace("context):\n", 'context):\n    """Train."""\n'), HELPERS),
        (PLAIN, HELPERS + "\n\nOTHER = 5\n"),
    ],
    ids=["a function that is not reached", "comments and lines", "a docstring", "a constant that is not reached"],
)
def test_what_changes_nothing_is_the_same(source, plain, helpers):
    assert source(plain, helpers) == source()


@pytest.mark.parametrize(
    ("plain", "helpers"),
    [
        (PLAIN.replace("* SCALE", "/ SCALE"), HELPERS),
        (PLAIN.replace("SCALE = 2", "SCALE = 3"), HELPERS),
        (PLAIN, HELPERS.replace("RATE = 0.1", "RATE = 0.2")),
        (PLAIN, HELPERS.replace("return 3", "return 4")),
        (PLAIN, HELPERS.replace("Loss().value()", "Loss().value() + 1")),
    ],
    ids=["the function", "a constant", "an imported constant", "a method it reaches", "a function of another module"],
)
def test_what_it_reaches_changes_it(source, plain, helpers):
    assert source(plain, helpers) != source()


def test_the_name_of_its_module_does_not_matter(source):
    assert source(name="renamed") == source()


def test_imports_within_the_function_are_followed(source):
    inner = "def train(network, context):\n    from helpers import loss\n    return loss(network)\n"
    assert source(inner) != source(inner, HELPERS.replace("return 3", "return 4"))


def test_a_function_that_was_changed_after_its_import_is_found(module, tmp_path):
    module(HELPERS, "helpers")
    module(PLAIN, "plain")
    function_source("plain:train")
    assert changed_since_import("plain:train") is None
    (tmp_path / "helpers.py").write_text("# moved down\n\n" + HELPERS)
    assert changed_since_import("plain:train") is None
    (tmp_path / "helpers.py").write_text(HELPERS.replace("return 3", "return 4"))
    assert changed_since_import("plain:train") == "helpers:Loss.value"
    importlib.reload(sys.modules["helpers"])
    assert changed_since_import("plain:train") is None


def test_whether_a_trial_is_short_is_read_from_the_source(module):
    module("def short(network, context):\n    return context.trial\n\n\ndef long(network, context):\n    pass\n")
    assert reads("task:short", "trial")
    assert not reads("task:long", "trial")


@pytest.mark.parametrize("name", ["nowhere:train", "task:trian", "task.train"])
def test_what_cannot_be_imported_is_refused_in_one_line(module, name):
    module("def train(network, context):\n    pass\n")
    with pytest.raises(InputError, match="function") as caught:
        function_source(name)
    assert "\n" not in str(caught.value)
