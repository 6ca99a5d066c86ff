"""Which split each file of a folder or an archive is of, by its own name and those of the folders that it lies in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ftsweep.data.files.archives import is_archive
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.split_words import split_named, split_of_word, splits_of_alike


@dataclass(frozen=True)
class NamedSplit:
    """A split, "" where no name speaks of one, and the folders of a file with the place of the one that says it."""

    split: str
    folders: tuple[str, ...]
    """Below what was named, an archive in it without its extension."""
    place: int | None = None

    @property
    def others(self) -> tuple[str, ...]:
        """The folders but for the one that says the split."""
        return tuple(folder for place, folder in enumerate(self.folders) if place != self.place)


def named_splits(files: Sequence[DataFile]) -> dict[DataFile, NamedSplit]:
    """The split that each file's names speak of.

    A name that is nothing else than a split's word says more than one that has it beside others, and a file's own says
    more than a folder's. Folders that all files have in common speak only where nothing else does. A class named `test`
    within `train` is of train.
    """
    folders = {file: _folders(file) for file in files}
    num_common = _num_common(list(folders.values()))
    alike = splits_of_alike([_own(file) for file in files])
    return {file: _of_names(_own(file), folders[file], num_common, alike) for file in files}


def _of_names(own: str, folders: tuple[str, ...], num_common: int, alike: dict[str, str]) -> NamedSplit:
    if split := split_of_word(own.partition(".")[0]):
        return NamedSplit(split, folders)
    outwards = list(enumerate(folders))[::-1]
    for place, folder in enumerate(folders):
        if place >= num_common and (split := split_of_word(folder)):
            return NamedSplit(split, folders, place)
    if split := split_named(own):
        return NamedSplit(split, folders)
    for place, folder in [*[each for each in outwards if each[0] >= num_common], *outwards]:
        if split := split_named(folder):
            return NamedSplit(split, folders, place)
    return NamedSplit(alike.get(own, ""), folders)


def _own(file: DataFile) -> str:
    return Path(file.member or file.name).name


def _folders(file: DataFile) -> tuple[str, ...]:
    """The folders between what was named and the file, with archives among them."""
    parts = PurePosixPath(file.name).parts[1:-1]
    return tuple(PurePosixPath(part).stem if is_archive(Path(part)) else part for part in parts)


def _num_common(folders: Sequence[tuple[str, ...]]) -> int:
    """How many of the outermost folders all files lie in."""
    if not folders:
        return 0
    num = 0
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        num += 1
    return num
