"""Texts with annotations between them, as PubTator and SemEval have them: told by their lines, with what reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.labelled_lines import piped
from ftsweep.errors import DataError

_FEWEST = 2
_TITLE = re.compile(r"[^|\s]+\|t\|.*")
_ABSTRACT = re.compile(r"[^|\s]+\|a\|.*")
_PUBTATOR = (
    "import json, re; [print(json.dumps({'text': said.get('t', '') + ' ' + said.get('a', ''), 'entities': "
    "[[int(start), int(end), kind] for start, end, kind in "
    "re.findall(r'(?m)^[^\\t\\n]*\\t(\\d+)\\t(\\d+)\\t[^\\t\\n]*\\t([^\\t\\n]+)', block)]})) for block in "
    "re.split(r'\\n\\s*\\n', open(0, encoding='ENCODING').read()) for said in "
    "[dict(re.findall(r'(?m)^[^|\\n]*\\|([ta])\\|(.*)', block))] if said]"
)
"""Places count the characters of the title, a space, and the abstract."""
_PAIR = re.compile(r"\d+\t\"?.*<e1>.*</e1>.*<e2>.*</e2>.*")
_RELATIONS = (
    "import csv, re, sys; csv.writer(sys.stdout).writerows([['text', 'label'], "
    "*re.findall(r'(?m)^\\d+\\t\\x22?(.*<e1>.*?)\\x22?[ \\t\\r]*\\n(\\S+)', open(0, encoding='ENCODING').read())])"
)


def refuse_annotated(file: DataFile, full: Sequence[str], encoding: str) -> None:
    """Raise DataError for PubTator's titles, abstracts and mentions, and for sentences with a relation below each."""
    lines = [line.strip("\ufeff\r\n") for line in full]
    if len(lines) >= _FEWEST and _TITLE.fullmatch(lines[0]) and _ABSTRACT.fullmatch(lines[1]):
        raise DataError(
            "has titles, abstracts and mentions a line, as PubTator does",
            where=f"{file.where}:1",
            remedy=f"Write texts with entities: {piped(file, _PUBTATOR, encoding)} > NEW.jsonl; relations are left out",
        )
    num_pairs = sum(_PAIR.fullmatch(line) is not None for line in lines)
    if num_pairs >= _FEWEST and _PAIR.fullmatch(lines[0]) and num_pairs >= len(lines) / 4:
        raise DataError(
            "has sentences with <e1> and <e2>, and below each its relation, as SemEval-2010's task 8 does",
            where=f"{file.where}:1",
            remedy=f"Write a table: {piped(file, _RELATIONS, encoding)} > NEW.csv; comments are left out",
        )
