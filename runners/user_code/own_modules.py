"""Which modules are the user's own, and their syntax trees."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path
from types import ModuleType

# Folders of the standard library and of installed packages: what lies there is not the user's own.
_INSTALLED = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")})


def is_own_module(module: ModuleType) -> bool:
    """Whether a module is a file of Python that is neither installed nor part of this package."""
    file = getattr(module, "__file__", None)
    if not file or not str(file).endswith(".py") or module.__name__.partition(".")[0] == "prunestats":
        return False
    path = Path(file).resolve()
    return path.is_file() and not any(path.is_relative_to(folder) for folder in _INSTALLED)


def syntax_tree(module: ModuleType) -> ast.Module:
    """Syntax tree of a module's file."""
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def without_docstrings(node: ast.AST) -> ast.AST:
    """A node of a syntax tree, changed in place: functions and classes lose their docstrings."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(each):
            each.body = each.body[1:] or [ast.Pass()]
    return node
