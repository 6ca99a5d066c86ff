"""Numbers to learn that lie far from all others: a missing point, another unit, a sign for nothing (`-999`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from ftsweep.domain.finding import Severity
from ftsweep.domain.spelling import number
from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, of_rows

if TYPE_CHECKING:
    import numpy as np

    from ftsweep.data.inspection import DataView


class FarNumbers(DataGuard):
    """Rows whose number lies far outside of the middle half of train's (Tukey 1977, with a wider fence).

    Args:
        mode: refuse, fix, allow or off.
        warn_beyond: widths of the middle half, beyond its ends.
    """

    can_fix = True

    def __init__(self, *, mode: Mode = "refuse", warn_beyond: Annotated[float, Gt(0)] = 10.0) -> None:
        super().__init__(mode=mode)
        self.warn_beyond = warn_beyond

    def look(self, data: DataView) -> Iterator[Sighting]:
        from numpy import flatnonzero, nanquantile

        if data.task.label_shape != "example" or data.task.label_type != "float" or data.texts.has_text_targets:
            return
        numbers = {split: _numbers(data, split) for split in data.rows}
        low, high = nanquantile(numbers["train"], [0.25, 0.75])
        fence = self.warn_beyond * (high - low)
        for split, values in numbers.items() if fence > 0 else ():
            far = flatnonzero((values < low - fence) | (values > high + fence)).tolist()
            if far:
                rows = data.rows[split]
                yield Sighting(
                    what=f"{of_rows(len(far), len(rows), split)} have a number far from the others: half of train's "
                    f"lie between {number(low)} and {number(high)}",
                    count=len(far),
                    num_rows=len(rows),
                    examples=tuple(f"{rows[row].place} ({number(values[row])})" for row in far[:NUM_EXAMPLES]),
                    severity=Severity.WARN,
                    remedy="They alone make rmse and the loss, which say little of the other rows. Choose by mae or "
                    "spearman, or mend them in the source where they are mistakes"
                    + (", or leave them out" if split == "train" else " (held-out rows are never left out)"),
                    train_rows=far if split == "train" else (),
                )


def _numbers(data: DataView, split: str) -> np.ndarray:
    """The numbers of a split's rows; nan for what is none."""
    from numpy import array

    return array([_number(data.texts.targets[row]) for row in data.ids[split]], dtype=float)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
