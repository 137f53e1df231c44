"""The hash of a function's source follows what the function uses, and nothing else."""

import importlib
import sys

import pytest

from prunestats.runners.user_code.function_source import source_key

TASK = '''
import torch
import tools
from tools import flip as mirrored

SIZE = 8
UNUSED = 1
TABLE = {}
TABLE["a"] = 2

class Base:
    """A docstring."""
    def __len__(self):
        return SIZE

class Set(Base):
    def __getitem__(self, index):
        return tools.crop(index), mirrored(index), TABLE

def datasets():
    # a comment
    return Set(), Set()

def network():
    return 1

if __name__ == "__main__":
    print(datasets())
'''
TOOLS = """
def crop(x):
    return helper(x)

def helper(x):
    return x + 1

def flip(x):
    return -x

def other(x):
    return x
"""


@pytest.fixture
def key(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def compute(task=TASK, tools=TOOLS, name="task"):
        (tmp_path / f"{name}.py").write_text(task)
        (tmp_path / "tools.py").write_text(tools)
        for module in (name, "tools"):
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        importlib.import_module(name)
        try:
            return source_key(f"{name}:datasets")
        finally:
            for module in (name, "tools"):
                sys.modules.pop(module, None)

    return compute


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # a comment\n", ""),
        ('    """A docstring."""\n', ""),
        ("UNUSED = 1", "UNUSED = 2"),
        ("    return 1", "    return 2"),
        ("print(datasets())", "print(1)"),
    ],
)
def test_what_the_function_does_not_use_changes_nothing(key, old, new):
    assert old in TASK
    assert key(TASK.replace(old, new)) == key()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SIZE = 8", "SIZE = 9"),
        ('TABLE["a"] = 2', 'TABLE["a"] = 3'),
        ("return Set(), Set()", "return Set(), None"),
        ("tools.crop(index)", "index"),
    ],
)
def test_what_the_function_uses_changes_the_hash(key, old, new):
    assert old in TASK
    assert key(TASK.replace(old, new)) != key()


def test_functions_of_other_modules_are_followed(key):
    for old, new in (("x + 1", "x + 2"), ("-x", "2 * x")):
        assert key(tools=TOOLS.replace(old, new)) != key()
    assert key(tools=TOOLS.replace("def other(x):\n    return x", "")) == key()


def test_names_of_files_are_not_hashed(key):
    assert key(name="renamed") == key()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import tools\nfrom tools import flip as mirrored", "from tools import *\nmirrored = flip\nimport tools"),
        ("import tools\n", ""),
    ],
)
def test_star_imports_and_imports_in_functions_are_followed(key, old, new):
    task = TASK.replace(old, new)
    if "import tools\n" not in task:
        task = task.replace("return tools.crop", "import tools\n        return tools.crop")
    for changed in ("x + 1", "-x"):
        assert key(task, TOOLS.replace(changed, "x * 3")) != key(task)
