"""Which columns of a file with a word a line are words and tags: as its user says, or by what stands in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.data.files.text import excerpt
from ftsweep.errors import DataError

DOCUMENT = ("-DOCSTART-", "-DOCEND-")
TAG = re.compile(r"O|[BIESLUMW][-_]\S.*")
_MOST = 0.95
"""Share of a column's cells that are tags, for it to be a column of tags."""
_HALF = 0.5
"""Share of tags below which a column of them is refused as a whole and not row by row."""
_OUTSIDE = 0.1
"""Share of O in a column of tags without B- and I-."""
_MOST_BARE = 50  # different tags in such a column
_RANGE = re.compile(r"\d+[-.]\d+")
_GLOBAL = re.compile(r"#\s*global\.columns\s*=\s*(.*\S)")
_TAG_NAMES = {"tag", "tags", "ner", "ner_tag", "ner_tags", "ne", "label", "labels", "bio", "iob", "entity"}
"""What a first line calls the column of tags, where it names the columns."""

_NO_TAGS = (
    "Tags are O, B-<type> and I-<type>; say which column has them by its number: data.columns.tags=NUMBER. To learn a "
    "class of each word, such as its part of speech, write B- before each: B-NOUN."
)

Cells = Sequence[str]


@dataclass(frozen=True)
class Layout:
    """Columns from 0."""

    words: int = 0
    tags: int | None = 1
    """None where only words are asked and there are no tags."""
    num_columns: int = 2
    takes_last: bool = True
    """Whether the tag is a line's last cell, however many cells it has."""
    index: bool = False
    """Whether the first column numbers the words."""
    others: tuple[int, ...] = ()
    """Columns that hold tags, too."""
    has_header: bool = False
    """Whether the first line names the columns."""
    is_said: bool = False
    """Whether the user says both columns."""

    @property
    def tag_place(self) -> int:
        """Where in a line's cells the tag is."""
        return -1 if self.takes_last or self.tags is None else self.tags

    @property
    def num_cells(self) -> int:
        """How many cells a line has at least."""
        if self.tags is None:
            return self.num_columns
        return self.words + 2 if self.takes_last else max(self.words, self.tags) + 1


def find_layout(lines: Sequence[str], mapping: Mapping[str, Any], *, needs_tags: bool, where: str) -> Layout:
    """The layout of a file that begins with these lines.

    Args:
        lines: with comments, blank lines and whatever else there is.
        mapping: `tokens` and `tags` to a column's number (from 1) or its name in a first line or CoNLL-U Plus's
            `global.columns`; either may be missing.
        needs_tags: whether rows without tags are of no use.
        where: the file, for messages.

    Raises:
        DataError: the columns that are said are not there, or none can be words and tags.
    """
    sample = [cells_of(line) for line in lines if not line.startswith("#") and line.strip()]
    sample = [cells for cells in sample if cells[0] not in DOCUMENT]
    if not sample:
        return Layout()
    names, has_header = _names_in(lines, sample, mapping)
    sample = sample[has_header:] or sample
    num = Counter(map(len, sample)).most_common(1)[0][0]
    usual = [cells for cells in sample if len(cells) == num]
    usual = [cells for cells in usual if num < 3 or not is_range(cells[0])] or usual
    columns = list(zip(*usual, strict=True))
    has_index = num > 2 and sum(map(str.isdigit, columns[0])) >= _MOST * len(usual)
    words, said = (_said(mapping.get(name), name, names, num, where) for name in ("tokens", "tags"))
    tagged = _tag_columns(columns)
    tags = said if said is not None or not tagged else tagged[-1]
    if needs_tags:
        tags = _checked(tags, columns, said, where)
    if words is None:
        words = next((each for each in range(num) if each != tags and not (each == 0 and has_index)), 0)
    return Layout(
        words,
        tags,
        num,
        takes_last=said is None and tags == num - 1,
        index=has_index,
        others=tuple(each for each in tagged if each != tags),
        has_header=has_header,
        is_said=said is not None and mapping.get("tokens") not in (None, "tokens"),
    )


def is_range(cell: str) -> bool:
    """Whether CoNLL-U numbers several words in one (`1-2`) so, or none (`8.1`)."""
    return _RANGE.fullmatch(cell) is not None


def cells_of(line: str) -> list[str]:
    """The cells of a line: parted by tabs, or by white space where there is no tab."""
    text = line.strip()
    return [cell.strip() for cell in text.split("\t")] if "\t" in text else text.split()


def _names_in(lines: Sequence[str], sample: Sequence[Cells], mapping: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Names of the columns, [] without any; and whether the first line of the sample has them."""
    for line in lines:
        if match := _GLOBAL.match(line):
            return match[1].split(), False
    first = sample[0]
    asked = {str(name) for own, name in mapping.items() if str(name) != own and not str(name).isdigit()}
    others = {cells[-1] for cells in sample[1:]}
    is_header = bool(asked & set(first)) or (first[-1].lower() in _TAG_NAMES and first[-1] not in others)
    return (list(first), True) if is_header and len(first) > 1 else ([], False)


def _said(named: Any, own: str, names: Sequence[str], num: int, where: str) -> int | None:
    """The column that data.columns names by number or name, from 0; None where it does not."""
    if named is None or str(named) == own:
        return None
    if str(named) in names:
        return names.index(str(named))
    if str(named).isdigit() and 1 <= int(named) <= num:
        return int(named) - 1
    known = f" ({', '.join(names)})" if names else ""
    raise DataError(
        f"there is no column {named!r}, which data.columns.{own} names: its lines have {num} cells{known}",
        where=where,
        remedy=f"Name columns of this kind of file by number, from 1: data.columns.{own}={num}.",
    )


def _tag_columns(columns: Sequence[Cells]) -> list[int]:
    """The columns that hold tags; where there are none, those of tags without B- and I-."""
    found = [place for place, cells in enumerate(columns) if _are_tags(cells)]
    return found or [place for place, cells in enumerate(columns) if _are_bare_tags(cells)]


def _are_tags(cells: Cells) -> bool:
    return _share_of_tags(cells) >= _MOST and len(set(cells)) <= max(200, len(cells) / 4)


def _are_bare_tags(cells: Cells) -> bool:
    return len(set(cells)) <= _MOST_BARE and cells.count("O") >= _OUTSIDE * len(cells)


def _share_of_tags(cells: Cells) -> float:
    return sum(number for cell, number in Counter(cells).items() if TAG.fullmatch(cell)) / len(cells)


def _checked(tags: int | None, columns: Sequence[Cells], said: int | None, where: str) -> int:
    """The column of tags. Raises DataError where there is none, or hardly a cell of it is a tag.

    Of two columns the second may have a few tags only: the rows' own problems say what is wrong with the others.
    """
    if len(columns) < 2:
        raise DataError(
            f"its lines are a word without a tag, such as {excerpt(columns[0][0])!r}",
            where=where,
            remedy="Every line must be a word and its tag, 'London B-location'; a blank line ends a sentence.",
        )
    is_sure = tags is not None and (said is None or _are_bare_tags(columns[tags]))
    place = 1 if tags is None and len(columns) == 2 else tags
    if is_sure or (place is not None and _share_of_tags(columns[place]) >= _HALF):
        assert place is not None
        return place
    if place is not None:
        shown = ", ".join(repr(cell) for cell, _ in Counter(columns[place]).most_common(3))
        what = f"column {place + 1} holds no tags of entities, but {excerpt(shown)}"
    else:
        what = f"no column looks like tags of entities: {excerpt(' | '.join(cells[0] for cells in columns))}"
    raise DataError(what, where=where, remedy=_NO_TAGS)
