"""Whether more data would still help: what a setting comes to on parts of train, and what that says. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import stdev

from ftsweep.domain.data_scaling import DataPoint, DataScaling, Gain
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number

SHARES = (0.25, 0.5, 1.0)
"""Of train, nested."""

SURE = 2.0  # standard errors
SMALL = 0.01  # of the objective: a gain that is surely below it is hardly worth more data


Rows = Mapping[tuple[float, float], tuple[float, float] | None]
"""By two shares: the objective's paired difference on the validation rows, smaller - larger, and its standard error."""


def gains_of(points: Sequence[DataPoint], objective: Objective, rows: Rows) -> list[Gain]:
    """From each share to the next larger one. Errors of rows and of seeds are taken as independent of each other."""
    sign = 1.0 if objective.direction == "minimize" else -1.0
    found = []
    for smaller, larger in pairwise(points):
        pair = rows.get((smaller.share, larger.share))
        errors = [error for error in (pair[1] if pair else None, _error_of_seeds(smaller, larger)) if error is not None]
        value = sign * (smaller.mean - larger.mean)
        found.append(Gain(smaller.share, larger.share, value, math.hypot(*errors) if errors else None))
    return found


def _error_of_seeds(smaller: DataPoint, larger: DataPoint) -> float | None:
    """Of the mean difference of runs with the same seed."""
    pairs = zip(smaller.values, larger.values, strict=True)
    differences = [left - right for left, right in pairs if left is not None and right is not None]
    return stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else None


def said_of(points: Sequence[DataPoint], gains: Sequence[Gain], objective: Objective) -> str:
    """Whether more data would still help, in one or two sentences with the numbers."""
    failed = [point for point in points if math.isnan(point.mean)]
    if failed:
        shares = ", ".join(f"{point.share:.0%}" for point in failed)
        return f"Whether more data would help is not known: the setting did not complete on {shares} of train."
    last = gains[-1]
    seeds = len(points[-1].values)
    numbers = (
        f"from {last.smaller:.0%} to {last.larger:.0%} of train ({points[-2].num_examples:,} to "
        f"{points[-1].num_examples:,} examples) {objective.key} {_change(last)}"
        + (f" (mean of {seeds} seeds)" if seeds > 1 else " (one seed: ± is of the rows alone)")
        + "".join(f"; from {gain.smaller:.0%} to {gain.larger:.0%} it {_change(gain)}" for gain in gains[-2::-1])
    )
    return f"{_verdict(last, points[-1].mean)}: {numbers}."


def _verdict(last: Gain, value: float) -> str:
    error = last.standard_error
    if error is None:
        return "More data may help or not, one run with no known noise tells"
    if last.value > SURE * error:
        return "More data would still help"
    if last.value < -SURE * error:
        return "More data did not help, it made the result worse"
    if last.value + SURE * error < SMALL * abs(value):
        return "More data would hardly help"
    return "Whether more data would help is within the noise"


def _change(gain: Gain) -> str:
    word = "improved" if gain.value >= 0 else "worsened"
    error = "" if gain.standard_error is None else f" ± {number(gain.standard_error, digits=2)}"
    return f"{word} by {number(abs(gain.value), digits=2)}{error}"


def as_result(points: Sequence[DataPoint], gains: Sequence[Gain], objective: Objective) -> DataScaling:
    """The part of a study's result that tells whether more data would help."""
    is_whole = not any(math.isnan(point.mean) for point in points)
    return DataScaling(said_of(points, gains, objective), tuple(points), tuple(gains) if is_whole else ())
