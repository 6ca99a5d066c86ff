"""From a source's rows to train, validation and test: unusable rows out, missing splits made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ftsweep.data.base import SPLITS, DataSource, Row, TaskEncoding
from ftsweep.data.likeness.alike import Likeness, Overlap
from ftsweep.data.likeness.texts import Texts
from ftsweep.data.splitting.own_split import make_splits
from ftsweep.data.splitting.ties import Ties
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import DataError

SplitRows = dict[str, list[Row]]
LeftOut = dict[str, list[tuple[Row, str]]]

MAX_UNUSABLE_RATE = 0.01
"""Share of a split's rows that may be unusable where no guard looks at the data (general text, stages)."""

NUM_SHOWN = 5
"""Rows that one message names."""

_NO_TARGET = "no usable target"
_SHORT_OF_SHARE = 0.5


@dataclass(frozen=True)
class Split:
    """The splits (test may be absent), who made each (`named` or `ftsweep`), and what was found on the way."""

    rows: SplitRows
    ids: dict[str, np.ndarray]
    """The numbers that the rows have in `texts`."""
    texts: Texts
    source: dict[str, str]
    left_out: LeftOut
    notes: list[Finding] = field(default_factory=list)

    def without(self, places: Collection[int]) -> Split:
        """The same with these rows of train left out; nothing else changes.

        Raises:
            DataError: nothing would be left of train.
        """
        kept = [place for place in range(len(self.rows["train"])) if place not in places]
        if not kept:
            raise DataError(
                "leaving out what the guards found (mode: fix) leaves no row of train",
                where="guards",
                remedy="Bring train rows that are not the held-out ones.",
            )
        rows = {**self.rows, "train": [self.rows["train"][place] for place in kept]}
        return replace(self, rows=rows, ids={**self.ids, "train": self.ids["train"][kept]})


def split_rows(
    loaded: Mapping[str, Sequence[Row]],
    source: DataSource,
    task: TaskEncoding,
    *,
    seed: int,
    likeness: Likeness | None = None,
    overlap: Overlap | None = None,
) -> Split:
    """Every usable row in exactly one split.

    A split that ftsweep makes keeps copies and declared groups on one side, with a `likeness` near-duplicates too, with
    an `overlap` rows that consist of others' passages.

    Raises:
        DataError: a split would be empty.
    """
    rows, left_out, said = _usable(loaded, task)
    texts = Texts(said.inputs, said.targets, likeness or Likeness(), writes_text=task.head == "causal_lm")
    ends = np.cumsum([len(members) for members in rows.values()])
    ids = {name: np.arange(end - len(rows[name]), end) for name, end in zip(rows, ends, strict=True)}
    notes = []
    fractions = _missing(rows, source)
    origin = dict.fromkeys(rows, "named")
    if fractions:
        members, numbers = rows["train"], ids["train"]
        ties = Ties(members, numbers, texts, source.group, likeness=likeness, overlap=overlap)
        strata = [task.stratum(row.values) for row in members]
        parts = make_splits(strata=strata, links=ties.links(fractions["train"]), fractions=fractions, seed=seed)
        notes += ties.notes
        for name, places in parts.items():
            rows[name], ids[name] = [members[place] for place in places], numbers[places]
            asked = fractions[name] * len(members)
            if len(places) < _SHORT_OF_SHARE * asked:
                notes.append(_short(name, len(places), asked))
        origin |= dict.fromkeys(fractions, "ftsweep")
    names = [name for name in SPLITS if name in rows]
    return Split(
        {name: rows[name] for name in names},
        {name: ids[name] for name in names},
        texts,
        {name: origin[name] for name in names},
        left_out,
        notes,
    )


def refuse_unusable(left_out: Sequence[tuple[Row, str]], num_rows: int, split: str) -> None:
    """Raise when so many rows cannot be used that something is wrong with all of them."""
    if len(left_out) <= MAX_UNUSABLE_RATE * num_rows:
        return
    raise DataError(
        f"{len(left_out)} of {num_rows} rows cannot be used: {describe(left_out)}",
        where=f"the {split} rows",
        remedy=f"Mend or remove them: up to {MAX_UNUSABLE_RATE:.0%} are left out, not more.",
    )


def describe(bad: Sequence[tuple[Row, str]]) -> str:
    """The first few rows with what is wrong with each."""
    shown = "; ".join(f"{row.place} ({reason})" for row, reason in bad[:NUM_SHOWN])
    return shown + (f"; and {len(bad) - NUM_SHOWN} more" if len(bad) > NUM_SHOWN else "")


class _Said(NamedTuple):
    """Inputs and targets of the usable rows, split by split; made once, for a conversation takes its time."""

    inputs: list[str]
    targets: list[str]


def _usable(loaded: Mapping[str, Sequence[Row]], task: TaskEncoding) -> tuple[SplitRows, LeftOut, _Said]:
    """Rows with an input and, where the data has targets at all, with a target."""
    texts = {name: [_texts_of(row, task) for row in rows] for name, rows in loaded.items()}
    has_targets = any(isinstance(target, str) and target.strip() for _, target in texts["train"])
    kept: SplitRows = {}
    left_out: LeftOut = {}
    said = _Said([], [])
    for name, rows in loaded.items():
        kept[name], left_out[name] = [], []
        for row, (text, target) in zip(rows, texts[name], strict=True):
            reason = row.problem or _unusable_reason(text, target, has_targets)
            if reason == _NO_TARGET:
                reason = _why_no_target(row, task)
            if reason is not None:
                left_out[name].append((row, reason))
                continue
            kept[name].append(row)
            said.inputs.append(str(text))
            said.targets.append(str(target))
        if not kept[name]:
            why = f" that can be used: {describe(left_out[name])}" if left_out[name] else ""
            raise DataError(f"the {name} split has no rows{why}", where="data", remedy="Bring rows, or leave it out.")
    return kept, left_out, said


def _texts_of(row: Row, task: TaskEncoding) -> tuple[str | ValueError, str | ValueError]:
    """The row's input and target, each or why there is none."""
    return _text_or_error(task.input_text, row), _text_or_error(task.target_text, row)


def _text_or_error(make: Callable[[Mapping[str, Any]], str], row: Row) -> str | ValueError:
    try:
        return make(row.values)
    except ValueError as error:  # a RowError: this row, not the program
        return error


def _unusable_reason(text: str | ValueError, target: str | ValueError, has_targets: bool) -> str | None:
    if isinstance(text, ValueError):
        return str(text)
    if not text.strip():
        return "no input"
    if isinstance(target, ValueError):
        return str(target)
    return _NO_TARGET if has_targets and not target.strip() else None


def _why_no_target(row: Row, task: TaskEncoding) -> str:
    """That there is none, and what is wrong with it where the task says so."""
    target_of = getattr(task, "target_of", None)
    try:
        if target_of is not None:
            target_of(row.values)
    except ValueError as error:  # a RowError
        return f"{_NO_TARGET}: {error}"
    return _NO_TARGET


def _missing(rows: SplitRows, source: DataSource) -> dict[str, float]:
    """The splits that ftsweep takes from train, train first, with their shares; empty when all are named."""
    if "validation" in rows:
        return {}
    test_fraction = 0.0 if "test" in rows else source.test_fraction
    fractions = {"train": 1 - source.validation_fraction - test_fraction, "validation": source.validation_fraction}
    return fractions | ({"test": test_fraction} if test_fraction > 0 else {})


def _short(split: str, num_rows: int, asked: float) -> Finding:
    return Finding(
        check="short_split",
        severity=Severity.WARN,
        message=f"{split} has {num_rows} rows, far from the {asked:.0f} asked for: groups, copies and near-duplicates "
        "cannot be divided",
        count=num_rows,
        rate=num_rows / asked,
        remedy="Use a finer data.group, or name the splits' files yourself",
    )
