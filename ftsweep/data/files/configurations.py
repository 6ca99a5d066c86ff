"""Which files of a clone of a data set of the hub are which split: the head of its README.md says it (`configs`)."""

from __future__ import annotations

import glob
import os.path
from collections.abc import Collection, Iterator, Mapping
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


def told_splits(folder: Path, rows: Collection[Path]) -> ToldSplits | None:
    """What README.md tells of a folder's one data set, or of the default one; None where it tells nothing.

    `rows` are the folder's files of rows: no others count, those outside of the folder least of all.

    Raises:
        DataError: it tells of several data sets, and of none that is the default.
    """
    found = configurations(folder, rows)
    chosen = found[0] if len(found) == 1 else next((each for each in found if each.is_default), None)
    if not found:
        return None
    if chosen is None:
        first = next(file for files in found[0].files.values() for file in files)
        others = {file for each in found[1:] for files in each.files.values() for file in files}
        is_apart = first.parent != folder and not any(first.parent in file.parents for file in others)
        alone = first.parent if is_apart else first
        names = ", ".join(each.name for each in found[:_NUM_SHOWN])
        more = f" and {len(found) - _NUM_SHOWN} more" if len(found) > _NUM_SHOWN else ""
        raise DataError(
            f"its README.md tells of {len(found)} data sets in it: {names}{more}",
            where=str(folder),
            remedy=f"Name the folder or the files of one: of {found[0].name} that is {alone}.",
        )
    splits = {
        file: split_named(split) if split else _split_by_names(file.relative_to(folder)) or "train"
        for split, files in chosen.files.items()
        for file in files
    }
    taken = {split for split in splits.values() if split}
    if "train" not in taken:
        return None
    told = "; ".join(
        f"{split or 'by their names'}: {', '.join(file.relative_to(folder).as_posix() for file in files[:_NUM_SHOWN])}"
        + (f" and {len(files) - _NUM_SHOWN} more" if len(files) > _NUM_SHOWN else "")
        + ("" if split_named(split) or not split else ", not read")
        for split, files in chosen.files.items()
    )
    words = f"{folder.name} has the splits of the data set {chosen.name!r} as its README.md tells them: {told}"
    return ToldSplits(words, {file: split for file, split in splits.items() if split})


def _split_by_names(file: Path) -> str:
    """The split that a file's name says, or a folder's that it lies in, the nearest first; "" where none does."""
    return next(filter(None, map(split_named, (file.stem, *reversed(file.parent.parts)))), "")


def configurations(folder: Path, rows: Collection[Path]) -> list[Configuration]:
    """The data sets that a folder's README.md tells of, with those of `rows` that are theirs; none without such a head.

    Of several with the same files, as of one data set with several tasks, the first is taken.
    """
    found: list[Configuration] = []
    for said in _said(folder):
        files: dict[str, tuple[Path, ...]] = {}
        within = said.get("data_dir")
        data_files = said.get("data_files", None if within is None else "**")
        for split, patterns in _by_split(data_files):
            if isinstance(within, str):
                patterns = [os.path.join(within, pattern) for pattern in patterns]  # noqa: PTH118 - "./" and ".." stay
            files[split] = (*files.get(split, ()), *_matching(folder, patterns, rows))
        if any(files.values()) and all(files != each.files for each in found):
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
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that there is not is a ValueError
        return []
    configs = head.get("configs") if isinstance(head, dict) else None
    return [each for each in configs if isinstance(each, dict)] if isinstance(configs, list) else []


def _by_split(data_files: Any) -> Iterator[tuple[str, list[str]]]:
    """Splits and their patterns, in the forms that the hub reads; a pattern alone is of no split that is named."""
    if isinstance(data_files, dict):
        for split, patterns in data_files.items():
            yield str(split), _patterns(patterns)
        return
    entries = data_files if isinstance(data_files, list) else [data_files]
    for entry in entries:
        if isinstance(entry, dict):
            yield str(entry.get("split") or ""), _patterns(entry.get("path"))
    if plain := [entry for entry in entries if isinstance(entry, str)]:
        yield "", plain


def _patterns(value: Any) -> list[str]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def _matching(folder: Path, patterns: list[str], rows: Collection[Path]) -> Iterator[Path]:
    for pattern in patterns:
        names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob takes no ".." or "./"
        there = (folder / os.path.normpath(name) for name in names)
        yield from sorted(file for file in there if file in rows)
