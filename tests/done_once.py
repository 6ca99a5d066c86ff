"""What a test process works out once, because the answer is the same for every test.

Composing files is a function of the sweep file's text, the choices, and the groups within reach, and Hydra takes two
thirds of a composing. Where only the shipped groups are within reach (no folder and no other YAML file lies beside the
sweep file) a second test is given what the first one got; most tests differ in what is checked after. A test of Hydra's
own part asks for the fixture `composed_anew`.

Which version Optuna's tables have is told by the scripts of all its versions, which Alembic imports at every opening.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import deepcopy
from typing import Any

_LAYERS, _OPTUNA = "ftsweep.config.layers", "optuna.storages._rdb.storage"
_COMPOSING = ("compose_files", "group_names")


class OncePerText:
    """A function of a sweep file, called once for each text."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._found: dict[Any, Any] = {}

    def __call__(self, file: Any, *words: Any) -> Any:
        choices, search_path = (words[0], words[1]) if len(words) > 1 else ((), words[0])
        if search_path or not _is_alone(file):
            return self.function(file, *words)
        asked = [(each.group, each.choice) for each in choices]
        key = (file.is_shipped, file.label, file.path.read_bytes(), *asked)
        if key not in self._found:
            self._found[key] = self.function(file, *words)
        return deepcopy(self._found[key])


def work_out_once() -> None:
    """Replace what works these out, where it is imported."""
    layers: Any = sys.modules.get(_LAYERS)
    for name in _COMPOSING if layers else ():
        setattr(layers, name, OncePerText(getattr(layers, name)))
    optuna: Any = sys.modules.get(_OPTUNA)
    if optuna:
        optuna._VersionManager.get_head_version = _once(optuna._VersionManager.get_head_version)


def compose_anew(replace: Callable[[str, Any], None]) -> None:
    """Have `replace` put the functions that compose back."""
    layers: Any = sys.modules.get(_LAYERS)
    for name in _COMPOSING if layers else ():
        function = getattr(layers, name)
        replace(f"{_LAYERS}.{name}", getattr(function, "function", function))


def _once(find: Callable[[Any], str]) -> Callable[[Any], str]:
    found: list[str] = []

    def find_once(manager: Any) -> str:
        if not found:
            found.append(find(manager))
        return found[0]

    return find_once


def _is_alone(file: Any) -> bool:
    beside = () if file.is_shipped else file.folder.iterdir()
    return not any(each != file.path and (each.is_dir() or each.suffix in (".yaml", ".yml")) for each in beside)
