"""Whether train teaches what it should, and validation can tell trials apart: copies, conflicts, classes, size."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt

from ftsweep.data.base import Row
from ftsweep.data.likeness.alike import group_key
from ftsweep.domain.finding import Severity
from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, of_rows

if TYPE_CHECKING:
    from ftsweep.data.inspection import DataView

_LARGER_FRACTION = 0.2
"""Of the rows for validation, where the share that ftsweep takes is smaller."""

_NUM_CLASSES_SHOWN = 5
_LONGEST_SHOWN = 30  # characters of a label


class RepeatedRows(DataGuard):
    """Rows of train that repeat an earlier one: inputs alike, exactly or normalised, targets but for case and spaces.

    Digits and signs of a target are what it says: `{"qty": 3}` is another answer than `{"qty": 5}`.

    Args:
        mode: refuse, fix, allow or off.
        warn_above: share of train's rows.
        refuse_above: share of train's rows.
    """

    can_fix = True

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.02, refuse_above: float | None = 0.2
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        first: dict[tuple[bytes, str], int] = {}
        copies: dict[int, int] = {}
        for place, number in enumerate(data.ids["train"]):
            key = (data.texts.keys.normalised[number], " ".join(data.texts.targets[number].casefold().split()))
            if first.setdefault(key, place) != place:
                copies[place] = first[key]
        if copies:
            rows = data.rows["train"]
            shown = list(copies.items())[:NUM_EXAMPLES]
            yield Sighting(
                what=f"{of_rows(len(copies), len(rows), 'train')} repeat an earlier one",
                count=len(copies),
                num_rows=len(rows),
                examples=tuple(f"{rows[copy].place} = {rows[earlier].place}" for copy, earlier in shown),
                remedy="Repeated rows weigh more in training. Leave the copies out if they are not meant",
                train_rows=list(copies),
            )


class ConflictingLabels(DataGuard):
    """Rows of train with one input, exactly or normalised, and different labels.

    Args:
        mode: refuse, fix, allow or off.
        warn_above: share of train's rows.
        refuse_above: share of train's rows; null never refuses.
    """

    can_fix = True

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.005, refuse_above: float | None = None
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        if data.texts.has_text_targets or data.task.label_type != "int":
            return  # several good answers to one question are no conflict
        by_key: dict[bytes, list[int]] = defaultdict(list)
        for place, number in enumerate(data.ids["train"]):
            by_key[data.texts.keys.normalised[number]].append(place)
        targets = [data.texts.targets[number] for number in data.ids["train"]]
        groups = [group for group in by_key.values() if len({targets[place] for place in group}) > 1]
        rows = data.rows["train"]
        count = sum(map(len, groups))
        if count:
            yield Sighting(
                what=f"{of_rows(count, len(rows), 'train')} share their input with a row that has another label",
                count=count,
                num_rows=len(rows),
                examples=tuple(_pair(group, targets, rows) for group in groups[:NUM_EXAMPLES]),
                remedy="At most one of the labels is right. Mend them, or leave all of these rows out",
                train_rows=sorted(place for group in groups for place in group),
            )


class ClassImbalance(DataGuard):
    """A class of train with many times the rows of another.

    Args:
        mode: refuse, allow or off.
        warn_above_ratio: rows of the commonest class for one of the rarest.
    """

    def __init__(self, *, mode: Mode = "refuse", warn_above_ratio: Annotated[float, Gt(1)] = 10.0) -> None:
        super().__init__(mode=mode)
        self.warn_above_ratio = warn_above_ratio

    def look(self, data: DataView) -> Iterator[Sighting]:
        counts = _class_counts(data)
        if len(counts) < 2:
            return
        (common, most), (rare, least) = counts[0], counts[-1]
        if most > self.warn_above_ratio * least:
            weigh = " task.class_weights=balanced" if getattr(data.task, "class_weights", None) == "none" else ""
            yield Sighting(
                what=f"train has {most / least:.0f} rows of {common!r} ({most}) for every row of {rare!r} ({least})",
                count=most,
                num_rows=sum(number for _, number in counts),
                severity=Severity.WARN,
                remedy="Judge by a metric to which all classes are equal, and weigh them in training",
                override=f"objective.metric=macro_f1{weigh}",
            )


class RareClasses(DataGuard):
    """Classes with few rows in train.

    Args:
        mode: refuse, allow or off.
        warn_below: rows of a class.
    """

    def __init__(self, *, mode: Mode = "refuse", warn_below: Annotated[int, Ge(1)] = 20) -> None:
        super().__init__(mode=mode)
        self.warn_below = warn_below

    def look(self, data: DataView) -> Iterator[Sighting]:
        counts = _class_counts(data)
        rare = [(label, number) for label, number in reversed(counts) if number < self.warn_below]
        if rare:
            shown = ", ".join(f"{label!r} ({number})" for label, number in rare[:_NUM_CLASSES_SHOWN])
            more = f" and {len(rare) - _NUM_CLASSES_SHOWN} more" if len(rare) > _NUM_CLASSES_SHOWN else ""
            have = "has" if len(rare) == 1 else "have"
            yield Sighting(
                what=f"{len(rare)} of {len(counts)} classes {have} under {self.warn_below} train rows: {shown}{more}",
                count=len(rare),
                num_rows=len(counts),
                severity=Severity.WARN,
                remedy="Bring more rows of them, or leave the classes out: what is measured of them is chance",
            )


class SmallData(DataGuard):
    """Too few rows to tell trials apart by them, or rows of too few groups (`data.group`).

    Args:
        mode: refuse, allow or off.
        warn_below: rows of validation (of packed text: examples, if there are more).
        refuse_below: the same. Fewer groups than this are a warning.
    """

    def __init__(
        self,
        *,
        mode: Mode = "refuse",
        warn_below: Annotated[int, Ge(0)] = 200,
        refuse_below: Annotated[int, Ge(0)] = 50,
    ) -> None:
        super().__init__(mode=mode)
        self.warn_below = warn_below
        self.refuse_below = refuse_below

    def look(self, data: DataView) -> Iterator[Sighting]:
        yield from self._rows(data)
        yield from self._groups(data)

    def _groups(self, data: DataView) -> Iterator[Sighting]:
        """Rows of one group succeed and fail together: so few of them are what a score rests on."""
        group = data.source.group
        for split in data.held_out if group is not None else ():
            keys = [group_key(row, group) or place for place, row in enumerate(data.rows[split])]
            if (count := len(set(keys))) < min(self.refuse_below, len(keys)):
                yield Sighting(
                    what=f"the {len(keys)} rows of {split} have {count} different values of {group}; rows with one of "
                    "them are right and wrong together, so that scores are as unsure as those of so few rows would be",
                    count=count,
                    num_rows=len(keys),
                    severity=Severity.WARN,
                    remedy=f"Bring rows with more values of {group}, or take a larger share for {split}",
                )

    def _rows(self, data: DataView) -> Iterator[Sighting]:
        count = max(len(data.rows["validation"]), data.encoding.num_examples["validation"])
        if count >= max(self.warn_below, self.refuse_below):
            return
        can_grow = data.origin["validation"] == "ftsweep" and data.source.validation_fraction < _LARGER_FRACTION
        is_small = count < self.refuse_below
        share = f"data.validation_fraction={_LARGER_FRACTION}"
        yield Sighting(
            what=f"validation has {count} rows; with fewer than {self.refuse_below if is_small else self.warn_below} "
            + ("the best trial is the luckiest" if is_small else "trials differ by chance"),
            count=count,
            num_rows=count,
            severity=Severity.REFUSE if is_small else Severity.WARN,
            remedy="Bring more rows" + (", or take a larger share" if can_grow else ""),
            override=share if can_grow else "",
        )


def _class_counts(data: DataView) -> list[tuple[str, int]]:
    """Classes of train with their rows, commonest first; [] for a task without classes."""
    return Counter(data.labels("train")).most_common() if data.has_classes else []


def _pair(group: list[int], targets: list[str], rows: Sequence[Row]) -> str:
    """Two rows of a group that differ in their label, with the labels where they are short enough to see it."""
    first = group[0]
    other = next(place for place in group if targets[place] != targets[first])
    told = [f" ({target!r})" if len(target) <= _LONGEST_SHOWN else "" for target in (targets[first], targets[other])]
    return f"{rows[first].place}{told[0]} = {rows[other].place}{told[1]}"
