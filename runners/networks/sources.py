"""Layers and source of a network, which explain why two fingerprints differ."""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from torch import nn

# Folders of the standard library and of installed packages: what lies there is not the user's own.
_INSTALLED = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")})


def layers(network: nn.Module) -> list[str]:
    """Every module without submodules, with its name and hyperparameters, in order."""
    return [
        f"{name}: {type(module).__name__}({module.extra_repr()})"
        for name, module in network.named_modules()
        if not any(True for _ in module.children())
    ]


def definitions(built_as: str, network: nn.Module) -> dict[str, str]:
    """Hash of the syntax tree of each class, function and other statement of the user's modules that a network uses.

    Modules of its builder (`built_as`, "module:name") and classes, and those which these import, unless they are
    installed. Comments, docstrings and
    layout do not change a syntax tree's hash.
    """
    found: dict[str, str] = {}
    for module in _own_modules(built_as.partition(":")[0], network):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                continue
            name = getattr(node, "name", "statements outside of functions and classes")
            key = f"{module.__name__}: {name}"
            content = found.get(key, "") + ast.dump(without_docstrings(node))
            found[key] = hashlib.sha256(content.encode()).hexdigest()[:16]
    return found


def _own_modules(builder: str, network: nn.Module) -> list[ModuleType]:
    names = {builder} | {base.__module__ for part in network.modules() for base in type(part).__mro__}
    todo, found = sorted(names), {}
    while todo:
        module = sys.modules.get(todo.pop())
        if module is None or module.__name__ in found or not is_own(module):
            continue
        found[module.__name__] = module
        todo += _imported_by(module)
    return [found[name] for name in sorted(found)]


def _imported_by(module: ModuleType) -> Iterator[str]:
    for value in vars(module).values():
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def is_own(module: ModuleType) -> bool:
    """Whether a module is the user's: a file outside of the standard library, installed packages and this one."""
    file = getattr(module, "__file__", None)
    if not file or not str(file).endswith(".py") or module.__name__.partition(".")[0] == "prunestats":
        return False
    path = Path(file).resolve()
    return path.is_file() and not any(path.is_relative_to(folder) for folder in _INSTALLED)


def without_docstrings(node: ast.AST) -> ast.AST:
    """A syntax tree without docstrings, changed in place."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(each):
            each.body = each.body[1:] or [ast.Pass()]
    return node
