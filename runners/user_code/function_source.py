"""Source of a function of the user's own, with all that it uses in the user's own modules."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from prunestats.errors import InputError
from prunestats.runners.user_code.own_modules import is_own_module, syntax_tree, without_docstrings


def source_key(name: str) -> str:
    """Hash of the source of a function and of what it uses in the user's own modules.

    Parameters
    ----------
    name : str
        ``"module:function"`` of a module that has been imported.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    InputError
        If the function is not in a file of the user's own.

    Notes
    -----
    Hashed are the syntax trees of the function, and of the functions, classes and variables at the top of the user's
    own modules whose names occur in it, and so on. Comments, docstrings, layout, and the names of modules and files do
    not change the hash; what installed packages do, and what is found by a name that is computed, is not followed.
    """
    trees = sorted(ast.dump(node) for node in _used(name))
    if not trees:
        raise InputError(
            f"{name} must be in a file of Python of your own, by whose source it is known; found none: give it a "
            "version"
        )
    # 64 bits, as keys of studies have
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()[:16]


@dataclass
class _Module:
    """Top-level statements of a module, by the names that they bind or change."""

    module: ModuleType
    statements: dict[str, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)


def _used(name: str) -> list[ast.AST]:
    start, _, attribute = name.partition(":")
    read: dict[str, _Module] = {}
    found: dict[int, ast.AST] = {}
    todo, seen = [(start, attribute)], set[tuple[str, str]]()
    while todo:
        place = todo.pop()
        module = sys.modules.get(place[0])
        if place in seen or module is None or not is_own_module(module):
            continue
        seen.add(place)
        if place[0] not in read:
            read[place[0]] = _read(module)
        known, bound = read[place[0]], place[1]
        if bound in known.imports:
            todo.append(_target(*known.imports[bound]))
        elif bound not in known.statements:
            todo += [(star, bound) for star in known.stars]
        for node in known.statements.get(bound, ()):
            found[id(node)] = node
            todo += _named_in(node, known)
    return [found[key] for key in sorted(found)]


def _read(module: ModuleType) -> _Module:
    read = _Module(module)
    for node in syntax_tree(module).body:
        for each in ast.walk(node):  # functions import, too
            if isinstance(each, ast.Import):
                for alias in each.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    read.imports[bound] = (alias.name if alias.asname else bound, None)
            elif isinstance(each, ast.ImportFrom):
                for alias in each.names:
                    read.imports[alias.asname or alias.name] = (_origin(module, each), alias.name)
                    read.stars += [_origin(module, each)] if alias.name == "*" else []
        if not isinstance(node, ast.Import | ast.ImportFrom) and not _is_main(node):
            for bound in _bound_by(node):
                read.statements[bound].append(without_docstrings(node))
    return read


def _origin(module: ModuleType, node: ast.ImportFrom) -> str:
    """Absolute name of the module from which an import statement takes names."""
    if node.level == 0:
        return node.module or ""
    package = (module.__package__ or "").split(".")
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _target(module: str, attribute: str | None) -> tuple[str, str]:
    """Module and name that an import binds; the name is empty where the module itself is bound."""
    if attribute is None:
        return module, ""
    inner = f"{module}.{attribute}"
    return (inner, "") if inner in sys.modules else (module, attribute)


def _is_main(node: ast.AST) -> bool:
    """Whether a statement is ``if __name__ == "__main__"``, which an import does not execute."""
    return isinstance(node, ast.If) and any(
        isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(node.test)
    )


def _bound_by(node: ast.AST) -> set[str]:
    """Names that a top-level statement binds, or whose object it changes, as ``table["a"] = 1`` does."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    bound = set()
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(each.name)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            bound.add(each.id)
        elif isinstance(each, ast.Attribute | ast.Subscript) and isinstance(each.ctx, ast.Store):
            bound |= _base(each)
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            bound |= _base(each.func) if isinstance(node, ast.Expr) else set()
    return bound


def _base(node: Any) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _named_in(node: ast.AST, known: _Module) -> Iterator[tuple[str, str]]:
    """Places of the names in a statement: of its own module, or of those that it imports."""
    own = known.module.__name__
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield own, each.id
        elif isinstance(each, ast.Attribute):
            yield from _attribute(each, known)


def _attribute(node: ast.Attribute, known: _Module) -> Iterator[tuple[str, str]]:
    """Place of a name of an imported module, as of ``tools.crop`` or ``package.tools.crop``."""
    parts, value = [node.attr], node.value
    while isinstance(value, ast.Attribute):
        parts.insert(0, value.attr)
        value = value.value
    if not isinstance(value, ast.Name) or value.id not in known.imports:
        return
    module, attribute = _target(*known.imports[value.id])
    path = [module, *([attribute] if attribute else []), *parts[:-1]]
    if ".".join(path) in sys.modules:
        yield ".".join(path), parts[-1]
