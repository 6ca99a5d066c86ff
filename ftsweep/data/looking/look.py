"""Somebody's files, or a data set of the hub, looked at: splits, columns, what they seem to be for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftsweep.data.base import SPLITS
from ftsweep.data.files.base import ReadSettings
from ftsweep.data.files.found import find_files, saved_dataset
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.split_words import split_named, split_of_word, splits_of_alike
from ftsweep.data.files.text_lists import TextLists
from ftsweep.data.looking.apart import doubt_of_parts, names_finding
from ftsweep.data.looking.columns import ColumnFacts, column_facts
from ftsweep.data.looking.doubts import Doubt, doubt_of
from ftsweep.data.looking.groups import group_column, group_finding
from ftsweep.data.looking.guess import Guess, guess_task
from ftsweep.data.looking.message_rows import with_way
from ftsweep.data.looking.names import PLURALS
from ftsweep.data.looking.parts import is_of_splits, part_findings, unsaid_findings
from ftsweep.data.looking.saved import saved_files
from ftsweep.data.looking.seen_rows import NUM_LOOKED_AT, SeenRows
from ftsweep.data.looking.told import told_of
from ftsweep.data.sources.loaded import few_of_many
from ftsweep.domain.commands import task_options
from ftsweep.domain.finding import Finding, Severity
from ftsweep.domain.paths import typed_path
from ftsweep.errors import DataError, UsageError

_OF_WORDS = ("tokens", "tags")
_MANY = 0.5
"""Share of texts that are conversations from which it is said although they are learned as text."""
_NEEDED = ("text", "label", "labels", "tokens", "tags", "completion", "chosen", "rejected", "messages", "output")
"""Columns without which no row of the task can be measured, under its own names."""


@dataclass
class Look:
    """What was found. `named` is what `data.<split>` is to be: a path or several; of the hub its name."""

    named: dict[str, list[str]]
    num_rows: dict[str, int]
    columns: Mapping[str, ColumnFacts]
    guess: Guess | None
    formats: Sequence[str]
    num_judged: int
    """Rows of train that columns are told by."""
    is_hub: bool = False
    is_headless: bool = False
    """Whether tables have no line of names: columns are numbers then."""
    num_unreadable: int = 0
    split_column: str | None = None
    """A column that says which split a row is of."""
    group_column: str | None = None
    """A column that nothing reads and whose equal values seem to belong together."""
    doubt: Doubt | None = None
    """Why there is no guess although columns have names of a task."""
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
    saved = typed_path(data[0])
    is_saved = len(data) == 1 and saved_dataset(saved)
    if is_saved:
        splits, findings = saved_files(saved)
    for split, names in named.items() if not is_saved else ():
        found = find_files(names, split=split, shared=[other for other in named if other != split])
        splits |= {other: files for other, files in found.splits.items() if files}
        findings += found.findings
    seen = SeenRows(ReadSettings(mapping=dict(said or {})))
    for split in (each for each in SPLITS if each in splits):
        for file in splits[split]:
            seen.read(split, file)
    where = ", ".join(named["train"])
    seen.check(where)
    of_words = _OF_WORDS if "conll" in seen.formats else ()  # columns that the reader of such files has taken already
    taken = {name: theirs for name, theirs in (said or {}).items() if name in of_words}
    rest = {name: theirs for name, theirs in (said or {}).items() if name not in taken}
    look = _judged(seen.rows, named, seen.num_rows, sorted(seen.formats), task, rest)
    findings += [*few_of_many(seen.findings, where), *few_of_many(_left_out(look, seen, splits), where)]
    if look.guess is not None and taken:
        look.guess = replace(look.guess, columns={**look.guess.columns, **taken})
    if list(look.named) == ["train"] and list(look.num_rows) == ["train"]:
        look.split_column, look.num_rows = _split_column(look)
    look.is_headless, look.num_unreadable = seen.is_headless, seen.num_bad
    about = [*_label_findings(look, seen.rows), *_transcript_findings(look)]
    if not said and task is None:
        about += [*told_of(look.guess, look.columns, seen.rows), *names_finding(look.guess, splits["train"])]
    about += [*_group_findings(look, seen.rows), *_held_out_findings(look, named)]
    look.findings = list(dict.fromkeys([*findings, *about]))
    if look.doubt is None and not said:
        look.doubt = seen.doubt_of_twice(look.guess) or doubt_of_parts(look.guess, seen.rows, seen.filled, seen.facts)
        look.doubt = look.doubt or (seen.doubt_of_lines() if task is None else None)
        look.guess = None if look.doubt else look.guess
    if look.doubt is not None:
        look.doubt = with_way(seen.with_labels(look.doubt), look.columns, splits["train"], seen.facts)
    return look


def _group_findings(look: Look, rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Take note of a column that says whose a row is, where nothing says which split a row is of."""
    if look.guess is not None and look.split_column is None:
        look.group_column = group_column(look.guess, look.columns, rows)
    return [] if look.group_column is None else [group_finding(look.columns[look.group_column], look.num_rows)]


def _held_out_findings(look: Look, named: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """What seems to be held out, and is read as train: files, and rows that a column tells apart."""
    yield from unsaid_findings(named)
    if look.split_column is None and look.guess is not None:
        yield from part_findings(look.columns, _used(look), is_text=look.guess.task == "text")


def _used(look: Look) -> set[str]:
    """The columns that the guess reads."""
    columns = look.guess.columns.values() if look.guess else ()
    return {str(name) for names in columns for name in (names if isinstance(names, list) else [names])}


def _split_column(look: Look) -> tuple[str | None, dict[str, int]]:
    """A column that holds the names of splits alone, and the rows of each, by those that were looked at."""
    used = _used(look)
    for name, facts in look.columns.items():
        if facts.num_missing == 0 and name not in used and is_of_splits(facts):
            splits = {word: split_of_word(word) for word in facts.counts}
            counts = Counter({split: 0 for split in SPLITS if split in splits.values()})
            for word, count in facts.counts.items():
                counts[splits[word]] += count
            share = look.num_rows["train"] / max(facts.num_values, 1)
            return name, {split: round(share * count) for split, count in counts.items()}
    return None, look.num_rows


def _left_out(look: Look, seen: SeenRows, splits: Mapping[str, Sequence[DataFile]]) -> list[Finding]:
    """Leave out the held-out files that lack what train's rows have to be measured by, and say so.

    Where a folder or an archive brings them the files of the other splits are named one by one.
    """
    columns = look.guess.columns if look.guess else {}
    needed = [each if isinstance(each, list) else [each] for name, each in columns.items() if name in _NEEDED]
    found = []
    for split in list(look.num_rows):
        for file in splits.get(split, ()):
            missing = seen.without_columns(split, file, needed)
            if not missing:
                continue
            has = "has no" if set(missing) - seen.columns[file] else "has nothing in the"
            lacks = f"{file.where} {has} column {', '.join(map(repr, missing))}"
            if split == "train":
                what = f"{lacks} as others of train have, and its rows cannot be learned"
                remedy = "Name the others alone, or write its columns as theirs"
            else:
                what = f"{lacks} as train has, and is not taken for {split}"
                remedy = "Give it train's columns and name it; rows without an answer are for `ftsweep predict`"
                if split not in look.named:
                    named = {each: [other.where for other in splits[each]] for each in splits if each in look.num_rows}
                    look.named = named
                _leave_out(look, split, file.where, seen.num_of_file[file])
            found.append(Finding("columns", Severity.WARN, what, remedy=remedy))
    return found


def _leave_out(look: Look, split: str, where: str, num_rows: int) -> None:
    """Take a file from a held-out split, which is none without files."""
    look.named[split] = [other for other in look.named[split] if other != where]
    look.num_rows[split] -= num_rows
    if not look.named[split]:
        look.named.pop(split)
        look.num_rows.pop(split)


def _label_findings(look: Look, rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What a column with a name of several labels shows that was taken for one label."""
    column = None if look.guess is None or look.guess.task != "classification" else look.guess.columns["label"]
    if not isinstance(column, str) or column.strip().lower() not in PLURALS:
        return []
    lists = TextLists()
    for row in rows:
        lists.add({"labels": row.get(column)})
    return lists.findings


def _transcript_findings(look: Look) -> list[Finding]:
    """How a column is read that holds conversations in one text, and what to say to have it read otherwise."""
    guess = look.guess
    used = None if guess is None else guess.columns.get("messages" if guess.task == "instruction" else "text")
    facts = look.columns.get(used) if isinstance(used, str) else None
    if guess is None or facts is None or not facts.num_transcripts:
        return []
    share = f"{facts.num_transcripts} of {facts.num_values} texts in {used!r} are whole conversations"
    form = f"in the form of {facts.marks}"
    if guess.task == "instruction":
        others = "" if facts.num_transcripts == facts.num_values else " (`ftsweep plan` names the others)"
        what = (
            f"{share} {form}{others}: they are read as messages, without the marks, and the answers are learned; "
            f"{task_options('text', text=used)} learns the texts as they stand"
        )
        return [Finding("conversations", Severity.NOTE, what)]
    if guess.task == "text" and facts.num_transcripts >= _MANY * facts.num_values:
        what = f"{share} {form}: they are read as plain text, and questions and marks are learned, too"
        remedy = f"To learn the answers alone: {task_options('instruction', messages=used)}"
        if not facts.is_transcripts:
            remedy = f"{remedy}; the texts that are none must be left out before"
        return [Finding("conversations", Severity.WARN, what, remedy=remedy)]
    return []


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
    guess = guess_task(facts, rows, said, task)
    doubt = None if said or task is not None else doubt_of(guess, facts, rows)
    return Look(named, num_rows, facts, None if doubt else guess, formats, len(rows), doubt=doubt)


def _by_split(data: Sequence[str]) -> dict[str, list[str]]:
    """The names by the split that they speak of; those that speak of none are train's, as is a single one."""
    if len(data) == 1:
        return {"train": list(data)}
    found: dict[str, list[str]] = {}
    alike = splits_of_alike([Path(name).name for name in data])
    for name in data:
        found.setdefault(split_named(Path(name).name) or alike.get(Path(name).name, "train"), []).append(name)
    return {split: found[split] for split in SPLITS if split in found}


def _is_hub_name(name: str) -> bool:
    path = typed_path(name)
    parts = name.split("/")
    is_plain = len(parts) == 2 and all(part and not part.startswith((".", "~")) for part in parts)
    return is_plain and not path.exists() and not path.parent.is_dir() and not any(sign in name for sign in "*?[")


def _look_at_hub(name: str, task: str | None, said: Mapping[str, Any]) -> Look:
    from ftsweep.data.sources.hub import Hub

    rows, num_rows = Hub(name=name).first_rows(NUM_LOOKED_AT)
    look = _judged(rows, {"train": [name]}, num_rows, ["hub"], task, said)
    look.is_hub, look.findings = True, [*_transcript_findings(look), *_group_findings(look, rows)]
    return look


def shown_examples(facts: ColumnFacts, most: int = 8) -> Iterator[str]:
    """The commonest values of a column, with how often each stands there."""
    for value, count in facts.counts.most_common(most):
        yield f"{value} ({count})"
