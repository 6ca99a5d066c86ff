"""One trial as the study knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, Proposal


@dataclass
class StudyTrial:
    """What the study has stored of one trial."""

    proposal: Proposal
    values: dict[int, float] = field(default_factory=dict)
    """The objective by rung, finite values from rung 1 on."""
    outcome: Outcome | None = None
    """None while the trial runs or waits to be continued."""
    constraints: Mapping[str, float] = field(default_factory=dict)
    """By name; one above 0 is violated."""

    def best_value(self, objective: Objective) -> float | None:
        """The best value so far; the trial's value once it is complete."""
        if not self.values:
            return None
        return min(self.values.values()) if objective.direction == "minimize" else max(self.values.values())
