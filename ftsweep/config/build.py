"""From a component node to its object: the only place that instantiates a `_target_`. Standard library only.

Not `hydra.utils.instantiate`: it follows interpolations again, and twice, in a node that is resolved already, so that a
prompt template with `${...}` in it breaks or reads the environment; and it calls functions, where only classes may be.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ftsweep.config.checks.kinds import OWN_PACKAGE, is_component
from ftsweep.errors import ConfigError, FtsweepError, suggest

_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")


def build(node: Mapping[str, Any], *, allowed: Sequence[str] = (), where: str = "") -> Any:
    """The object that a component node describes; nested nodes with a `_target_` are built first.

    Raises:
        ConfigError: a target lies outside `ftsweep` and the allowed packages (nothing is imported then), does not
            exist, is no class, or its constructor refuses the settings.
    """
    check_targets(node, allowed=allowed, where=where)
    return _built(node, where)


def check_targets(node: Any, *, allowed: Sequence[str], where: str = "") -> None:
    """Refuse, before anything is imported, every target that may not be named and every key that steers Hydra."""
    if isinstance(node, Mapping) and "_target_" not in node:
        raise ConfigError("the node names no class", where=where or None, remedy="Give it a `_target_`.")
    for place, mapping in _mappings(node, where):
        for key in mapping:
            if key in ("_args_", "_partial_", "_recursive_", "_convert_"):
                raise ConfigError(f"{key!r} is not supported", where=place or None, remedy="Remove it.")
    for place, target in targets(node, where):
        _check_target(target, allowed, place)


def targets(node: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every `_target_` in a node with the key where it stands, nested ones included."""
    for place, mapping in _mappings(node, where):
        if "_target_" in mapping:
            yield place, mapping["_target_"]


def are_own(*nodes: Any) -> bool:
    """Whether nodes name ftsweep's own classes alone, whose modules import nothing heavy: a user's may import torch."""
    found = (target for node in nodes for _, target in targets(node))
    return all(isinstance(target, str) and target.startswith(f"{OWN_PACKAGE}.") for target in found)


def build_own(node: Mapping[str, Any]) -> Any:
    """The component of a node that names ftsweep's own classes alone; None of another."""
    return build(node) if are_own(node) else None


def locate(target: str, *, where: str = "") -> type:
    """The class `module.Class` that a checked target names; the class must be defined in the target's own package
    (`ftsweep.strategies.Lora`: the module that defines it may be any below `ftsweep`).

    A function, or a class of another package that the module merely imported (`ftsweep.store.folders.Path`), is
    refused: a configuration may make components, not call whatever is within reach. So is a class of ftsweep's own
    that is no component.
    """
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            remedy = "User modules are looked for beside the sweep file and among the installed packages."
            raise ConfigError(f"there is no module {error.name!r} (of {target})", where=where, remedy=remedy) from None
        raise ConfigError(f"importing {module_name} failed: {error}", where=where or None) from error
    except Exception as error:
        what = f"importing {module_name} failed: {type(error).__name__}: {error}"
        raise ConfigError(what, where=where or None) from error
    found = getattr(module, name, None)
    if _may_be_made(found, target.partition(".")[0]):
        return cast(type, found)
    package = target.partition(".")[0]
    known = {key: getattr(module, key) for key in getattr(module, "__all__", vars(module))}
    classes = [key for key, value in known.items() if _may_be_made(value, package) and not inspect.isabstract(value)]
    what = f"{target} is not a component class" if found is not None else f"{module_name} has no class {name!r}"
    raise ConfigError(what, where=where or None, remedy=_hidden_by(module, package) or suggest(name, classes))


def _hidden_by(module: ModuleType, package: str) -> str:
    """What to do about a module of the user's that another one of its name hides; "" where there is none."""
    for folder in map(Path, sys.path):
        for other in (folder / f"{package}.py", folder / package / "__init__.py"):
            if other.is_file() and not _is_from(module, other.parent):
                return f"{package} is {module.__file__}, which hides {other}: give that one another name."
    return ""


def _is_from(module: ModuleType, folder: Path) -> bool:
    return module.__file__ is None or Path(module.__file__).resolve().is_relative_to(folder.resolve())


def _may_be_made(found: Any, package: str) -> bool:
    return inspect.isclass(found) and found.__module__.partition(".")[0] == package and is_component(found)


@contextmanager
def import_path(folders: Iterable[Path]) -> Iterator[None]:
    """Have user modules in these folders importable inside the block, behind everything that is installed."""
    added = [str(folder) for folder in folders if str(folder) not in sys.path]
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            if folder in sys.path:
                sys.path.remove(folder)


def _check_target(target: Any, allowed: Sequence[str], where: str) -> None:
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        remedy = "Write it as module.Class, without names that begin with an underscore."
        raise ConfigError(f"{target!r} cannot be a `_target_`", where=where or None, remedy=remedy)
    if any(target.startswith(f"{package}.") for package in (OWN_PACKAGE, *allowed)):
        return
    package = target.partition(".")[0]
    is_python = package in sys.stdlib_module_names
    remedy = "It is no component." if is_python else f"If you trust it, add to the sweep file: allow: [{package}]"
    what = f"`_target_` {target} lies outside ftsweep and the packages that the sweep file allows"
    raise ConfigError(what, where=where or None, remedy=remedy)


def _mappings(node: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(node, Mapping):
        yield where, node
        for key, value in node.items():
            yield from _mappings(value, f"{where}.{key}" if where else str(key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _mappings(value, f"{where}[{index}]")


def _built(node: Any, where: str) -> Any:
    if isinstance(node, list | tuple):
        return [_built(value, f"{where}[{index}]") for index, value in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    values = {key: _built(value, f"{where}.{key}" if where else str(key)) for key, value in node.items()}
    if "_target_" not in values:
        return values
    target = values.pop("_target_")
    cls = locate(target, where=where)
    try:
        return cls(**values)
    except FtsweepError as error:
        if where and not (error.where or "").startswith(where):
            error.where = f"{where}: {error.where}" if error.where else where
        raise
    except Exception as error:
        what = f"{target} cannot be made with these settings: {error}"
        raise ConfigError(what, where=where or None) from error
