"""Where sweeps and config groups lie: those shipped with the package, and those beside the user's sweep file."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TypedDict

from ftsweep.config.schema import COMPONENT_GROUPS, GUARDS
from ftsweep.domain.paths import typed_path
from ftsweep.errors import ConfigError, UsageError, suggest

SWEEPS = "sweeps"
GROUPS = (*COMPONENT_GROUPS, "judge", GUARDS)
"""Of config: those of components, of judges (which become a part of the task) and of guards."""


class Entry(TypedDict):
    """One line of `ftsweep list`: a choice of a group, what its first comment says, and its file."""

    name: str
    about: str
    file: str


@dataclass(frozen=True)
class SweepFile:
    path: Path
    is_shipped: bool

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def label(self) -> str:
        """How messages call it: the name that the user knows it by."""
        return f"{self.path.stem} (shipped)" if self.is_shipped else self.path.name


def shipped_folder(name: str) -> Path:
    """The folder of shipped `conf` or `sweeps`: a package when installed, beside the package in a bare checkout."""
    if find_spec(f"ftsweep.{name}") is not None:
        return Path(str(files(f"ftsweep.{name}")))
    return Path(__file__).parents[2] / name


def find_sweep(sweep: str) -> SweepFile:
    """The sweep file that a path or a bare shipped name means.

    Raises:
        ConfigError: there is no such file or shipped sweep; names the near ones.
    """
    if sweep.endswith((".yaml", ".yml")) or "/" in sweep:
        # not resolve(): groups are looked for beside the link, not beside the file that it points to
        path = Path(os.path.abspath(typed_path(sweep)))  # noqa: PTH100
        if path.is_file() and path.suffix == ".yaml":
            return SweepFile(path, is_shipped=False)
        if path.is_file():
            raise ConfigError("a sweep file's name must end with .yaml", where=sweep, remedy="Rename it.")
        near = suggest(path.name, [each.name for each in path.parent.glob("*.yaml")]) if path.parent.is_dir() else ""
        raise ConfigError("there is no such sweep file", where=sweep, remedy=near or "Its folder does not exist.")
    path = shipped_folder(SWEEPS) / f"{sweep}.yaml"
    if path.is_file():
        return SweepFile(path, is_shipped=True)
    names = [entry["name"] for entry in list_group(SWEEPS)]
    beside = f" For the file in this folder write {sweep}.yaml." if Path(f"{sweep}.yaml").is_file() else ""
    if Path(sweep).is_file():
        beside = f" A sweep file's name ends with .yaml; for rows of data have one written: ftsweep new {quote(sweep)}"
    raise ConfigError(f"there is no shipped sweep {sweep!r}", remedy=suggest(sweep, names) + beside)


def list_groups(group: str | None = None, *, beside: Path | None = None) -> dict[str, list[Entry]]:
    """The choices of one group, or of every group and `sweeps`, by group; plural names (`models`) are understood.

    Files in the folder `beside` (the sweep file's) win over shipped ones.

    Raises:
        UsageError: there is no such group.
    """
    known = (SWEEPS, *GROUPS)
    if group is None:
        return {name: list_group(name, beside=beside) for name in known}
    plurals = {f"{name}s": name for name in GROUPS} | {"strategies": "strategy", "sweep": SWEEPS}
    name = plurals.get(group, group)
    if name not in known:
        raise UsageError(f"there is no group {group!r}", remedy=suggest(group, known))
    return {name: list_group(name, beside=beside)}


def list_group(group: str, *, beside: Path | None = None) -> list[Entry]:
    """The choices of a config group, or of `sweeps`, by name."""
    if group == SWEEPS:
        return _entries([shipped_folder(SWEEPS)], nested=False)
    return _entries([*([beside / group] if beside else []), shipped_folder("conf") / group])


def copy_sweep(name: str, destination: Path | None = None) -> Path:
    """Copy a shipped sweep with its comments; the destination is a file, a folder, or the current folder.

    Raises:
        UsageError: the destination exists already, or lies in no folder.
    """
    source = find_sweep(name).path
    target = destination or Path.cwd()
    if target.is_dir():
        target = target / source.name
    if target.suffix != ".yaml":
        raise UsageError("a sweep file's name must end with .yaml", where=str(target))
    if not target.parent.is_dir():
        raise UsageError("this folder does not exist", where=str(target.parent), remedy="Make it first.")
    try:
        with open(target, "x", encoding="utf-8") as file:
            file.write(source.read_text(encoding="utf-8"))
    except FileExistsError:
        remedy = "Choose another name, or remove it first."
        raise UsageError(
            "there is a file already, and it is not overwritten", where=str(target), remedy=remedy
        ) from None
    return target


def about(file: Path) -> str:
    """The first comment of a YAML file that says what it is: a sweep's very first line is the command that runs it."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith(("# @package", "# ftsweep run")):
            return line.lstrip("# ").strip()
        if line.strip() and not line.startswith("#"):
            break
    return ""


def _entries(folders: list[Path], *, nested: bool = True) -> list[Entry]:
    found: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(folder.glob("**/*.yaml" if nested else "*.yaml")):
            found.setdefault(file.relative_to(folder).with_suffix("").as_posix(), file)
    return [Entry(name=name, about=about(found[name]), file=str(found[name])) for name in sorted(found)]
