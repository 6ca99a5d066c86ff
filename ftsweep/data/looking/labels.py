"""Which column says of each row what it is: one of few classes, or several of them with a sign between."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ftsweep.data.files.split_words import split_of_word
from ftsweep.data.looking.columns import ColumnFacts, column_named
from ftsweep.data.looking.names import ABOUT_ROWS, JUDGED, LABELS, NOT_DATA, PLURALS, RATINGS

MOST_CLASSES = 200
_FEW_NUMBERS = 20
_MOST_RATES = 11  # as from 0 to 10
_PAIRS = ("\n", "|", ";")
_FEWEST_JOINED = 2
_OF_IDS = re.compile(r".*([_. -](?i:id|ids|uuid|hash|sha)|[a-z]I[dD]|[a-z]Id)|(?i:(.*[_. -])?repo([_. -].*)?)")
"""Names of columns that hold ids: `user_id`, `ProductId`, `repo_name`."""
_ABOUT = ("meta", "metadata", "_meta")
"""Columns of objects that say where a row is from."""
_DATES_AND_HASHES = re.compile(
    r"(?i)(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ]\d.*)?|[0-9a-f]{16,}"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-.*"
)


def label_column(facts: Mapping[str, ColumnFacts]) -> str | None:
    """The column of few classes that is named like one, else like a rating, else has the fewest; None without any."""

    def may_be(each: ColumnFacts) -> bool:
        few = 2 <= each.num_distinct <= min(MOST_CLASSES, max(2, each.num_values / 2))
        is_class = each.kind == "text" and each.mean_words < 5
        is_number = each.kind == "number" and not each.has_fractions and each.num_distinct <= _FEW_NUMBERS
        return few and (is_class or is_number) and each.name.lower() not in NOT_DATA

    candidates = {name: each for name, each in facts.items() if may_be(each)}
    unnamed = {
        name: each
        for name, each in candidates.items()
        if each.num_values >= each.num_missing and not is_named_as_id(name) and not _are_no_classes(each)
    }
    unnamed = {name: each for name, each in unnamed.items() if name.partition(".")[0].lower() not in _ABOUT}
    unnamed = {name: each for name, each in unnamed.items() if name.lower() not in ABOUT_ROWS} or unnamed
    rates = {name: each for name, each in candidates.items() if each.num_distinct <= _MOST_RATES}
    rates = {name: each for name, each in rates.items() if not is_named_as_id(name)}
    named = column_named(candidates, LABELS) or column_named(candidates, JUDGED) or column_named(rates, RATINGS)
    return named or min(unnamed, key=lambda name: unnamed[name].num_distinct, default=None)


def _are_no_classes(each: ColumnFacts) -> bool:
    """Whether a column holds splits of rows, dates or hashes."""
    are_splits = all(map(split_of_word, each.counts)) and "train" in map(split_of_word, each.counts)
    return are_splits or all(map(_DATES_AND_HASHES.fullmatch, each.counts))


def may_be_labels(facts: Mapping[str, ColumnFacts], label: str) -> list[str]:
    """Other columns that may as well be the label where its name does not say that it is; none where it does."""
    if is_named(facts[label]):
        return []
    is_about = label.lower() in ABOUT_ROWS
    others = {
        name: each
        for name, each in facts.items()
        if name != label and (is_about or name.lower() not in ABOUT_ROWS) and not all(map(split_of_word, each.counts))
    }
    found = []
    while (name := label_column(others)) is not None:
        found.append(name)
        others.pop(name)
    return found


def is_named(each: ColumnFacts) -> bool:
    """Whether a column has a name of labels."""
    return column_named({each.name: each}, (*LABELS, *JUDGED, *RATINGS)) is not None


def is_named_as_id(name: str) -> bool:
    """Whether a column is named as one of ids, or of repositories."""
    return _OF_IDS.fullmatch(name) is not None


def separator_of_joined(each: ColumnFacts) -> str | None:
    """What stands between several labels in some of the cells, where each of them alone is another cell; else None."""
    for separator in (*_PAIRS, ","):
        joined = [text for text in each.counts if separator in text]
        parts = {part.strip() for text in joined for part in text.split(separator)}
        if len(joined) >= _FEWEST_JOINED and parts <= each.counts.keys():
            return separator
    return None


def is_joined(each: ColumnFacts) -> bool:
    """Whether a column's texts are a few names with separators between them."""
    for separator in (*_PAIRS, ",") if each.name.strip().lower() in PLURALS else _PAIRS:
        cells = [{part.strip() for part in text.split(separator)} for text in each.counts]
        parts = set().union(*cells)
        if separator == "\n" and sum(map(len, cells)) == len(parts):
            continue  # no part comes again in another cell: a name that is broken into lines
        if any(separator in text for text in each.counts) and len(parts) <= min(MOST_CLASSES, each.num_values / 2):
            return True
    return False
