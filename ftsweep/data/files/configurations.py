"""Which files of a clone of a data set of the hub are which split: the head of its README.md says it (`configs`)."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from ftsweep.data.files.split_words import split_named
from ftsweep.errors import DataError

_MOST_BYTES = 1 << 20
_NUM_SHOWN = 5


@dataclass(frozen=True)
class Configuration:
    """One data set of a folder, by the splits that its README.md names."""

    name: str
    is_default: bool
    files: Mapping[str, tuple[Path, ...]]
    """By the name of the split."""


@dataclass(frozen=True)
class ToldSplits:
    """The splits of a folder's files as its README.md tells them, and that in words."""

    words: str
    splits: Mapping[Path, str]

    def split_of(self, file: Path) -> str:
        """The split that a file is of; "" of one that the README does not tell of."""
        return self.splits.get(file, "")


def told_splits(folder: Path) -> ToldSplits | None:
    """What README.md tells of a folder's one data set, or of the default one; None where it tells nothing.

    Raises:
        DataError: it tells of several data sets, and of none that is the default.
    """
    found = configurations(folder)
    chosen = found[0] if len(found) == 1 else next((each for each in found if each.is_default), None)
    if not found:
        return None
    if chosen is None:
        first = next(file for files in found[0].files.values() for file in files)
        alone = first.parent if first.parent != folder else first
        names = ", ".join(each.name for each in found[:_NUM_SHOWN])
        more = f" and {len(found) - _NUM_SHOWN} more" if len(found) > _NUM_SHOWN else ""
        raise DataError(
            f"its README.md tells of {len(found)} data sets in it: {names}{more}",
            where=str(folder),
            remedy=f"Name the folder or the files of one: of {found[0].name} that is {alone}.",
        )
    splits = {file: split_named(split) for split, files in chosen.files.items() for file in files}
    taken = {split for split in splits.values() if split}
    if "train" not in taken:
        return None
    told = "; ".join(
        f"{split}: {', '.join(file.relative_to(folder).as_posix() for file in files[:_NUM_SHOWN])}"
        + (f" and {len(files) - _NUM_SHOWN} more" if len(files) > _NUM_SHOWN else "")
        + ("" if split_named(split) else ", not read")
        for split, files in chosen.files.items()
    )
    words = f"{folder.name} has the splits of the data set {chosen.name!r} as its README.md tells them: {told}"
    return ToldSplits(words, {file: split for file, split in splits.items() if split})


def configurations(folder: Path) -> list[Configuration]:
    """The data sets that a folder's README.md tells of, with the files that are there; none without such a head."""
    found = []
    for said in _said(folder):
        files = {split: tuple(_matching(folder, patterns)) for split, patterns in _by_split(said.get("data_files"))}
        if any(files.values()):
            name = str(said.get("config_name", "default"))
            found.append(Configuration(name, bool(said.get("default")) or name == "default", files))
    return found


def _said(folder: Path) -> list[Mapping[str, Any]]:
    try:
        with (folder / "README.md").open(encoding="utf-8") as file:
            text = file.read(_MOST_BYTES)
    except (OSError, UnicodeDecodeError):
        return []
    if not text.startswith("---\n"):
        return []
    try:
        head = yaml.safe_load(text.removeprefix("---\n").partition("\n---")[0])
    except yaml.YAMLError:
        return []
    configs = head.get("configs") if isinstance(head, dict) else None
    return [each for each in configs if isinstance(each, dict)] if isinstance(configs, list) else []


def _by_split(data_files: Any) -> Iterator[tuple[str, list[str]]]:
    """Splits and their patterns, in the forms that the hub reads; a pattern alone is train's."""
    if isinstance(data_files, dict):
        for split, patterns in data_files.items():
            yield str(split), _patterns(patterns)
        return
    entries = data_files if isinstance(data_files, list) else [data_files]
    for entry in entries:
        if isinstance(entry, dict):
            yield str(entry.get("split", "train")), _patterns(entry.get("path"))
    if plain := [entry for entry in entries if isinstance(entry, str)]:
        yield "train", plain


def _patterns(value: Any) -> list[str]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def _matching(folder: Path, patterns: list[str]) -> Iterator[Path]:
    for pattern in patterns:
        names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob takes no ".." or "./"
        yield from sorted(folder / name for name in names if (folder / name).is_file())
