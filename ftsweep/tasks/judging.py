"""What a judge of answers promises: rows in, scores out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ftsweep.domain.component import Component
from ftsweep.domain.metric import Metrics
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
    own = {name: replace(metric, is_generated=True, is_share=False) for name, metric in judge.metrics.items()}
    for name in own.keys() & taken.keys():
        what = f"{type(judge).__name__} has a metric {name!r}, which the task has already"
        raise ConfigError(what, where="task.judge", remedy="Give it another name.")
    return own
