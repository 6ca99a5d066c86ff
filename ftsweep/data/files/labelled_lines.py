"""Lines of text with their labels in them, before or behind the text, and the command that writes them as a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ftsweep.data.files.conll_layout import TAG
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.printed import printed
from ftsweep.errors import DataError

MARKED = "__label__"
_MOST = 0.95
"""Share of the lines that must be of a kind."""
_FEWEST = 5  # lines of a label, on average
_MOST_LABELS = 50
_MOSTLY = 0.75
_TABLE = (
    "import csv, re, sys; csv.writer(sys.stdout).writerows([HEAD*(CELLS for line in open(0, encoding='ENCODING') if "
    "line.strip())])"
)


class _Form(NamedTuple):
    pattern: re.Pattern[str]
    """Of a line, with its label as a group."""
    told: str
    names: str
    cells: str
    """Python for the cells of `line`, in the order of the names."""
    is_alone: bool = False
    """Whether it is looked for only where no blank lines stand between texts: prose begins so, too."""


_FORMS = (
    _Form(
        re.compile(r"([A-Za-z_]+:[A-Za-z_]+) .*"),
        "before each text, as labels stand there",
        "['label', 'text']",
        "line.strip().split(' ', 1)",
    ),
    _Form(
        re.compile(r"([+-]?\d)[ ,].*"),
        "before each text, as numbers of classes stand there",
        "['label', 'text']",
        "re.split('[ ,]+', line.strip(), maxsplit=1)",
        is_alone=True,
    ),
    _Form(
        re.compile(r"(\w[\w-]*), ?\S.*"),
        "and a comma before each text, as labels stand there",
        "['label', 'text']",
        "re.split(', *', line.strip(), maxsplit=1)",
        is_alone=True,
    ),
    _Form(
        re.compile(r"\S+ .*\S(?:@| *@ +)(\w[\w-]*)"),
        "behind each text and an @, as labels stand there",
        "['text', 'label']",
        "[cell.strip() for cell in line.rsplit('@', 1)]",
        is_alone=True,
    ),
    _Form(
        re.compile(r".*\S *, *(\w[\w-]*)"),
        "behind each text and a comma, as labels stand there",
        "['text', 'label']",
        "[cell.strip() for cell in line.rsplit(',', 1)]",
        is_alone=True,
    ),
    _Form(
        re.compile(r"\((\d) \(.*\)"),
        "at the root of each line's tree, as labels of sentences stand there",
        "['text', 'label']",
        "[' '.join(re.findall('([^() ]+)[)]', line)), line.strip()[1]]",
    ),
)
_ALONE = "the texts alone, whole lines, are learned by --task text (task=text)."
_SLASHED = re.compile(r"\S+/(O|[BIESLU]-\S+)")
_TAGGED = (
    "import json, sys; [print(json.dumps(dict(zip(('tokens', 'tags'), zip(*(word.rpartition('/')[::2] for word in "
    "line.split())))))) for line in open(0, encoding='ENCODING') if line.strip()]"
)


def refuse_labelled(file: DataFile, full: Sequence[str], encoding: str, *, is_parted: bool = False) -> None:
    """Raise DataError for lines of which each has one of a few labels at its beginning or its end, or tags in it.

    `is_parted`: blank lines stand between them.
    """
    for form in _FORMS:
        if form.is_alone and is_parted:
            continue
        matches = [match[1] for line in full if (match := form.pattern.fullmatch(line.strip()))]
        labels = Counter(matches)
        if (
            not _count_up(matches)
            and len(matches) >= _MOST * len(full)
            and 1 < len(labels) <= min(_MOST_LABELS, len(full) / _FEWEST)
        ):
            raise DataError(
                f"has one of {len(labels)} words such as {next(iter(labels))!r} {form.told}",
                where=f"{file.where}:1",
                remedy=f"Write it as a table: {table_command(file, form.names, form.cells, encoding)}; {_ALONE}",
            )
    words = [word for line in full for word in line.split()]
    if sum(_SLASHED.fullmatch(word) is not None for word in words) >= _MOST * len(words):
        raise DataError(
            "has a tag behind each word and a slash",
            where=f"{file.where}:1",
            remedy=f"Write words and tags as lists: {piped(file, _TAGGED, encoding)} > NEW.jsonl; {_ALONE}",
        )
    cells = [line.split() for line in full]
    if all(len(each) == len(cells[0]) > 1 for each in cells):
        tags = [each[-1] for each in cells]
        if sum(map(bool, map(TAG.fullmatch, tags))) >= _MOST * len(tags) and {*tags} != {"O"}:
            raise DataError(
                "has a word and its tag a line, and no blank line between sentences",
                where=f"{file.where}:1",
                remedy="Put one behind each sentence, and name it .conll; where a point, a question or an exclamation "
                f"mark ends sentences: {printed(file)} | awk '{{print}} $1 ~ /^[.!?]$/ {{print \"\"}}' > NEW.conll",
            )


def _count_up(found: Sequence[str]) -> bool:
    """Whether most of them are the number behind the one before: they number lines or verses."""
    if not all(each.lstrip("+-").isdigit() for each in found):
        return False
    numbers = list(map(int, found))
    return sum(two - one == 1 for one, two in pairwise(numbers)) > _MOSTLY * len(numbers)


def table_command(file: DataFile, names: str, cells: str, encoding: str) -> str:
    """The command that writes a table of a file's lines, with every mark and quote of them."""
    code = _TABLE.replace("HEAD", f"{names}, " * bool(names)).replace("CELLS", cells)
    return f"{piped(file, code, encoding)} > NEW.csv"


def refuse_marked(file: DataFile, full: Sequence[str], encoding: str) -> None:
    """Raise DataError for lines with fastText's labels."""
    if sum(line.startswith(MARKED) for line in full) < _MOST * len(full):
        return
    is_single = all(line.count(MARKED) == 1 for line in full)
    text = f"' '.join(word for word in line.split() if not word.startswith('{MARKED}'))"
    labels = f"'|'.join(word[{len(MARKED)}:] for word in line.split() if word.startswith('{MARKED}'))"
    names = f"['label{'' if is_single else 's'}', 'text']"
    raise DataError(
        f"has labels before its texts as fastText does ({MARKED}...)",
        where=f"{file.where}:1",
        remedy=f"Write it as a table: {table_command(file, names, f'[{labels}, {text}]', encoding)}",
    )


def piped(file: DataFile, code: str, encoding: str) -> str:
    """The command that runs code on a file's lines; the code reads them with ENCODING."""
    return f'{printed(file)} | python -c "{code.replace("ENCODING", encoding)}"'
