"""How a trial of `Norms` trains. Workers alone import this module, so torch may come with it."""

from __future__ import annotations

import math
from typing import Self

from ftsweep.training.runs.choice import RunStart
from ftsweep.training.trial import TrialRun


class Restarts(TrialRun):
    """The learning rate falls along a cosine and begins again (Loshchilov and Hutter 2017, arXiv 1608.03983)."""

    cycles = 1

    @classmethod
    def begin(cls, given: RunStart) -> Self:
        run = super().begin(given)
        run.cycles = given.parts.strategy.cycles
        return run

    def rate_now(self) -> float:
        done = self.num_steps * self.cycles / self.plan.num_steps % 1.0  # of this cycle
        return self.settings.learning_rate * (1.0 + math.cos(math.pi * done)) / 2.0
