"""Names that a package offers and other modules hold: each module is imported when one of its names is asked for.

So a sweep file may name `ftsweep.strategies.Lora` wherever the class lies, and costs the import of that module alone.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_exports(package: str, **modules: str) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562). modules: where each name is defined, by its path below the package.

    The package says the same to type checkers by imports under TYPE_CHECKING.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return get
