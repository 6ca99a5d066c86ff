"""Texts and what is to be learned of them that stand in different files, or in the names of files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.data.files.base import FileFacts
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.shell import path_argument, python_command
from ftsweep.data.files.split_words import split_named
from ftsweep.data.looking.annotated import ELSE, Doubt
from ftsweep.data.looking.columns import is_missing
from ftsweep.data.looking.guess import Guess
from ftsweep.domain.finding import Finding, Severity

_MERGED = (
    "import pandas, sys; one, two = (pandas.read_csv(each, dtype=str, keep_default_na=False, sep=sign, encoding=code) "
    "for each, sign, code in zip(sys.argv[1:3], SIGNS, CODES)); one.merge(two, how='left', on=sys.argv[4])"
    ".to_csv(sys.argv[3], index=False)"
)
_MOST_NAMED = 20
_NUM_SHOWN = 4
_LABELLED = (
    "import json, pathlib, sys; [print(json.dumps({'text': line.strip(), 'label': pathlib.Path(each).LABEL})) for each "
    "in sys.argv[1:] for line in open(each, encoding=ENCODING) if line.strip()]"
)
"""A row for each line of files of text, with the name of its file as the label."""
_WITH_NAME = (
    "import json, pathlib, sys; [print(json.dumps({**json.loads(line), 'label': pathlib.Path(each).stem})) for each "
    "in sys.argv[1:] for line in open(each, encoding='utf-8-sig') if line.strip()]"
)


def doubt_of_parts(
    guess: Guess | None,
    rows: Sequence[Mapping[str, Any]],
    filled: Mapping[DataFile, set[str]],
    known: Mapping[DataFile, FileFacts],
) -> Doubt | None:
    """The doubt about a guess whose columns never stand in one row: the text in one file, the label in another.

    Args:
        rows: some of train's.
        filled: the columns of each file that have a value.
        known: what was found out about each file.
    """
    used = [] if guess is None else [str(each) for each in guess.columns.values() if not isinstance(each, list)]
    if guess is None or len(used) < 2 or guess.task == "text" or guess.task == "instruction":
        return None
    if any(not any(is_missing(row.get(name)) for name in used) for row in rows):
        return None
    remedy = "Write them to the same rows"
    has_first = next((file for file in filled if used[0] in filled[file] and used[1] not in filled[file]), None)
    has_other = next((file for file in filled if used[1] in filled[file] and used[0] not in filled[file]), None)
    if has_first is not None and has_other is not None:
        shared = [name for name in filled[has_first] & filled[has_other] if "." not in name]
        are_tables = has_first.format == has_other.format in ("csv", "tsv") and not has_first.member
        if shared and are_tables:
            distinct = {name: {row[name] for row in rows if not is_missing(row.get(name))} for name in sorted(shared)}
            key = max(distinct, key=lambda name: len(distinct[name]))  # an id, not a language or a source
            paths = f"{path_argument(has_first.path)} {path_argument(has_other.path)} NEW.csv {shlex.quote(key)}"
            facts = [known[has_first], known[has_other]]
            code = _MERGED.replace("SIGNS", repr([each.delimiter for each in facts]))
            code = code.replace("CODES", repr([each.encoding for each in facts]))
            remedy = f"Put the two tables together by {key!r}: {python_command(code, paths)}"
    names = " and ".join(map(repr, used[:2]))
    return Doubt(f"no row has both {names}: they stand in different files or rows", f"{remedy}. {ELSE}")


def encoding_of(paths: Sequence[str], encodings: Sequence[str]) -> str:
    """Python for the encoding of `each`, one of these paths."""
    if len(set(encodings)) == 1:
        return f"'{encodings[0]}'"
    return f"{list(encodings)}[sys.argv.index(each) - 1]"


def labels_way(paths: Sequence[str], encodings: Sequence[str]) -> str:
    """The command that makes a row of each line of files of text, labelled by their names; "" where names are alike."""
    stems = [Path(path).stem for path in paths]
    suffixes = [Path(path).suffix.removeprefix(".") for path in paths]
    name = "stem" if len(set(stems)) == len(stems) else "suffix[1:]" if len(set(suffixes)) == len(suffixes) else ""
    if not name:
        return ""
    arguments = f"{' '.join(path_argument(Path(path)) for path in paths)} > NEW.jsonl"
    code = _LABELLED.replace("LABEL", name).replace("ENCODING", encoding_of(paths, encodings))
    return f"If the names of the files are labels: {python_command(code, arguments)}. "


def names_finding(guess: Guess | None, files: Sequence[DataFile]) -> Iterator[Finding]:
    """A note of files of rows without a label whose names may be labels: `pos.jsonl` and `neg.jsonl`."""
    names = [file.path.name.partition(".")[0] for file in files]
    may_be = 2 <= len(set(names)) == len(names) <= _MOST_NAMED and not any(map(split_named, names))
    if guess is None or guess.task != "text" or not may_be or any(file.member for file in files):
        return
    if any(file.format == "txt" for file in files) or len({re.sub(r"\d+", "", name) for name in names}) < len(names):
        return
    what = f"rows have no label, and the names of their files are not read: {', '.join(names[:_NUM_SHOWN])}"
    remedy = "if they are labels, write them to a column of the rows"
    if all(file.format == "jsonl" and not file.compression for file in files):
        paths = f"{' '.join(path_argument(file.path) for file in files)} > NEW.jsonl"
        remedy = f"if they are labels: {python_command(_WITH_NAME, paths)}"
    yield Finding("labels", Severity.NOTE, f"{what}; {remedy}")
