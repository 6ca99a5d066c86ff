"""What packages offer by name: what type checkers are told is what is there, and asking for one imports one."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import ftsweep

PACKAGES = sorted(
    ".".join(["ftsweep", *path.relative_to(Path(ftsweep.__file__).parent).parts[:-1]])
    for path in Path(ftsweep.__file__).parent.rglob("__init__.py")
    if "lazy_exports(" in path.read_text(encoding="utf-8")
)


def declared(package: str) -> dict[str, str]:
    """The names that type checkers are told of, with the modules that define them."""
    tree = ast.parse(Path(str(import_module(package).__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_offers_what_it_tells_type_checkers(package: str) -> None:
    module = import_module(package)
    names = declared(package)
    assert sorted(names) == sorted(module.__all__)
    for name, place in names.items():
        assert getattr(module, name) is getattr(import_module(place), name)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


def test_every_group_of_components_is_a_package_that_offers_names() -> None:
    groups = {"strategies", "tasks", "models", "data", "guards", "executors", "recording", "report", "verdicts"}
    assert {f"ftsweep.{group}" for group in groups} < set(PACKAGES)


def test_asking_for_one_name_leaves_the_others_alone() -> None:
    code = (
        "import sys; from ftsweep.strategies import Full\n"
        "assert 'ftsweep.strategies.full' in sys.modules\n"
        "assert not {'ftsweep.strategies.few_shot', 'ftsweep.strategies.lora', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
