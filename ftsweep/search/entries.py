"""One trial as the study knows it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState

from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, StoredPause
from ftsweep.search.study_view import INFEASIBLE

OUTCOME = "outcome"
VIOLATING = "violating"  # rungs at which a constraint was violated
PAUSE = "pause"  # where and why the pruner paused a trial last, and whether it has gone on since


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
    violating: list[int] = field(default_factory=list)
    """Rungs at which a constraint was violated."""
    pause: StoredPause | None = None

    @property
    def pause_now(self) -> StoredPause | None:
        """The pause at the rung that it reached last, unless it has gone on since."""
        is_paused = self.pause is not None and not self.pause.is_over and self.pause.rung == max(self.values)
        return self.pause if is_paused else None

    def best_value(self, objective: Objective) -> float | None:
        """The best value so far, of the rungs that keep every constraint if there are any; in the end the trial's."""
        kept = [value for rung, value in self.values.items() if rung not in self.violating]
        counted = kept or list(self.values.values())
        if not counted:
            return None
        return min(counted) if objective.direction == "minimize" else max(counted)


def read_trial(frozen: FrozenTrial, proposal: Proposal) -> StudyTrial:
    """What lies in the database of the trial with this proposal."""
    attributes = frozen.user_attrs
    outcome = Outcome.from_dict(attributes[OUTCOME]) if frozen.state.is_finished() else None
    values = dict(sorted(frozen.intermediate_values.items()))
    pause = None if attributes.get(PAUSE) is None else StoredPause(**attributes[PAUSE])
    return StudyTrial(proposal, values, outcome, frozen.constraints, list(attributes.get(VIOLATING, ())), pause)


def store_end(
    study: optuna.Study, trial_id: int, outcome: Outcome, value: float | None, constraints: Mapping[str, float]
) -> dict[str, float]:
    """Tell Optuna how a trial ended: complete with a value, failed, or pruned, as which every other ending counts.

    Returns all constraints by name, with that of a trial that did not fit or diverged.
    """
    is_complete = outcome.kind is OutcomeKind.COMPLETE and value is not None
    violations = _store_violations(study, trial_id, outcome, constraints, is_complete=is_complete)
    stored = {key: entry for key, entry in outcome.to_dict().items() if key not in ("log_tail", "extra")}
    study._storage.set_trial_user_attr(trial_id, OUTCOME, stored)
    number = study._storage.get_trial(trial_id).number
    if is_complete:
        study.tell(number, value, state=TrialState.COMPLETE)
    elif outcome.kind is OutcomeKind.FAILED:
        study.tell(number, state=TrialState.FAIL)
    else:
        study.tell(number, state=TrialState.PRUNED)
    return violations


def _store_violations(
    study: optuna.Study, trial_id: int, outcome: Outcome, constraints: Mapping[str, float], *, is_complete: bool
) -> dict[str, float]:
    """Store the constraints that an earlier tell, cut short, has not stored; a NaN counts as violated."""
    violations = {name: 1.0 if math.isnan(value) else float(value) for name, value in constraints.items()}
    if not is_complete and outcome.kind in (OutcomeKind.COMPLETE, OutcomeKind.INFEASIBLE, OutcomeKind.DIVERGED):
        violations[INFEASIBLE] = 1.0
    if violations:
        known, trial = study._storage.get_trial(trial_id).constraints, optuna.Trial(study, trial_id)
        for name in (name for name in violations if name not in known):
            trial.set_constraint(name, violations[name])
    return violations
