"""Texts in folders that are named after their labels: `pos/1.txt` and `neg/2.txt`, also within or around splits."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.split_folders import NamedSplit
from ftsweep.domain.finding import Finding, Severity

_NUM_SHOWN = 5
_MOST_LOOSE = 0.1
"""Share of the files that may lie beside the folders: lists of sources, summaries. More of them are texts as well."""
_PARTS = re.compile(
    r"(?i)(.*[_. -])?(sub ?set|part|shard|chunk|batch|block|slice|vol|volume|dir|folder|disk|disc|cd|archive|bucket)s?"
    r"[_. -]?\d+"
)
"""Names of folders that are parts of one set of files, and no labels: `subset00`."""

Names = Mapping[DataFile, NamedSplit]


def labelled_by_folder(
    chosen: Mapping[str, list[DataFile]], names: Names, notes: list[Finding]
) -> dict[str, list[DataFile]]:
    """The files of each split with their folders' names as labels, where texts lie in two folders or more.

    A few files that lie beside these folders are left out, and told in `notes`; so is a folder that train alone has,
    and why folders name no labels where there are several.

    Args:
        names: of each file the folders that it lies in, with the one that says its split.
    """
    plain = {split: members for split, members in chosen.items() if all(file.format == "txt" for file in members)}
    files = [file for members in plain.values() for file in members]
    folders = {file: names[file].others for file in files}
    unclear = _of_split_words(files, names)
    loose = _beside_folders(folders, plain.get("train", files)) if folders and not unclear else None
    if loose is None:
        notes += unclear or _unlabelled(folders)
        return dict(chosen)
    kept = {split: [file for file in members if file not in loose] for split, members in plain.items()}
    kept = {split: members for split, members in kept.items() if members}
    classes = {split: {folders[file][-1] for file in members} for split, members in kept.items()}
    shown = _shown(sorted(set().union(*classes.values())))
    what = f"a text's folder names its label where one is learned, and each file is a row then: {shown}"
    notes.append(Finding("files", Severity.NOTE, what))
    if loose:
        paths = _shown([file.member or file.name for file in loose])
        what = f"files of text that lie beside folders of texts are not read: {paths}"
        notes.append(Finding("files", Severity.WARN, what, count=len(loose), remedy="Move texts into a folder"))
    notes += _of_train_alone(kept, classes, folders)
    said = {split: [_with_label(file, folders[file][-1]) for file in members] for split, members in kept.items()}
    return {split: said.get(split, members) for split, members in chosen.items() if split in said or split not in plain}


def _with_label(file: DataFile, folder: str) -> DataFile:
    return replace(file, folder=folder, parts=())


def _of_train_alone(
    kept: Mapping[str, Sequence[DataFile]],
    classes: Mapping[str, set[str]],
    folders: Mapping[DataFile, tuple[str, ...]],
) -> list[Finding]:
    others = [held_out for split, held_out in classes.items() if split != "train"]
    alone = sorted(classes.get("train", set()) - set().union(*others)) if others else []
    if not alone:
        return []
    first = next(file for file in kept["train"] if folders[file][-1] == alone[0])
    what = f"train has texts in {_shown(alone)}, and no other split has a folder of that name"
    way = "unpack the archive without them" if first.member else f"mv {shlex.quote(str(first.path.parent))} ELSEWHERE"
    remedy = f"If these texts have no label, move them out: {way}"
    return [Finding("files", Severity.WARN, what, count=len(alone), remedy=remedy)]


def _beside_folders(folders: Mapping[DataFile, tuple[str, ...]], train: Sequence[DataFile]) -> set[DataFile] | None:
    """The few files that lie above the folders that name labels; None where folders name none, or hold a text each."""
    depth = max(map(len, folders.values()))
    loose = {file for file, each in folders.items() if len(each) < depth}
    places = {each for each in folders.values() if len(each) == depth}
    above = {each[:place] for each in places for place in range(depth)}
    classes = {place[-1] for place in places if place}
    has_several = any(count > 1 for count in Counter(folders[file] for file in train if file not in loose).values())
    is_apart = (
        has_several and len(loose) <= _MOST_LOOSE * len(folders) and above.issuperset(folders[file] for file in loose)
    )
    if not is_apart or len(classes) < 2 or all(map(_PARTS.fullmatch, classes)):
        return None
    return loose


def _unlabelled(folders: Mapping[DataFile, tuple[str, ...]]) -> list[Finding]:
    """What to know of texts in several folders that name no labels."""
    named = sorted({each for each in folders.values() if each})
    if len({each[-1] for each in named}) < 2:
        return []
    shown = _shown(["/".join(each) for each in named])
    why = "which are named as parts of one set" if all(_PARTS.fullmatch(each[-1]) for each in named) else ""
    is_even = len({len(each) for each in folders.values()}) == 1
    why = why or ("with a text each" if is_even else "which lie at different depths, or beside texts in none")
    what = f"texts lie in {len(named)} folders, {why}, and the folders name no labels: {shown}"
    way = "if they are labels, have the texts of each in a folder with its name, all of them one folder deep"
    return [Finding("files", Severity.NOTE, f"{what}; {way}")]


def _of_split_words(files: Sequence[DataFile], names: Names) -> list[Finding]:
    """A warning of folders that are taken for a held-out split, beside others of which none is named after train."""
    said = {file: names[file] for file in files}
    words = {each.folders[each.place]: each.split for each in said.values() if each.place is not None}
    place = min((each.place for each in said.values() if each.place is not None), default=0)
    others = sorted({each.folders[place] for each in said.values() if not each.split and len(each.folders) > place})
    if not words or not others or "train" in {each.split for each in said.values()}:
        return []
    first, split = next(iter(words.items()))
    file, each = next((file, each) for file, each in said.items() if each.place is not None)
    what = f"the folder {first!r} is taken for {split} by its name, and no folder beside it is named after train: "
    what += _shown(others)
    path = file.path.parents[len(each.folders) - 1 - (each.place or 0)] if not file.member else None
    way = "" if path is None else f": mv {shlex.quote(str(path))} {shlex.quote(str(path.with_name(f'{first}label')))}"
    remedy = f"If its name is a label as theirs are, give it another{way}"
    return [Finding("files", Severity.WARN, what, remedy=remedy)]


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_NUM_SHOWN]) + ", ..." * (len(names) > _NUM_SHOWN)
