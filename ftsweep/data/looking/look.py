"""Somebody's files, or a data set of the hub, looked at: splits, columns, what they seem to be for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftsweep.data.base import SPLITS
from ftsweep.data.files.base import ReadSettings
from ftsweep.data.files.found import find_files, saved_dataset, split_named
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.reading import open_file
from ftsweep.data.files.tables import TableFile
from ftsweep.data.files.text_lists import TextLists
from ftsweep.data.looking.columns import ColumnFacts, column_facts
from ftsweep.data.looking.guess import PLURALS, Guess, guess_task
from ftsweep.domain.finding import Finding
from ftsweep.domain.paths import typed_path
from ftsweep.errors import DataError, UsageError

_OF_WORDS = ("tokens", "tags")
NUM_LOOKED_AT = 5_000
"""Rows of train that columns are judged by."""
MOST_COUNTED = 1_000_000


@dataclass
class Look:
    """What was found. `named` is what `data.<split>` is to be: a path or several; of the hub its name."""

    named: dict[str, list[str]]
    num_rows: dict[str, int]
    columns: Mapping[str, ColumnFacts]
    guess: Guess | None
    formats: Sequence[str]
    is_hub: bool = False
    is_headless: bool = False
    """Whether tables have no line of names: columns are numbers then."""
    num_unreadable: int = 0
    findings: list[Finding] = field(default_factory=list)


def look_at(data: Sequence[str], *, task: str | None = None, said: Mapping[str, Any] | None = None) -> Look:
    """Look at files, folders or patterns, or at one data set of the hub.

    Raises:
        DataError: they cannot be found or read.
    """
    if len(data) == 1 and _is_hub_name(data[0]):
        return _look_at_hub(data[0], task, said or {})
    named = _by_split(data)
    if "train" not in named:
        given = ", ".join(data)
        raise UsageError(f"none of these is a train split: {given}", remedy="Name the file to train on, too.")
    splits: dict[str, list[DataFile]] = {}
    findings: list[Finding] = []
    for split, names in named.items():
        found = find_files(names, split=split, shared=[other for other in named if other != split])
        splits |= {other: files for other, files in found.splits.items() if files}
        findings += found.findings
    rows: list[Mapping[str, Any]] = []
    num_rows: dict[str, int] = {}
    num_bad, is_headless = 0, False
    settings = ReadSettings(mapping=dict(said or {}))
    for split in (each for each in SPLITS if each in splits):
        num_rows[split] = 0
        for file in splits[split]:
            opened = open_file(file, settings)
            if is_headless or (isinstance(opened, TableFile) and opened.seems_headless):
                is_headless, opened = True, open_file(file, replace(settings, header=False))
            for row in opened:
                num_rows[split] += 1
                num_bad += bool(row.problem)
                if split == "train" and len(rows) < NUM_LOOKED_AT and not row.problem:
                    rows.append(dict(row.values))
                if num_rows[split] >= MOST_COUNTED:
                    break
            findings += opened.findings
    if not rows:
        raise DataError("no row of it can be read", where=", ".join(named["train"]), remedy=_first_remedy(findings))
    formats = sorted({file.format for files in splits.values() for file in files})
    of_words = _OF_WORDS if "conll" in formats else ()  # columns that the reader of such files has taken already
    taken = {name: theirs for name, theirs in (said or {}).items() if name in of_words}
    look = _judged(rows, named, num_rows, formats, task, {k: v for k, v in (said or {}).items() if k not in taken})
    if look.guess is not None and taken:
        look.guess = replace(look.guess, columns={**look.guess.columns, **taken})
    look.is_headless = is_headless
    look.num_unreadable, look.findings = num_bad, list(dict.fromkeys([*findings, *_label_findings(look, rows)]))
    return look


def _label_findings(look: Look, rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What a column with a name of several labels shows that was taken for one label."""
    column = None if look.guess is None or look.guess.task != "classification" else look.guess.columns["label"]
    if not isinstance(column, str) or column.strip().lower() not in PLURALS:
        return []
    lists = TextLists()
    for row in rows:
        lists.add({"labels": row.get(column)})
    return lists.findings


def _judged(
    rows: Sequence[Mapping[str, Any]],
    named: dict[str, list[str]],
    num_rows: dict[str, int],
    formats: Sequence[str],
    task: str | None,
    said: Mapping[str, Any],
) -> Look:
    names = list(dict.fromkeys(name for row in rows for name in row))
    for asked in said.values():
        for name in asked if isinstance(asked, list) else [asked]:
            if name not in names:
                known = ", ".join(map(repr, names))
                raise DataError(f"there is no column {name!r}", where="--columns", remedy=f"There are: {known}.")
    facts = {name: column_facts(name, rows) for name in names}
    return Look(named, num_rows, facts, guess_task(facts, rows, said, task), formats)


def _by_split(data: Sequence[str]) -> dict[str, list[str]]:
    """The names by the split that they speak of; those that speak of none are train's, as is a single one."""
    if len(data) == 1:
        return {"train": list(data)}
    found: dict[str, list[str]] = {}
    for name in data:
        found.setdefault(split_named(Path(name).name) or "train", []).append(name)
    return {split: found[split] for split in SPLITS if split in found}


def _is_hub_name(name: str) -> bool:
    path = typed_path(name)
    parts = name.split("/")
    is_plain = len(parts) == 2 and all(part and not part.startswith((".", "~")) for part in parts)
    if path.is_dir() and saved_dataset(path):
        raise UsageError(
            "this is a data set that datasets saved, which `ftsweep new` does not look into",
            where=name,
            remedy="Write a sweep file with data: {train: FOLDER}; docs/sweep-file.md has one to begin with.",
        )
    return is_plain and not path.exists() and not path.parent.is_dir() and not any(sign in name for sign in "*?[")


def _look_at_hub(name: str, task: str | None, said: Mapping[str, Any]) -> Look:
    from ftsweep.data.sources.hub import Hub

    rows, num_rows = Hub(name=name).first_rows(NUM_LOOKED_AT)
    look = _judged(rows, {"train": [name]}, num_rows, ["hub"], task, said)
    look.is_hub = True
    return look


def _first_remedy(findings: Sequence[Finding]) -> str:
    return next((finding.remedy for finding in findings if finding.remedy), "Check that the file was written whole.")


def shown_examples(facts: ColumnFacts, most: int = 8) -> Iterator[str]:
    """The commonest values of a column, with how often each stands there."""
    for value, count in facts.counts.most_common(most):
        yield f"{value} ({count})"
