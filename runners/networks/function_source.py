"""Source of a function of the user's own: a hash of its syntax tree and of all that it calls in the user's modules."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from prunestats.runners.networks.sources import is_own, without_docstrings
from prunestats.runners.networks.user_networks import import_named


def function_source(name: str) -> str:
    """Hash of the source of a function and of what it calls, in the user's own modules.

    Parameters
    ----------
    name : str
        ``"module:function"``.

    Returns
    -------
    str
        Equal for equal syntax trees: comments, docstrings, layout and the names of modules do not change it. Functions,
        classes and assignments of the module's top level that are reached by name are followed, also into other
        modules of the user's; those of installed packages are not.

    Raises
    ------
    InputError
        If the function cannot be imported.
    """
    import_named(name, "function")
    trees = [ast.dump(without_docstrings(node)) for _, node in sorted(_reached(name), key=lambda found: found[0])]
    # sorted by content, as the names of modules must not matter
    return hashlib.sha256("\n".join(sorted(set(trees))).encode()).hexdigest()[:16]


def changed_since_import(name: str) -> str | None:
    """A function that a function reaches whose file was changed after this process had imported it, if there is one.

    What runs is then not what `function_source` describes. The code that is loaded is compared with the compiled file.
    """
    for place, _ in _reached(name):
        module, _, word = place.partition(":")
        loaded = getattr(_own_module(module), word, None)
        if loaded is None:
            continue
        compiled = dict(_codes(compile(_tree(sys.modules[module]), "", "exec")))
        for qualified, code in _loaded_codes(loaded, module):
            if qualified in compiled and not _same_code(code, compiled[qualified]):
                return f"{module}:{qualified}"
    return None


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)


def _loaded_codes(loaded: Any, module: str) -> Iterator[tuple[str, CodeType]]:
    """Code of a function, or of the methods of a class."""
    for found in [loaded, *vars(loaded).values()] if isinstance(loaded, type) else [loaded]:
        function = inspect.unwrap(getattr(found, "__func__", found))
        if isinstance(function, FunctionType) and function.__module__ == module:
            yield function.__code__.co_qualname, function.__code__


def _same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects do the same, wherever their lines are."""
    if (one.co_code, one.co_names, one.co_varnames) != (other.co_code, other.co_names, other.co_varnames):
        return False
    pairs = zip(one.co_consts, other.co_consts, strict=True) if len(one.co_consts) == len(other.co_consts) else ()
    same = [
        _same_code(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else repr(a) == repr(b)
        for a, b in pairs
    ]
    return len(same) == len(one.co_consts) and all(same)


def reads(name: str, attribute: str) -> bool:
    """Whether a function, or what it calls in the user's modules, reads an attribute of this name."""
    return any(
        isinstance(each, ast.Attribute) and each.attr == attribute
        for _, node in _reached(name)
        for each in ast.walk(node)
    )


def _reached(name: str) -> list[tuple[str, ast.AST]]:
    """Statements of the top level of the user's modules that a function reaches, with the names that they define."""
    module, _, attribute = name.partition(":")
    found: list[tuple[str, ast.AST]] = []
    todo, seen = [(module, attribute)], set[tuple[str, str]]()
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        for node in _definitions(*place):
            if isinstance(node, ast.Import | ast.ImportFrom):
                todo += _imports(node, *place)
            else:
                found.append((":".join(place), node))
                todo += [(place[0], word) for word in _names(node)]
                todo += [*_attributes(node, place[0]), *_inner_imports(node, place[0])]
    return found


def _definitions(module: str, name: str) -> list[ast.stmt]:
    """Statements at the top level of a module of the user's that define a name."""
    loaded = _own_module(module)
    return [] if loaded is None else [node for node in _top_level(_tree(loaded)) if name in _defined(node)]


def _own_module(name: str) -> ModuleType | None:
    module = sys.modules.get(name)
    if module is None:
        try:
            module = import_module(name)
        except ImportError:
            return None
    return module if is_own(module) else None


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def _top_level(tree: ast.AST) -> Iterator[ast.stmt]:
    """Statements of a module, those within conditions and `try` among them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While | ast.ExceptHandler):
            yield from _top_level(node)
        elif isinstance(node, ast.stmt):
            yield node


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _imports(node: ast.Import | ast.ImportFrom, module: str, name: str) -> list[tuple[str, str]]:
    """Where a name that a module imports from another is defined."""
    if isinstance(node, ast.Import):
        return []
    return [(_source_module(node, module), alias.name) for alias in node.names if (alias.asname or alias.name) == name]


def _inner_imports(node: ast.AST, module: str) -> list[tuple[str, str]]:
    """Where names are defined that are imported within a function."""
    inner = [each for each in ast.walk(node) if isinstance(each, ast.ImportFrom)]
    return [(_source_module(each, module), alias.name) for each in inner for alias in each.names]


def _source_module(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    loaded = sys.modules.get(module)
    package = getattr(loaded, "__package__", None) or module.rpartition(".")[0]
    return resolve_name("." * node.level + (node.module or ""), package)


def _attributes(node: ast.AST, module: str) -> list[tuple[str, str]]:
    """Where attributes of imported modules are defined, as `losses.dice` after `import losses`."""
    loaded = sys.modules.get(module)
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            owner = getattr(loaded, each.value.id, None)
            if isinstance(owner, ModuleType):
                found.append((owner.__name__, each.attr))
    return found
