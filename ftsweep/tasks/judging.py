"""What a judge of answers promises: rows in, scores out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ftsweep.domain.component import Component
from ftsweep.domain.metric import Metrics, as_float, dependent
from ftsweep.errors import ConfigError


@dataclass(frozen=True)
class JudgedRow:
    """One row of a split, answered by a model."""

    values: Mapping[str, Any]
    """The row's columns, under the task's names for them."""
    prompt: str
    expected: str
    answer: str


class Judge(Component, ABC):
    """Scores answers by a rule of its own. The constructor's keyword-only arguments are the schema of `task.judge`.

    It runs on the worker, in a process that has a trial's model in memory, at every rung that generates answers.
    """

    component_kind = "judge"

    metrics: ClassVar[Metrics]
    """What it scores by; names that the task has not."""

    problem: str = ""
    """Why rows of the last call have no score, as a clause for people; "" where all have one, or it is not known."""

    @property
    def cost(self) -> Mapping[str, float]:
        """What its scores have cost so far, by unit (`{"calls": 12, "tokens": 3400}`): metrics of the trial, as
        `judge/<unit>`. By default nothing."""
        return {}

    def open(self, folder: Path) -> None:
        """Called before the first rows: a folder for what it wants to keep, the same one for all trials of a store."""

    @abstractmethod
    def score(self, rows: Sequence[JudgedRow]) -> Sequence[Mapping[str, float]]:
        """By metric one number per row, in the order of the rows. What cannot be told is NaN or left out: a metric is
        the mean over the rows that have it, and missing where none has.
        """


def metrics_of(judge: Judge | None, taken: Metrics) -> Metrics:
    """A judge's metrics as a task has them; {} without a judge.

    Raises:
        ConfigError: it is no judge, or has a metric of a name that is taken.
    """
    if judge is None:
        return {}
    if not isinstance(judge, Judge):
        remedy = "Name a class that derives from ftsweep.tasks.Judge by its `_target_`."
        raise ConfigError(f"this is no judge: {judge!r}", where="task.judge", remedy=remedy)
    own = {
        name: replace(metric, is_generated=True, is_share=False)
        for name, metric in dependent(judge.metrics, "judge").items()
    }
    for name in own.keys() & taken.keys():
        what = f"{type(judge).__name__} has a metric {name!r}, which the task has already"
        raise ConfigError(what, where="task.judge", remedy="Give it another name.")
    return own


def scores_told(judge: Judge, told: Any, num_rows: int, names: Sequence[str]) -> list[list[float]]:
    """What a judge answered, by row in the order of `names`; NaN for what it left out.

    Raises:
        ConfigError: it is not a mapping of numbers for each row, or has a name that its `metrics` has not.
    """
    rows = list(told) if isinstance(told, Iterable) and not isinstance(told, str | Mapping) else None
    if rows is None or len(rows) != num_rows:
        gave = f"{len(rows)} scores" if rows is not None else repr(told)
        raise _wrong(judge, f"gave {gave} for {num_rows} rows", "It must give a mapping for each row.")
    return [_row_told(judge, place, row, names) for place, row in enumerate(rows)]


def _row_told(judge: Judge, place: int, row: Any, names: Sequence[str]) -> list[float]:
    if not isinstance(row, Mapping):
        raise _wrong(judge, f"gave {row!r} for row {place}", "It must give a mapping of metrics to numbers.")
    if unknown := [name for name in row if name not in names]:
        raise _wrong(judge, f"scores row {place} by {unknown[0]!r}", f"Its `metrics` has {', '.join(names)}.")
    found = [as_float(row.get(name, math.nan)) for name in names]
    if None in found:
        name = names[found.index(None)]
        remedy = "What cannot be told is float('nan'), or left out."
        raise _wrong(judge, f"scores row {place} by {name} as {row[name]!r}, which is no number", remedy)
    for name, number in zip(names, found, strict=True):
        if number is not None and (bound := judge.metrics[name].lies_outside(number)):
            remedy = "Mend the score, or give the Metric the bounds that it has."
            raise _wrong(judge, f"scores row {place} by {name} as {number:g}, {bound}", remedy)
    return [math.nan if number is None else number for number in found]


def _wrong(judge: Judge, what: str, remedy: str) -> ConfigError:
    return ConfigError(f"{type(judge).__name__} {what}", where="task.judge", remedy=remedy)
