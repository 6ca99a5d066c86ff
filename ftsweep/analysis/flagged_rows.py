"""The winner on rows that guards flagged and on the others: what that says, in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ftsweep.domain.metric import comparing_parts
from ftsweep.domain.objective import Objective
from ftsweep.domain.scores import Flagged, Interval, PartScores
from ftsweep.domain.spelling import number

_SURE = 2.0  # standard errors


@dataclass(frozen=True)
class FlaggedLine:
    """One part of a split: how many rows it has, and the metric on them."""

    split: str
    part: str
    num_rows: int
    value: float | None
    interval: Interval | None


def flagged_lines(flagged: Flagged, objective: Objective) -> tuple[str, list[FlaggedLine]]:
    """The metric that is shown, and a line per split and part: clean, flagged, then each guard."""
    lines = []
    metric = objective.metric
    for split, parts in flagged.items():
        metric = told_metric(parts["clean"].values, objective) if "clean" in parts else metric
        for name, part in parts.items():
            value, interval = part.values.get(metric), part.intervals.get(metric)
            lines.append(FlaggedLine(split, name, part.num_rows, value, interval))
    return metric, lines


def told_metric(values: Mapping[str, float], objective: Objective) -> str:
    """The metric by which parts of a split are told apart: the objective's or a readable one, if it compares parts."""
    own = objective.metrics.get(objective.metric)
    if objective.metric in values and objective.metric != "loss" and (own is None or own.compares_parts):
        return objective.metric
    return comparing_parts(objective.metrics, values) or "loss"


def said_of_flagged(flagged: Flagged, objective: Objective) -> str:
    """A sentence per split: how flagged rows score against clean ones; "" where no row is flagged."""
    return " ".join(_sentence(split, parts, objective) for split, parts in flagged.items())


def _sentence(split: str, parts: Mapping[str, PartScores], objective: Objective) -> str:
    by_guard = ", ".join(f"{name} {part.num_rows}" for name, part in parts.items() if name not in _BOTH)
    flagged, clean = parts["flagged"], parts.get("clean")
    total = flagged.num_rows + (clean.num_rows if clean else 0)
    begin = f"{flagged.num_rows} of {total} rows of {split} are flagged ({by_guard})"
    if clean is None:
        return f"{begin}: no row is clean."
    metric = told_metric(clean.values, objective)
    ours, theirs = flagged.values.get(metric), clean.values.get(metric)
    if ours is None or theirs is None:
        return f"{begin}."
    text = f"{begin}: {metric} {number(ours)} there, {number(theirs)} on clean rows"
    error = _error(flagged, clean, metric)
    if error is None:
        return f"{text}; too few rows to compare."
    is_far = abs(ours - theirs) > _SURE * error
    what = "a difference" if is_far else "within the noise: a difference"
    return f"{text}, {what} of {number(ours - theirs, digits=2)} ± {number(error, digits=2)}."


_BOTH = ("clean", "flagged")


def _error(one: PartScores, other: PartScores, metric: str) -> float | None:
    """Standard error of the difference of two parts that share no row."""
    found = [part.intervals[metric].standard_error for part in (one, other) if metric in part.intervals]
    return math.hypot(*found) if len(found) == 2 else None
