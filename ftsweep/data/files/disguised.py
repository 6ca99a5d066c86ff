"""Files of text, or tables, by their names that are lines of something else: words and tags, labels, cells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from ftsweep.data.files.annotated_texts import refuse_annotated
from ftsweep.data.files.base import ReadSettings
from ftsweep.data.files.conll_layout import DOCUMENT, TAG, cells_of
from ftsweep.data.files.json_ways import json_in_text_way
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.labelled_lines import refuse_labelled, refuse_marked, table_command
from ftsweep.errors import DataError

SAMPLE_LINES = 2_000
_MOST = 0.95
"""Share of the lines that must be of a kind."""
_FEWEST = 5  # lines that show anything
_LONGEST = 200  # characters of a word
_UNTYPED = {"B", "I", "E", "S", "L", "U", "O"}
"""Tags of entities that are all of one type."""
_LONG_SIGNS = ("+++$+++", ":::", "|||", "::", "||")
"""Signs of several characters that stand between cells, those first that hold others."""
_NAMES = {"text", "label", "labels", "prompt", "completion", "question", "answer", "tokens", "tags", "sentence"}
"""Names of columns that hardly any text begins with, with a comma behind."""
_MOST_SPACES = 2  # of a column's name
_CELLS = {"\t": "tab", ";": "semicolon", "|": "pipe"}


def holds_words_and_tags(lines: Sequence[str]) -> bool:
    """Whether they are a word and its tag each, with blank lines between sentences: a CoNLL file of another name."""
    words = [cells_of(line) for line in lines if line.strip() and not line.startswith("#")]
    words = [cells for cells in words if cells[0] not in DOCUMENT]
    has_sentences = any(not line.strip() for line in lines[:-1])
    if len(words) < _FEWEST or not has_sentences:
        return False
    size, count = Counter(map(len, words)).most_common(1)[0]
    if size < 2 or count < _MOST * len(words) or max(len(cells[0]) for cells in words) > _LONGEST:
        return False
    usual = [cells for cells in words if len(cells) == size]
    for place in range(1, size):
        tags = Counter(cells[place] for cells in usual)
        is_untyped = tags.keys() <= _UNTYPED and {"B", "O"} <= tags.keys()
        share = sum(number for tag, number in tags.items() if is_untyped or TAG.fullmatch(tag)) / len(usual)
        if share >= _MOST and any(tag != "O" for tag in tags):
            return True
    return False


def refuse_long_sign(file: DataFile, lines: Sequence[str], encoding: str, *, delimiter: str = "") -> None:
    """Raise DataError where cells are parted by a sign of several characters, which no table can be read with.

    The first line has it as often as the others: a name above texts with `::` in them has none. Where a delimiter parts
    all lines alike, signs of two characters are a part of the cells, and pipes between pipes are empty ones.
    """
    full = [line.strip() for line in lines if line.strip()]
    for sign in _LONG_SIGNS if len(full) >= _FEWEST else ():
        number, count = Counter(line.count(sign) for line in full).most_common(1)[0]
        is_within = delimiter and (len(sign) == 2 or (delimiter in sign and delimiter in full[0].replace(sign, "")))
        if number and full[0].count(sign) == number and count >= _MOST * len(full) and not is_within:
            cells = f"[cell.strip() for cell in line.split('{sign}')]".replace("$", "\\$")
            raise DataError(
                f"is a table by its lines, of {number + 1} cells each with {sign!r} between them, which is several "
                "characters",
                where=f"{file.where}:1",
                remedy=f"Write commas: {table_command(file, '', cells, encoding)}; where its first line is a row say "
                "data.header=false and the columns by number, 'data.columns={text: 2, label: 3}'.",
            )


def refuse_disguised(
    file: DataFile, lines: Sequence[str], settings: ReadSettings, encoding: str, *, reads_objects: bool = False
) -> None:
    """Raise DataError for a .txt file whose lines are rows with labels in them, unless its text alone is wanted.

    `reads_objects`: JSON objects are read from such lines, and are nothing to refuse.
    """
    full = [line for line in lines if line.strip()]
    if file.format != "txt" or not full:
        return
    wants_text = bool(settings.wanted) and set(settings.wanted) <= {"text"}
    if len(lines) < SAMPLE_LINES and not wants_text and not reads_objects and (way := json_in_text_way(file, lines)):
        raise DataError("holds one value of JSON by its lines", where=f"{file.where}:1", remedy=way)
    if len(full) < _FEWEST:
        return
    refuse_marked(file, full, encoding)
    if wants_text:
        return
    refuse_annotated(file, full, encoding)
    num_opened = sum(line.lstrip().startswith("{") for line in full)
    if not reads_objects and num_opened >= _MOST * len(full) and all(_is_object(line) for line in full[:_FEWEST]):
        raise DataError(
            "holds a JSON object a line by its lines",
            where=f"{file.where}:1",
            remedy="Name it .jsonl; the texts alone, whole lines, are learned by --task text (task=text).",
        )
    refuse_long_sign(file, full, encoding)
    first = [cell.strip().strip('"').lower() for cell in full[0].split(",")]
    are_names = len(first) > 1 and _NAMES & {*first} and all(cell.count(" ") <= _MOST_SPACES for cell in first)
    is_parted = any(not line.strip() for line in lines[: len(full)])  # a blank line stands between texts, not rows
    if are_names and not is_parted and all(line.count(",") >= len(first) - 1 for line in full):
        raise DataError(
            f"is a table by its lines, with the names {', '.join(first)} above it",
            where=f"{file.where}:1",
            remedy="Name it .csv; the texts alone, whole lines, are learned by --task text (task=text).",
        )
    refuse_labelled(file, full, encoding, is_parted=is_parted)
    _refuse_cells(file, full)


def _refuse_cells(file: DataFile, full: Sequence[str]) -> None:
    for sign, name in _CELLS.items():
        counts = Counter(line.count(sign) for line in full)
        number, count = counts.most_common(1)[0]
        if number and count >= _MOST * len(full):
            kind = "tsv" if sign == "\t" else "csv"
            raise DataError(
                f"is a table by its lines, of {number + 1} cells each with a {name} between them",
                where=f"{file.where}:1",
                remedy=f"Name it .{kind}; the texts alone, whole lines, are learned by --task text (task=text).",
            )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
