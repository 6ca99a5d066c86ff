"""What `data.train` names, as files: one file, a list, a pattern, a folder of shards, an archive's members."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from ftsweep.data.base import SPLITS
from ftsweep.data.files.archives import is_archive, member_names, split_member
from ftsweep.data.files.below import files_below
from ftsweep.data.files.beside import NOT_ROWS, is_beside, passed_over
from ftsweep.data.files.class_folders import labelled_by_folder
from ftsweep.data.files.configurations import ToldSplits, told_splits
from ftsweep.data.files.folder_ways import way_for_folder
from ftsweep.data.files.kinds import DataFile, data_file, format_of, known_formats
from ftsweep.data.files.listed_texts import listed_way
from ftsweep.data.files.split_folders import named_splits
from ftsweep.domain.finding import Finding, Severity
from ftsweep.domain.paths import typed_path
from ftsweep.errors import ConfigError, DataError

SAVED = ("state.json", "dataset_dict.json")
"""What `datasets.save_to_disk` leaves in a folder."""

_SHARD = re.compile(r"^(.*)-(\d{3,})-of-(\d{3,})(\..+)$")
_NUM_SHOWN = 5
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass
class FoundFiles:
    """The files of one name by split, in reading order; and what a person should know of the choice."""

    splits: dict[str, list[DataFile]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def is_pattern(named: str) -> bool:
    """Whether the name has signs of a pattern and is no file or folder itself."""
    return any(sign in named for sign in "*?[") and not typed_path(named).exists()


def saved_dataset(path: Path) -> bool:
    """Whether `datasets.save_to_disk` wrote this folder."""
    return any((path / name).exists() for name in SAVED)


def find_files(named: str | Sequence[str], *, split: str = "train", shared: Sequence[str] = ()) -> FoundFiles:
    """The files behind `data.<split>`.

    A folder or an archive whose files name their split (`train-00000-of-00002.parquet`, `dev.csv`) gives this split's
    files; with `train` also those of the splits that are not in `shared`, as a saved DatasetDict does. Where no file
    names a split, all of them are this one's.

    Args:
        named: a path, a pattern, or several of them.
        split: whose files they are.
        shared: splits that the user names apart.

    Raises:
        ConfigError: `named` is empty, or names nothing.
        DataError: there is no such file, it is of an unknown kind, or a folder holds several kinds.
    """
    names = [named] if isinstance(named, str) else list(named)
    if not names or not all(isinstance(each, str) and each.strip() for each in names):
        raise ConfigError(f"{named!r} is not a file's name", where=f"data.{split}", remedy="Write its path.")
    found = FoundFiles()
    for each in names:
        for other, files in _found_in(each, split, shared, found.findings).items():
            found.splits.setdefault(other, []).extend(files)
    for other, files in found.splits.items():
        found.splits[other] = _told_apart(list({(file.path, file.member): file for file in files}.values()))
        found.findings += _missing_shards(found.splits[other])
    said = {name for files in found.splits.values() for file in files for name, _ in file.parts}
    if said:
        found.findings.append(_note(f"the names of folders say the columns {', '.join(sorted(said))}"))
    return found


def _found_in(named: str, split: str, shared: Sequence[str], notes: list[Finding]) -> dict[str, list[DataFile]]:
    path = typed_path(named)
    archive, member = split_member(path)
    if archive is not None:
        return _chosen(_members(archive, member, split), split, shared, str(path), notes)
    if is_pattern(named):
        # Path.glob takes no absolute patterns
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True), key=_natural)]  # noqa: PTH207
        files = [match for match in matches if match.is_file() and not match.name.startswith(".")]
        if not files:
            raise DataError(f"no file matches {named!r}", where=f"data.{split}", remedy=_beside(path))
        return {split: [replace(data_file(file, file.name), parts=_parts_said(file)) for file in files]}
    if path.is_dir():
        there = files_below(path, notes)
        files = [file for file in sorted(there, key=lambda file: _natural(str(file))) if _may_hold_rows(file, path)]
        if not files:
            what = "is a folder without a file of rows, and no data set that datasets' save_to_disk wrote"
            others = sorted(there)
            shown = ", ".join(file.name for file in others[:_NUM_SHOWN])
            way = way_for_folder(path, others)
            kinds = f"Rows are in files of these kinds: {known_formats()}."
            remedy = f"It holds: {shown or 'nothing'}. {f'{way} ' if way else ''}{kinds}"
            raise DataError(what, where=str(path), remedy=remedy)
        _check_one_revision(path, files)
        told = told_splits(path, set(files))
        notes += passed_over(path, there, set(files))
        if told:
            left = [file.relative_to(path).as_posix() for file in files if not told.split_of(file)]
            more = f"; not read: {', '.join(left[:_NUM_SHOWN])}" + ", ..." * (len(left) > _NUM_SHOWN) if left else ""
            notes.append(_note(f"{told.words}{more}"))
            files = [file for file in files if told.split_of(file)]
        chosen = [each for file in files for each in _in_folder(file, path, split)]
        return _chosen(chosen, split, shared, str(path), notes, told)
    check_exists(split, path)
    return {split: [data_file(path, path.name)]}


def _check_one_revision(folder: Path, files: Sequence[Path]) -> None:
    """Raise DataError for a cache of the hub that holds a data set as it was at several times."""
    found = {place for file in files for place in file.parents if place.parent.name == "snapshots"}
    kept = sorted(place for place in found if folder in place.parents and _is_cached(place.parent.parent))
    if len({place.parent for place in kept}) < len(kept):
        raise DataError(
            f"holds several revisions of a data set, whose rows would be read twice: {', '.join(map(str, kept))}",
            where=str(folder),
            remedy="Name the folder of one of them.",
        )


def _is_cached(folder: Path) -> bool:
    """Whether a folder of snapshots is one of the hub's cache."""
    return any((folder / name).is_dir() for name in ("refs", "blobs"))


def _in_folder(file: Path, folder: Path, split: str) -> list[DataFile]:
    """A folder's file under its name in it; an archive's members."""
    name = (_named(folder) / file.relative_to(folder)).as_posix()
    if is_archive(file):
        return [replace(each, name=f"{name}/{each.member}") for each in _members(file, "", split)]
    return [replace(data_file(file, name), parts=_parts_said(file.relative_to(folder)))]


def _named(folder: Path) -> Path:
    """A folder's name, of `.` and `..`, too."""
    return Path(folder.name if folder.name not in ("", "..") else folder.resolve().name)


def _parts_said(file: Path) -> tuple[tuple[str, str], ...]:
    """The columns that folders say of a table written in parts, as Spark and pandas do: `label=good/0.parquet`."""
    said = [part.partition("=") for part in file.parent.parts if part.count("=") == 1]
    return tuple((unquote(name), unquote(value)) for name, _, value in said if name and value != _NO_VALUE)


def check_exists(split: str, path: Path) -> None:
    """Raise DataError unless it is a file or a folder."""
    if path.is_file() or path.is_dir():
        return
    if path.is_symlink():
        target = path.readlink()
        raise DataError(f"is a link to {target}, which is not there", where=f"data.{split}={path}", remedy="Mend it.")
    if path.exists():
        raise DataError("is neither a file nor a folder", where=f"data.{split}={path}", remedy="Name a file.")
    raise DataError("there is no such file", where=f"data.{split}={path}", remedy=_beside(path))


def _members(archive: Path, member: str, split: str) -> list[DataFile]:
    names = sorted(member_names(archive, member), key=_natural)
    kept = [name for name in names if format_of(name)[0] and not NOT_ROWS.match(Path(name).name)]
    if not kept:
        what = f"holds no file of rows{f' that matches {member!r}' if member else ''}"
        shown = ", ".join(names[:_NUM_SHOWN]) or "nothing"
        packed = " Unpack it, and name what is in it." if any(map(is_archive, map(Path, names))) else ""
        raise DataError(what, where=f"data.{split}={archive}", remedy=f"It holds: {shown}.{packed}")
    return [data_file(archive, f"{archive.name}/{name}", member=name) for name in kept]


def _may_hold_rows(file: Path, folder: Path) -> bool:
    if is_beside(file, folder) or not file.is_file():
        return False
    return format_of(file.name)[0] is not None or is_archive(file)


def _chosen(
    files: list[DataFile],
    split: str,
    shared: Sequence[str],
    where: str,
    notes: list[Finding],
    told: ToldSplits | None = None,
) -> dict[str, list[DataFile]]:
    """The files of this split, and with `train` those of the others that are not named apart."""
    by_split: dict[str, list[DataFile]] = {}
    named = named_splits(files)
    for file in files:
        by_split.setdefault((told and told.split_of(file.path)) or named[file].split, []).append(file)
    if set(by_split) == {""}:
        chosen = {split: by_split[""]}
    else:
        asked = [other for other in SPLITS if other == split or (split == "train" and other not in shared)]
        chosen = {other: by_split[other] for other in asked if other in by_split}
        if split not in chosen and "" in by_split:
            chosen[split] = by_split[""]
        if split not in chosen:
            what = f"no file is named after {split}; found: {_names(files)}"
            raise DataError(what, where=where, remedy=f"Name the file itself, such as data.{split}={files[0].where}.")
        left = [
            file
            for other, members in by_split.items()
            if other not in chosen and other not in shared
            for file in members
        ]
        left = [file for file in left if file not in chosen[split]]
        words = "; ".join(f"{other}: {_names(members)}" for other, members in chosen.items())
        more = f"; not read: {_names(left)}" if left else ""
        if told is None:
            what = f"{_named(Path(where))} has files named after splits: {words}{more}"
            notes.append(_left_note(what, len(left)) if len(left) > sum(map(len, chosen.values())) else _note(what))
    for members in chosen.values():
        _check_one_kind(members, split, where)
    return labelled_by_folder(chosen, named, notes)


def _left_note(what: str, num_left: int) -> Finding:
    """A warning: more files are left out than are read."""
    remedy = "If names say no split here, such as that of a label, give these files or folders others"
    return Finding("files", Severity.WARN, what, count=num_left, remedy=remedy)


def _check_one_kind(files: list[DataFile], split: str, where: str) -> None:
    kinds = sorted({file.format for file in files})
    if len(kinds) > 1:
        suffix = "".join(Path(files[0].path.name).suffixes[-1:])
        way = f"{listed} " if (listed := listed_way(Path(where), files)) else ""
        raise DataError(
            f"holds files of several kinds ({', '.join(kinds)}): {_names(files)}",
            where=where,
            remedy=f"{way}Say which are rows with a pattern, such as data.{split}='{where}/**/*{suffix}'.",
        )


def _told_apart(files: list[DataFile]) -> list[DataFile]:
    """Files of one name get their folder's name before it, so that a place says which is meant."""
    names = [file.name for file in files]
    if len(set(names)) == len(names):
        return files
    return [
        replace(file, name=f"{file.path.parent.name}/{file.name}") if names.count(file.name) > 1 else file
        for file in files
    ]


def _missing_shards(files: Sequence[DataFile]) -> list[Finding]:
    """`train-00003-of-00008` says how many there should be."""
    seen: dict[tuple[str, str, str], set[int]] = {}
    for file in files:
        match = _SHARD.match(file.name)
        if match:
            seen.setdefault((match[1], match[3], match[4]), set()).add(int(match[2]))
    found = []
    for (start, total, suffix), numbers in seen.items():
        missing = sorted(set(range(int(total))) - numbers)
        if missing and len(numbers) > 1:
            first = f"{start}-{missing[0]:0{len(total)}d}-of-{total}{suffix}"
            what = f"{len(missing)} of {int(total)} shards of {start} are missing, the first is {first}"
            remedy = "Bring them, or go on with what is there"
            found.append(Finding("shards", Severity.WARN, what, len(missing), len(missing) / int(total), remedy=remedy))
    return found


def _note(message: str) -> Finding:
    return Finding(check="files", severity=Severity.NOTE, message=message)


def _names(files: Sequence[DataFile]) -> str:
    more = f" and {len(files) - _NUM_SHOWN} more" if len(files) > _NUM_SHOWN else ""
    return ", ".join("/".join(Path(file.name).parts[1:]) or file.name for file in files[:_NUM_SHOWN]) + more


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key by which part-2 comes before part-10."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", name)]


def _beside(path: Path) -> str:
    near = sorted(file.name for file in path.parent.glob("*") if file.suffix == path.suffix)[:_NUM_SHOWN]
    return f"Beside it there are: {', '.join(near)}." if near else "Paths are relative to where the command runs."
