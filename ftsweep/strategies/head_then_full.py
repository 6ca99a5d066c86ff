"""LP-FT: a linear probe first, then full fine-tuning from it (Kumar et al. 2022, arXiv 2202.10054)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ftsweep.errors import ConfigError
from ftsweep.strategies.full import Full
from ftsweep.strategies.trained_part import check_has_head

if TYPE_CHECKING:
    from ftsweep.tasks.base import Task


class HeadThenFull(Full):
    """The head trains alone for `head_epochs` at `head_learning_rate`, then everything as in full fine-tuning.

    A new head's first, random gradients then never reach the body and spoil what it knows. Batch size, schedule,
    warm-up and weight decay are those of `training`, in both phases.
    """

    run: ClassVar[str] = "ftsweep.training.runs.two_phases:TwoPhaseRun"

    def __init__(self, *, head_epochs: float = 10, head_learning_rate: float = 3e-3) -> None:
        """`training.epochs` and `training.learning_rate` are those of the second phase."""
        for name, value in (("head_epochs", head_epochs), ("head_learning_rate", head_learning_rate)):
            if isinstance(value, bool) or not value > 0:
                raise ConfigError(f"must be above 0, not {value!r}", where=f"strategy.{name}")
        super().__init__()
        self.head_epochs = head_epochs
        self.head_learning_rate = head_learning_rate

    def check_task(self, task: Task) -> None:
        check_has_head(task, "head_then_full")
