"""The sizes and the plan that CONTRIBUTING.md promises."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ftsweep"
FILES = sorted(PACKAGE.rglob("*.py"))


def num_lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_root_has_a_handful_of_modules() -> None:
    assert len([file for file in PACKAGE.glob("*.py") if file.name != "__init__.py"]) <= 4


def test_files_are_short() -> None:
    assert [str(file) for file in FILES if num_lines(file) > 300] == []
    assert median(num_lines(file) for file in FILES if file.name != "__init__.py") < 120
    assert num_lines(PACKAGE / "control" / "sweep.py") < 200


def test_functions_are_short() -> None:
    functions = [
        (file, node)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    long = [f"{file}: {node.name}" for file, node in functions if (node.end_lineno or 0) - node.lineno >= 50]
    assert long == []


def test_wheel_has_every_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {".".join(file.parent.relative_to(ROOT).parts) for file in PACKAGE.rglob("__init__.py")}
    assert set(settings["packages"]) == folders | set(settings["package-dir"])


def test_unit_tests_mirror_the_rooms() -> None:
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    tested = {folder.name for folder in (ROOT / "tests" / "unit").iterdir() if any(folder.glob("test_*.py"))}
    assert tested <= rooms
