"""Rows that cannot be used, or teach something odd: unreadable, empty, without a label, cut, out of order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftsweep.data.base import Row
from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, of_rows, percent, places

if TYPE_CHECKING:
    from ftsweep.data.cut_lengths import CutAt
    from ftsweep.data.encoding import Places
    from ftsweep.data.inspection import DataView


class UnusableRows(DataGuard):
    """Rows that cannot be read, or have no input or no target. They are always left out.

    Args:
        mode: refuse, allow or off.
        warn_above: share of a split's rows.
        refuse_above: share of a split's rows.
    """

    least_to_refuse = 2
    what = "cannot be used and are left out"
    remedy = "Mend or remove them in the source, or go on without them"

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.0, refuse_above: float | None = 0.01
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split, rows in data.rows.items():
            left_out = data.left_out.get(split, ())
            refused = [(rows[place], reason) for place, reason in data.encoding.dropped.get(split, ())]
            bad = [(row, reason) for row, reason in [*left_out, *refused] if self.is_about(row)]
            if bad:
                num_rows = len(rows) + len(left_out)
                reasons = list(dict.fromkeys(reason for _, reason in bad))
                shown = "; ".join(reasons[:2]) + ("; ..." if len(reasons) > 2 else "")
                yield Sighting(
                    what=f"{of_rows(len(bad), num_rows, split)} {self.what}: {shown}",
                    count=len(bad),
                    num_rows=num_rows,
                    examples=tuple(row.place for row, _ in bad[:NUM_EXAMPLES]),
                    remedy=self.remedy,
                )

    def is_about(self, row: Row) -> bool:
        """Whether a row that cannot be used is this guard's business."""
        return not is_chat(row)


def is_chat(row: Row) -> bool:
    """Whether a row has a conversation in a column of its own."""
    return any(row.values.get(name) is not None for name in ("messages", "conversations"))


class InvalidTags(DataGuard):
    """Rows that can be used although the task says what is wrong with them: tags that break the BIO rule.

    Args:
        mode: refuse, fix, allow or off.
        warn_above: share of a split's rows.
        refuse_above: share of a split's rows.
    """

    can_fix = True
    least_to_refuse = 2

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.0, refuse_above: float | None = 0.01
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split, rows in data.rows.items():
            problems = [(place, data.task.row_problem(row.values)) for place, row in enumerate(rows)]
            bad = {place: problem for place, problem in problems if problem is not None}
            if bad:
                yield Sighting(
                    what=f"{of_rows(len(bad), len(rows), split)} are used although "
                    f"something is wrong with them: {next(iter(bad.values()))}",
                    count=len(bad),
                    num_rows=len(rows),
                    examples=places(rows, bad),
                    remedy="Mend them in the source" + (", or leave them out" if split == "train" else ""),
                    train_rows=list(bad) if split == "train" else (),
                )


class UnsupervisedRows(DataGuard):
    """Examples without any label: nothing is learned from them, and nothing is measured.

    Args:
        mode: refuse, fix, allow or off.
        refuse_above: share of a split's examples.
    """

    can_fix = True

    def __init__(self, *, mode: Mode = "refuse", refuse_above: float | None = 0.0) -> None:
        super().__init__(mode=mode, warn_above=0.0, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split, bad in data.encoding.unsupervised.items():
            yield Sighting(
                what=f"{of_rows(len(bad), data.encoding.num_examples[split], split)} have nothing to learn: no label "
                "is left within task.max_length",
                count=len(bad),
                num_rows=data.encoding.num_examples[split],
                examples=places(data.rows[split], bad),
                remedy="Allow more tokens" + (", or leave them out" * (split == "train")),
                override=_all_learned(data),
                train_rows=bad if split == "train" else (),
            )


class CutInputs(DataGuard):
    """Inputs that `task.max_length` cuts.

    Args:
        mode: refuse, allow or off.
        warn_above: share of the examples.
        refuse_above: share of the examples.
    """

    noun = "inputs"

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.05, refuse_above: float | None = 0.2
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        cut = self.cut(data)
        count, num_rows = sum(map(len, cut.values())), sum(data.encoding.num_examples.values())
        if count:
            longer, still_cut = self._longer(data)
            found = [data.rows[split][place].place for split, rows in cut.items() for place in rows[:NUM_EXAMPLES]]
            yield Sighting(
                what=f"{count} of {num_rows} {self.noun} ({percent(count / num_rows)}) are cut by task.max_length",
                count=count,
                num_rows=num_rows,
                examples=tuple(found[:NUM_EXAMPLES]),
                remedy=_allow_more(longer, still_cut),
                override=longer,
            )

    def _longer(self, data: DataView) -> tuple[str, float]:
        """The override for as many tokens as the data needs or the model takes; the share that is cut even then."""
        enough = next((each for each in data.lengths if self.share_at(each) <= (self.warn_above or 0.0)), None)
        each = enough or (data.lengths[-1] if data.lengths else None)
        return ("", 0.0) if each is None else (f"task.max_length={each.max_length}", self.share_at(each))

    def share_at(self, length: CutAt) -> float:
        """The share of the examples that lose something at this length."""
        return length.inputs

    def cut(self, data: DataView) -> Places:
        """The rows that lost something, by split."""
        return data.encoding.inputs_cut


class CutTargets(CutInputs):
    """Answers, tags or texts to learn that `task.max_length` cuts.

    Args:
        mode: refuse, allow or off.
        warn_above: share of the examples.
        refuse_above: share of the examples.
    """

    noun = "targets"

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.01, refuse_above: float | None = 0.05
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def cut(self, data: DataView) -> Places:
        return data.encoding.targets_cut

    def share_at(self, length: CutAt) -> float:
        return length.targets


def _allow_more(longer: str, still_cut: float) -> str:
    if not longer:
        return "Shorten them in the source, for the model takes no more tokens"
    if not still_cut:
        return "Allow more tokens"
    return f"Allow more tokens ({percent(still_cut)} are cut even then: shorten those in the source)"


def _all_learned(data: DataView) -> str:
    """The override for as many tokens as leave every target whole, or as the model takes; "" when that is no more."""
    enough = next((each for each in data.lengths if not each.targets), None)
    each = enough or (data.lengths[-1] if data.lengths else None)
    return "" if each is None else f"task.max_length={each.max_length}"
