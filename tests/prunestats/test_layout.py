"""The layout: packages are listed and explained, tests mirror them, names mean one thing, dependencies are used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import prunestats

ROOT = Path(__file__).parents[2]
TOPS = {"prunestats": ROOT / "prunestats", **{f"prunestats.{top}": ROOT / top for top in ("db", "reports", "runners")}}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Declared, and imported nowhere by name: each with its reason.
NOT_IMPORTED = {
    "adbc-driver-postgresql": "db/reading/fetch_arrow.py imports the driver by the database's name",
    "adbc-driver-sqlite": "db/reading/fetch_arrow.py imports the driver by the database's name",
    "onnx": "torch.onnx.export writes with it",
    "onnxscript": "torch.onnx.export imports it",
    "tbb": "workers load its library by path",
}


def packages() -> dict[str, Path]:
    """Every package of the tree, by name. The inner symlinks show some folders twice."""
    found = {}
    for top, folder in TOPS.items():
        for init in folder.rglob("__init__.py"):
            parts = init.parent.relative_to(folder).parts
            if folder.name != "prunestats" or not parts or parts[0] not in ("db", "reports", "runners"):
                found[".".join([top, *parts])] = init.parent
    return found


PACKAGES = packages()


def test_the_list_of_packages_is_the_tree():
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(PACKAGES)


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_package_says_what_belongs_in_it(name):
    assert ast.get_docstring(ast.parse((PACKAGES[name] / "__init__.py").read_text()))


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_no_public_name_is_a_module_too(name):
    modules = {path.stem for path in PACKAGES[name].iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(getattr(import_module(name), "__all__", ()))


def test_public_names_are_what_their_packages_hold():
    for name, home in prunestats._HOME.items():
        assert getattr(prunestats, name) is getattr(import_module(f"prunestats.{home}"), name)


def test_folders_of_tests_are_folders_of_the_package():
    allowed = {ROOT / "tests" / place for place in ("prunestats/golden", "db/saved")}
    for folder in {path.parent for path in (ROOT / "tests").rglob("*.py")} - {ROOT / "tests", *allowed}:
        assert (ROOT / folder.relative_to(ROOT / "tests") / "__init__.py").exists(), folder


def imported() -> set[str]:
    """The distributions that the package imports, by the names on the package index."""
    names = set()
    for folder in PACKAGES.values():
        for path in folder.glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.partition(".")[0])
    others = names - sys.stdlib_module_names - {"prunestats", "torchvision", "timm"}
    return {_plain(packages_distributions()[name][0]) for name in others}


def declared(*extras: str) -> set[str]:
    optional = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in optional[extra])]
    return {_plain(re.match(r"[\w.-]+", line)[0]) for line in lines}


EXTRAS = [extra for extra in PROJECT["project"]["optional-dependencies"] if extra != "dev"]


def test_every_declared_dependency_is_imported_or_has_a_reason():
    unused = declared(*EXTRAS) - imported()
    assert unused == set(NOT_IMPORTED)


def test_every_imported_distribution_is_declared():
    assert imported() <= declared(*EXTRAS)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def test_import_prunestats_loads_nothing_else():
    code = "import sys, prunestats; print(sum(name.startswith('prunestats') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


@pytest.mark.parametrize(
    "page", ["architecture.md", *(f"methods/{p.name}" for p in (ROOT / "docs/methods").glob("*.md"))]
)
def test_files_that_a_page_names_are_there(page):
    files = {
        str(path.relative_to(ROOT))
        for top in ("prunestats", "db", "runners", "reports", "tests", "benchmarks")
        for path in (ROOT / top).rglob("*.*")
    }
    for name in re.findall(r"`([\w/]+\.(?:py|R|typ))`", (ROOT / "docs" / page).read_text()):
        assert any(file == name or file.endswith(f"/{name}") for file in files), name


def test_the_architecture_page_names_every_room():
    text = (ROOT / "docs/architecture.md").read_text()
    for name in PACKAGES:
        room = name.split(".")[-1]
        assert re.search(rf"\b{room}\b", text) or name.startswith("prunestats.db.schema.migrations"), name


def numeric_constants(path: Path) -> list[tuple[str, bool]]:
    """Module constants that are numbers or tuples of numbers, and whether a reason stands beside each.

    A reason is a comment above, on the line, or above the first of a block of constants; or a string below.
    """
    lines, found, above = path.read_text().splitlines(), [], {}
    body = ast.parse("\n".join(lines)).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        before = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
        below = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        in_block = bool(before) and above.get(node.lineno - 1, False)
        reason = before.startswith("#") or "#" in lines[node.lineno - 1] or below or in_block
        above[node.end_lineno] = reason
        parts = node.value.elts if isinstance(node.value, ast.Tuple | ast.List) else [node.value]
        if parts and all(isinstance(part, ast.Constant) and type(part.value) in (int, float) for part in parts):
            found.append((f"{path.relative_to(ROOT)}:{node.lineno}", reason))
    return found


def test_every_numeric_constant_has_its_reason_beside_it():
    constants = [one for folder in PACKAGES.values() for path in folder.glob("*.py") for one in numeric_constants(path)]
    assert len(constants) > 150
    assert [where for where, reason in constants if not reason] == []
