"""Columns and files that seem to hold rows out, and are not read so: their rows would be trained on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ftsweep.data.files.split_words import split_named, split_of_word
from ftsweep.data.looking.columns import ColumnFacts
from ftsweep.data.looking.names import PARTS_OF_ROWS
from ftsweep.domain.finding import Finding, Severity
from ftsweep.domain.paths import typed_path

_MOST_PARTS = 20
_OTHER_PARTS = {
    *("unlabeled", "unlabelled", "unsup", "unsupervised", "extra", "public", "private", "hidden", "unused", "not-used"),
    *("none", "predict", "prediction", "inference", "challenge", "ood"),
}
"""Parts of data that are no splits by their names."""
_NUM_SHOWN = 5
_MEND = "Write train, validation or test to a column of its own in each row, and say in data.split what it is called"


def is_of_splits(each: ColumnFacts) -> bool:
    """Whether all values of a column are names of splits, train among them."""
    splits = {split_of_word(word) for word in each.counts}
    return "" not in splits and {"train"} < splits


def part_findings(facts: Mapping[str, ColumnFacts], used: Collection[str], *, is_text: bool) -> Iterator[Finding]:
    """A warning of every column that nothing reads and that says which part of the data a row is in.

    It is named so, or some of its values are names of splits, train among them, and others are none. `is_text`: texts
    alone are learned, and such a name is told as that of a column that may be the label.
    """
    for name, each in facts.items():
        if name in used or not 2 <= each.num_distinct <= _MOST_PARTS:
            continue
        if (is_text or name.lower() not in PARTS_OF_ROWS) and not _has_other_parts(each):
            continue
        shown = ", ".join(f"{value} ({count})" for value, count in each.counts.most_common(_NUM_SHOWN))
        what = f"{name!r} seems to say which part of the data a row is in ({shown}), and is not read: rows that it "
        yield Finding("columns", Severity.WARN, f"{what}holds out are trained on as well", remedy=_MEND)


def _has_other_parts(each: ColumnFacts) -> bool:
    """Whether a column holds names of splits, train among them, and others: `train` beside `bus` is none."""
    splits = {split_of_word(word) for word in each.counts}
    others = {word.strip().lower() for word in each.counts if not split_of_word(word)}
    return {"", "train"} <= splits and (len(splits) > 2 or others <= _OTHER_PARTS)


def unsaid_findings(named: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """What to know of several names of train.

    A note of folders, whose names are no labels then; a warning of files beside one that is named after train, whose
    own names speak of no split.
    """
    train = named.get("train", ())
    names = [Path(each).name for each in train]
    if len(set(names)) == len(names) > 1 and all(typed_path(each).is_dir() for each in train):
        what = f"the folders {', '.join(names[:_NUM_SHOWN])} are read as one, and their names are not read: where they "
        yield Finding("files", Severity.NOTE, f"{what}are labels of texts, name the folder that holds them")
    unsaid = [each for each in train if split_named(Path(each).name) != "train"]
    if unsaid and len(unsaid) < len(train):
        what = f"{', '.join(unsaid[:_NUM_SHOWN])}: read as train, with those that are named so"
        remedy = "A file that is held out must have validation, dev or test in its name, or be named in the sweep file"
        yield Finding("files", Severity.WARN, what, count=len(unsaid), remedy=remedy)
