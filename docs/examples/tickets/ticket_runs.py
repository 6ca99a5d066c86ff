"""How a trial of `Norms` trains. Workers alone import this module, so torch may come with it."""

from __future__ import annotations

import math
from typing import Any

from ftsweep.training.step import Stepper
from ftsweep.training.trial import TrialRun


class RestartingStepper(Stepper):
    """The learning rate falls along a cosine and begins again (Loshchilov and Hutter 2017, arXiv 1608.03983)."""

    def rate_now(self) -> float:
        strategy: Any = self.strategy
        done = self.num_steps * strategy.cycles / self.plan.num_steps % 1.0  # of this cycle
        return self.settings.learning_rate * (1.0 + math.cos(math.pi * done)) / 2.0


class Restarts(TrialRun):
    stepper_class = RestartingStepper
