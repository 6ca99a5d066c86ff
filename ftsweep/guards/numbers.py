"""Numbers to learn that lie far from all others: a missing point, another unit, a sign for nothing (`-999`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from ftsweep.domain.finding import Severity
from ftsweep.domain.spelling import number
from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, of_rows, percent

if TYPE_CHECKING:
    import numpy as np

    from ftsweep.data.inspection import DataView

_MOST = 0.5
"""Of all squared distances from the middle: with less, a score is not that of the far rows alone."""
_APART = 3.0
"""Times the distance of the furthest of the other numbers."""


class FarNumbers(DataGuard):
    """Rows whose number lies far outside of the middle half of train's (Tukey 1977, with a wider fence).

    A warning where they make most of the squared distances from the middle, or stand apart from all others; else a
    note: prices and counts have long tails.

    Args:
        mode: refuse, fix, allow or off.
        warn_beyond: widths of the middle half, beyond its ends.
    """

    can_fix = True

    def __init__(self, *, mode: Mode = "refuse", warn_beyond: Annotated[float, Gt(0)] = 10.0) -> None:
        super().__init__(mode=mode)
        self.warn_beyond = warn_beyond

    def look(self, data: DataView) -> Iterator[Sighting]:
        from numpy import flatnonzero

        if data.task.label_shape != "example" or data.task.label_type != "float" or data.texts.has_text_targets:
            return
        numbers = {split: _numbers(data, split) for split in data.rows}
        share, low, middle, high = _middle(numbers["train"])
        fence = self.warn_beyond * (high - low)
        for split, values in numbers.items() if fence > 0 else ():
            is_far = (values < low - fence) | (values > high + fence)
            if far := flatnonzero(is_far).tolist():
                rows, weight = data.rows[split], _weight(values - middle, is_far)
                is_warning = weight >= _MOST or _stand_apart(values - middle, is_far)
                yield Sighting(
                    what=f"{of_rows(len(far), len(rows), split)} have a number far from the others: {share} of train's "
                    f"lie between {number(low)} and {number(high)}",
                    count=len(far),
                    num_rows=len(rows),
                    examples=tuple(f"{rows[row].place} ({number(values[row])})" for row in far[:NUM_EXAMPLES]),
                    severity=Severity.WARN if is_warning else Severity.NOTE,
                    remedy=f"{percent(weight)} of the squared distances from the middle are theirs, so about as much "
                    "of a squared loss. Choose by mae or spearman, learn the logarithm of such numbers, or "
                    "mend them in the source where they are mistakes"
                    + (", or leave them out" if split == "train" else " (held-out rows are never left out)"),
                    train_rows=far if split == "train" else (),
                )


def _middle(values: np.ndarray) -> tuple[str, float, float, float]:
    """How many of the numbers lie in the middle, where that begins, its middle and its end.

    The middle half; where that is one number (many zeros) the middle nine tenths.
    """
    from numpy import nanquantile

    low, middle, high = nanquantile(values, [0.25, 0.5, 0.75]).tolist()
    if low < high:
        return "half", low, middle, high
    low, high = nanquantile(values, [0.05, 0.95]).tolist()
    return "nine tenths", low, middle, high


def _weight(distances: np.ndarray, is_far: np.ndarray) -> float:
    """The far numbers' share of all squared distances from the middle."""
    from numpy import nansum

    return float(nansum(distances[is_far] ** 2) / nansum(distances**2))


def _stand_apart(distances: np.ndarray, is_far: np.ndarray) -> bool:
    """Whether nothing lies between them and the others, as something does in a long tail of prices or counts."""
    from numpy import nanmax

    others = abs(distances[~is_far])
    return not len(others) or bool(abs(distances[is_far]).min() > _APART * nanmax(others))


def _numbers(data: DataView, split: str) -> np.ndarray:
    """The numbers of a split's rows; nan for what is none."""
    from numpy import array

    return array([_number(data.texts.targets[row]) for row in data.ids[split]], dtype=float)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
