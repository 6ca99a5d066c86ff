"""A trial: one sampled setting, what became of it, and what it measured on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective

PAUSED = "paused"
"""What a trial is called that waits until its pruner resumes it: it has no outcome."""


class OutcomeKind(StrEnum):
    COMPLETE = "complete"
    PRUNED = "pruned"  # stopped early because its peers did better
    INFEASIBLE = "infeasible"  # does not fit: out of memory at micro-batch 1, or a constraint
    DIVERGED = "diverged"  # NaN or Inf in the loss
    FAILED = "failed"  # an error in user code or data


@dataclass(frozen=True)
class Outcome:
    """How a trial ended. `reason` is a sentence; `log_tail` the last lines of its log when it failed."""

    kind: OutcomeKind
    reason: str = ""
    rung: int | None = None
    best_rung: int | None = None
    error_class: str | None = None
    log_tail: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kind": self.kind.value, "extra": dict(self.extra)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        return cls(**{**data, "kind": OutcomeKind(data["kind"])})


@dataclass(frozen=True)
class Proposal:
    """What the sampler asks to try: a number, a branch and the sampled parameters by name."""

    number: int
    branch: str
    params: Mapping[str, Any]
    is_default: bool = False  # a branch's configuration as written; trial 0 of a study without branches
    seed: int = 0  # of its run: 0 is the search's own, 1, 2, ... are fresh ones of its setting


@dataclass(frozen=True)
class StoredPause:
    """Where and why the pruner paused a trial last."""

    rung: int
    reason: str
    is_over: bool = False
    """Whether the trial has gone on since."""
    has_checkpoint: bool = True
    """False: it was removed to keep the limit of disk, and the trial will begin anew, to the same values."""

    @property
    def sentence(self) -> str:
        """Where and why it waits, in the same words on every screen."""
        anew = "" if self.has_checkpoint else ", to begin anew (its checkpoint was removed to keep budget.disk_gib)"
        return f"{PAUSED} at rung {self.rung}{anew}: {self.reason}"


@dataclass(frozen=True)
class TrialRecord:
    """Everything known of one trial. `outcome` is None while it runs, waits to be continued, or is paused."""

    proposal: Proposal
    measurements: tuple[Measurement, ...] = ()
    outcome: Outcome | None = None
    last_pause: StoredPause | None = None

    @property
    def number(self) -> int:
        return self.proposal.number

    @property
    def pause(self) -> StoredPause | None:
        """Where it waits until the pruner resumes it; None where it does not."""
        is_paused = self.outcome is None and self.last_pause is not None and not self.last_pause.is_over
        return self.last_pause if is_paused else None

    @property
    def is_complete(self) -> bool:
        return self.outcome is not None and self.outcome.kind is OutcomeKind.COMPLETE

    def best(self, objective: Objective) -> Measurement | None:
        """The measurement that it is judged by, see `Objective.best`; looked for once for an objective."""
        known = self.__dict__.get("_best")
        if known is None or known[0] is not objective:
            known = (objective, objective.best(self.measurements))
            object.__setattr__(self, "_best", known)
        found: Measurement | None = known[1]
        return found
