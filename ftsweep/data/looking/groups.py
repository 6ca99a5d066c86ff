"""Columns that say whose a row is (a customer, a patient, a document): such rows tell of each other."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ftsweep.data.looking.columns import ColumnFacts
from ftsweep.data.looking.guess import Guess
from ftsweep.data.looking.names import JUDGED, LABELS, LISTS, NUMBERS, RATINGS
from ftsweep.domain.commands import override
from ftsweep.domain.finding import Finding, Severity

_WHOSE = {
    *("account", "article", "author", "case", "client", "company", "conversation", "customer", "dialog", "dialogue"),
    *("doc", "document", "employee", "household", "owner", "participant", "patient", "person", "project", "respondent"),
    *("reviewer", "sender", "session", "speaker", "student", "thread", "user", "username", "visitor", "writer"),
}
_BESIDE = {
    *("id", "ids", "identifier", "uid", "uuid", "key", "no", "nr", "num", "number", "name", "hash", "code", "ref"),
    *("the", "by", "of"),
}
"""Words that stand beside such a word in the name of a column."""
_FINER = {
    *(*LABELS, *LISTS, *NUMBERS, *JUDGED, *RATINGS, "type", "kind", "genre", "fine", "coarse", "level", "confidence"),
    *("reason", "length", "date", "timestamp", "time"),
}
"""Words in names of columns that say more of the label, or that a label may be made of."""
_LEAST_GROUPS = 10
_GROUPS_PER_LABEL = 3
"""Fewer groups than so many times the labels may be the labels under other names."""
_LEAST_ROWS = 2.0
"""Rows of a group, on average."""
_LEAST_GAIN = 0.3
"""Of the rows that always naming the commonest label gets wrong, the share that the group's other rows get right."""


def is_whose(name: str) -> bool:
    """Whether a column's name says whose a row is: `customer`, `patient_id`, `authorName`."""
    rest = [word for word in _words(name) if word not in _BESIDE]
    return len(rest) == 1 and rest[0] in _WHOSE


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def group_column(guess: Guess, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> str | None:
    """A column that nothing reads and whose values seem to be groups of rows; None without one.

    It is named so, or the other rows with the same value tell the label of a row.
    """
    used = _names(guess.columns.values())
    label = guess.columns.get("label") if guess.task == "classification" else None
    num_labels = facts[label].num_distinct if isinstance(label, str) and label in facts else 1
    found = [name for name, each in facts.items() if name not in used and _may_be_groups(each, num_labels)]
    telling = [name for name in found if isinstance(label, str) and _is_telling(rows, name, label)]
    return next(iter([*telling, *filter(is_whose, found)]), None)


def group_finding(facts: ColumnFacts, splits: Collection[str]) -> Finding:
    """What to do about such a column that is not declared, with these splits given.

    Where all are, nobody has looked whether its values stand on both sides: `plan` does, and keeps nothing together.
    """
    key = override("data.group", facts.name)
    stand = f"{facts.num_distinct} values of {facts.name!r} stand in {facts.num_values} rows"
    why = (
        "Where rows with one of them tell of each other, and some are measured while the others are trained on, scores "
        "are too good"
    )
    if {"validation", "test"} <= set(splits):
        what = f"{stand} of train. {why}. With {key} ftsweep plan says whether your splits share any"
        return Finding("groups", Severity.NOTE, what)
    own = next(
        (f" (your {split} is refused where it shares any)" for split in ("validation", "test") if split in splits), ""
    )
    remedy = f"Keep them in one split, as a comment in the file says{own}"
    return Finding("groups", Severity.WARN, f"{stand}. {why}", remedy=remedy, override=key)


def group_comment(splits: Collection[str]) -> str:
    """What the key does with these splits given."""
    if {"validation", "test"} <= set(splits):
        return "refuses rows that have it in common on both sides"
    return "keeps rows that have it in common in one split"


def _may_be_groups(each: ColumnFacts, num_labels: int) -> bool:
    is_short = (each.kind == "number" and not each.has_fractions) or (each.kind == "text" and each.mean_words < 4)
    is_several = each.num_distinct >= max(_LEAST_GROUPS, _GROUPS_PER_LABEL * num_labels)
    return is_short and is_several and each.num_values >= _LEAST_ROWS * each.num_distinct


def _is_telling(rows: Sequence[Mapping[str, Any]], name: str, label: str) -> bool:
    """Whether groups tell the label, and the column is not the label more finely (`subcategory`), or what it was made
    of (a `rating` of which low ones are `bad`, a date in a file that is sorted by label).
    """
    is_finer = any(word.removeprefix("sub") in _FINER for word in _words(name))
    return not is_finer and _told(rows, name, label) >= _LEAST_GAIN and not _is_cut(rows, name, label)


def _is_cut(rows: Sequence[Mapping[str, Any]], name: str, label: str) -> bool:
    """Whether each label is one stretch of the column's values in their order, as if cut at thresholds."""
    counts: dict[Any, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if _is_there(row, name) and _is_there(row, label):
            counts[_in_order(row[name])][str(row[label])] += 1
    told = [counts[value].most_common(1)[0][0] for value in sorted(counts)]
    return sum(one != other for one, other in pairwise(told)) < len(set(told))


def _in_order(value: Any) -> tuple[float, str]:
    """Numbers by their size, also those of a table's text; then texts."""
    try:
        return float(value), ""
    except (TypeError, ValueError):
        return math.inf, str(value)


def _told(rows: Sequence[Mapping[str, Any]], name: str, label: str) -> float:
    """Of the rows that are not of the commonest label, the share by which the commonest of a group's other rows is
    right more often; 0 where there are none.
    """
    pairs = [(str(row[name]), str(row[label])) for row in rows if _is_there(row, name) and _is_there(row, label)]
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for group, value in pairs:
        groups[group][value] += 1
    commonest = Counter(value for _, value in pairs).most_common(1)
    num_right = num_common = num_asked = 0
    for group, value in pairs:
        others = groups[group] - Counter([value])
        if others:
            num_asked += 1
            num_right += others.most_common(1)[0][0] == value
            num_common += value == commonest[0][0]
    return (num_right - num_common) / max(1, num_asked - num_common)


def _is_there(row: Mapping[str, Any], name: str) -> bool:
    return row.get(name) is not None and str(row[name]).strip() != ""


def _names(columns: Iterable[Any]) -> set[str]:
    """The columns of the file that are read, and what they are parts of."""
    found = {str(name) for each in columns for name in (each if isinstance(each, list | tuple) else [each])}
    return found | {name.partition(".")[0] for name in found}
