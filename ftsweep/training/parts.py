"""The built components of one job."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.data.prepared import PreparedSet
from ftsweep.models.base import ModelSource
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.base import Task


@dataclass(frozen=True)
class Parts:
    """What a trial is made of: the model's source, the task, the strategy, and the data as prepared for them."""

    source: ModelSource
    task: Task
    strategy: Strategy
    prepared: PreparedSet
