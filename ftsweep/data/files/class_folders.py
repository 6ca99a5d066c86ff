"""Texts in folders that are named after their labels: `pos/1.txt` and `neg/1.txt`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.split_words import split_named
from ftsweep.domain.finding import Finding, Severity

_NUM_SHOWN = 5
_MOST_LOOSE = 0.1
"""Share of the files that may lie beside the folders: lists of sources, summaries. More of them are texts as well."""


def labelled_by_folder(chosen: Mapping[str, list[DataFile]], notes: list[Finding]) -> dict[str, list[DataFile]]:
    """The files of each split with their folders' names as labels, where texts lie in two folders or more.

    A few files that lie beside these folders are left out, and told in `notes`; so is a folder that train alone has.
    """
    files = [file for members in chosen.values() for file in members]
    loose = _beside_folders(files) if all(file.format == "txt" for file in files) else None
    if loose is None:
        return dict(chosen)
    kept = {split: [file for file in members if file not in loose] for split, members in chosen.items()}
    kept = {split: members for split, members in kept.items() if members}
    names = {split: {_folder(file).name for file in members} for split, members in kept.items()}
    shown = _shown(sorted(set().union(*names.values())))
    what = f"a text's folder names its label where one is learned, and each file is a row then: {shown}"
    notes.append(Finding("files", Severity.NOTE, what))
    if loose:
        paths = _shown([file.member or file.name for file in loose])
        what = f"files of text that lie beside folders of texts are not read: {paths}"
        notes.append(Finding("files", Severity.WARN, what, count=len(loose), remedy="Move texts into a folder"))
    others = [held_out for split, held_out in names.items() if split != "train"]
    alone = sorted(names.get("train", set()) - set().union(*others)) if others else []
    if alone:
        first = next(file for file in kept["train"] if _folder(file).name == alone[0])
        what = f"train has texts in {_shown(alone)}, and no other split has a folder of that name"
        way = (
            "unpack the archive without them" if first.member else f"mv {shlex.quote(str(first.path.parent))} ELSEWHERE"
        )
        remedy = f"If these texts have no label, move them out: {way}"
        notes.append(Finding("files", Severity.WARN, what, count=len(alone), remedy=remedy))
    return {split: [replace(file, folder=_folder(file).name) for file in members] for split, members in kept.items()}


def _beside_folders(files: Sequence[DataFile]) -> dict[DataFile, Path] | None:
    """The few files that lie above the folders that name labels, with their own; None where folders name none."""
    folders = {file: _folder(file) for file in files}
    depth = max((len(folder.parts) for folder in folders.values()), default=0)
    loose = {file: folder for file, folder in folders.items() if len(folder.parts) < depth}
    places = {folder for folder in folders.values() if len(folder.parts) == depth}
    above = {each for place in places for each in place.parents}
    names = {place.name for place in places}
    is_apart = len(loose) <= _MOST_LOOSE * len(files) and above.issuperset(loose.values())
    if not is_apart or len(names) < 2 or "" in names or any(map(split_named, names)):
        return None
    return loose


def _folder(file: DataFile) -> Path:
    return Path(file.member or file.name).parent


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_NUM_SHOWN]) + ", ..." * (len(names) > _NUM_SHOWN)
