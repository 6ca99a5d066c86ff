"""Labels by their names: written in several ways, alike but for case or spaces, or absent from a held-out split."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ftsweep.domain.finding import Severity
from ftsweep.guards.base import DataGuard, Mode, Sighting

if TYPE_CHECKING:
    from ftsweep.data.inspection import DataView

_NUM_SHOWN = 5
_NO_LABELS = (
    *("-", "--", "?", "null", "n/a", "unlabeled", "unlabelled"),
    *("#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!"),
)
"""What stands for a label that nobody gave, the errors of spreadsheets among it."""


class LabelSpelling(DataGuard):
    """Labels that differ only in case, spaces or the form of their characters; and what was taken for one label.

    A label that says that nobody gave one (`-1` beside whole numbers, `-` beside words) is a warning.

    What is one label by what a file's format does to it (`1`, `1.0` and `"1"`; true and `True`; composed and decomposed
    accents; padding) is a note.

    Args:
        mode: refuse, allow or off.
    """

    def __init__(self, *, mode: Mode = "refuse") -> None:
        super().__init__(mode=mode)

    def look(self, data: DataView) -> Iterator[Sighting]:
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        for split in data.rows:
            for label, written in _labels(data, split):
                spellings[label][written] += 1
        yield from self._united(spellings)
        if data.has_classes:
            yield from self._unlabelled(spellings)
        alike: dict[str, list[str]] = defaultdict(list)
        for label in sorted(spellings):
            alike[_folded(label)].append(label)
        groups = [group for group in alike.values() if len(group) > 1]
        if groups:
            shown = "; ".join(
                " and ".join(f"{_readable(label)} ({spellings[label].total()})" for label in group)
                for group in groups[:_NUM_SHOWN]
            )
            count = sum(map(len, groups))
            yield Sighting(
                what=f"{count} of {len(spellings)} labels differ from another only in case, spaces or Unicode form: "
                f"{shown}{_more(groups)}",
                count=count,
                num_rows=len(spellings),
                severity=Severity.WARN,
                remedy="Make one label of each",
                override="task.fold_labels=true" if hasattr(data.task, "fold_labels") else "",
            )

    def _unlabelled(self, spellings: dict[str, Counter[str]]) -> Iterator[Sighting]:
        """A label that says that nobody labelled the row, as SNLI and others write it."""
        for label, found in spellings.items():
            others = [each for each in spellings if each != label]
            # -1 beside 0 and 1 alone may be the opposite of 1
            is_number = label == "-1" and len(others) > 2 and all(map(str.isdecimal, others))
            is_sign = label.lower() in _NO_LABELS and any(any(map(str.isalpha, each)) for each in others)
            is_sign = is_sign and "+" not in others  # then it is its opposite
            if len(others) > 1 and (is_number or is_sign):
                yield Sighting(
                    what=f"{label!r} is a label of {found.total()} rows beside {', '.join(map(repr, others[:3]))}"
                    f"{_more(others, 3)}: in many data sets that says that nobody labelled the row, and it is learned "
                    "as a class",
                    count=found.total(),
                    num_rows=sum(each.total() for each in spellings.values()),
                    severity=Severity.WARN,
                    remedy="Take these rows out of the files, unless it is a class",
                )

    def _united(self, spellings: dict[str, Counter[str]]) -> Iterator[Sighting]:
        several = {label: found for label, found in spellings.items() if len(found) > 1}
        if several:
            shown = "; ".join(
                f"{label!r}: " + ", ".join(f"{written} ({number})" for written, number in found.most_common(_NUM_SHOWN))
                for label, found in list(several.items())[:_NUM_SHOWN]
            )
            yield Sighting(
                what=f"{len(several)} of {len(spellings)} labels are written in several ways, and count as one each: "
                f"{shown}{_more(several)}",
                count=len(several),
                num_rows=len(spellings),
                severity=Severity.NOTE,
            )


class AbsentClasses(DataGuard):
    """Labels of train of which a split that measures has no row.

    Args:
        mode: refuse, allow or off.
    """

    def __init__(self, *, mode: Mode = "refuse") -> None:
        super().__init__(mode=mode)

    def look(self, data: DataView) -> Iterator[Sighting]:
        known = Counter(label for label, _ in _labels(data, "train"))
        for split in data.held_out:
            found = {label for label, _ in _labels(data, split)}
            absent = [label for label, _ in known.most_common() if label not in found]
            if absent:
                shown = ", ".join(repr(label) for label in absent[:_NUM_SHOWN])
                yield Sighting(
                    what=f"{split} has no row of {len(absent)} of {len(known)} labels of train: {shown}"
                    f"{_more(absent)}; macro_f1 counts each of them as 0",
                    count=len(absent),
                    num_rows=len(known),
                    severity=Severity.WARN if split == "validation" else Severity.NOTE,
                    remedy="Bring rows of them, or judge by a metric over all rows, such as loss",
                )


def _labels(data: DataView, split: str) -> Iterator[tuple[str, str]]:
    """Every label of a split with how it is written; nothing for a task without labels."""
    labels_in = getattr(data.task, "labels_in", None)
    if labels_in is not None:
        for row in data.rows[split]:
            yield from labels_in(row.values)


def _folded(label: str) -> str:
    folded = unicodedata.normalize("NFKC", label).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _readable(label: str) -> str:
    """The label in quotes; escaped where its characters are not what they look like."""
    return repr(label) if unicodedata.is_normalized("NFKC", label) else ascii(label)


def _more(items: Iterable[object], num_shown: int = _NUM_SHOWN) -> str:
    number = len(list(items)) - num_shown
    return f"; and {number} more" if number > 0 else ""
