"""A search on simulated workers: the study, its sampler and its pruner are real, training is a curve."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from families import Family
from optuna.trial import FrozenTrial, TrialState

from ftsweep.domain.decision import Pause, Prune, Resume
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal
from ftsweep.search.planned import planned_settings
from ftsweep.search.proposer import Proposer
from ftsweep.search.pruners import Pruner
from ftsweep.search.samplers import Sampler
from ftsweep.search.storage.owned import OwnedStorage
from ftsweep.search.storage.reaching import Reaching
from ftsweep.search.study import Study
from ftsweep.testing.recorded import NUM_RUNGS, recorded_branch

optuna.logging.set_verbosity(optuna.logging.ERROR)
RESUMING = 0.02
"""What it costs to take a paused trial up again, as a share of a whole trial (the checkpoint, a model loaded)."""


@dataclass
class Search:
    """What a search has spent and found, as it goes. Compute is counted in trials of mean length."""

    budget: float = 0.0
    spent: float = 0.0
    complete: list[tuple[float, float, float]] = field(default_factory=list)
    """By the time of their end: what was spent by then, the measured and the true value."""
    num_resumed: int = 0
    num_paused: int = 0

    def reached(self, good: float) -> bool:
        """Whether a complete trial was as good."""
        return any(truth <= good for _, _, truth in self.complete)

    def cost(self, good: float) -> float:
        """What was spent until one was; the whole budget where none was."""
        return min((spent for spent, _, truth in self.complete if truth <= good), default=self.budget)

    def found(self) -> float:
        """The true value of the trial that measured best: what a person is handed."""
        return min(self.complete, key=lambda each: each[1])[2]


def search(
    family: Family,
    pruner: Pruner,
    sampler: Sampler,
    *,
    seed: int,
    workers: int,
    budgets: Sequence[float],
    in_trials: bool,
) -> list[Search]:
    """Searches that begin trials until so much compute is spent, or with `in_trials` so many are begun, each going on
    from the one before; what stood at the end of each. Paused trials are resumed only when the pruner says so.
    """
    storage, branches = _Memory(), [recorded_branch()]
    stored = optuna.create_study(storage=storage, direction="minimize")
    proposer = Proposer(stored, branches, sampler, seed=seed, plan=planned_settings(branches, ()), startup_per_branch=3)
    study = Study(storage, stored, Objective(), sampler, pruner, proposer, num_rungs=NUM_RUNGS)
    try:
        run = _Run(family, study, seed, workers, in_trials)
        return [run.to(budget) for budget in budgets]
    finally:
        study.close()


class _Memory(OwnedStorage):
    """In the place of a study's database: thousands of searches are run, and none is gone on with."""

    def __init__(self) -> None:
        self._database: Any = optuna.storages.InMemoryStorage()
        self.reaching = Reaching("memory", "memory")
        self._trials, self._all = {}, {}

    def close(self) -> None:
        return

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        trials, trial = self._load(study_id), copy.copy(template_trial)
        assert trial is not None
        trial.number = trial._trial_id = len(trials)
        trials[trial.number] = self._all[trial.number] = trial
        return trial.number

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        trial = self._all[trial_id]
        trial.state, trial.values = state, trial.values if values is None else list(values)
        return True

    def _reach(self, do: Callable[..., Any], *values: Any) -> Any:
        """Trials are in memory; what remains of the database are its facts about the study."""
        return None if "trial" in do.__name__ else do(*values)

    def _insert(self, insert: Callable[..., None], *values: Any) -> None:
        return


class _Run:
    def __init__(self, family: Family, study: Study, seed: int, workers: int, in_trials: bool) -> None:
        self.family, self.study, self.seed, self.workers, self.in_trials = family, study, seed, workers, in_trials
        self.now = 0.0
        self.state = Search()
        self.paused: set[int] = set()
        self.curves: dict[int, list[float]] = {}
        self.reached: dict[int, int] = {}
        self.events: list[tuple[float, int, Proposal]] = []
        self.num_scheduled = 0

    def to(self, budget: float) -> Search:
        while True:
            while len(self.events) < self.workers and self._fill(may_begin=self._used() < budget):
                pass
            if not self.events:
                return replace(self.state, budget=budget, complete=list(self.state.complete))
            self.now, _, proposal = heapq.heappop(self.events)
            self._measure(proposal)

    def _used(self) -> float:
        return self.study.num_asked if self.in_trials else self.state.spent

    def _fill(self, *, may_begin: bool) -> bool:
        step = self.study.next(self.paused, may_begin=may_begin)
        if step is None:
            return False
        proposal = step.proposal
        if isinstance(step, Resume):
            self.paused.discard(proposal.number)
            self.state.num_resumed += 1
            self._train(proposal, extra=RESUMING)
        else:
            self.curves[proposal.number] = self.family.measured(proposal.params, self.seed, proposal.number)
            self.reached[proposal.number] = 0
            self._train(proposal)
        return True

    def _train(self, proposal: Proposal, extra: float = 0.0) -> None:
        """Up to the next rung."""
        seconds = self.family.duration(proposal.params) / NUM_RUNGS + extra
        self.state.spent += seconds
        self.num_scheduled += 1
        heapq.heappush(self.events, (self.now + seconds, self.num_scheduled, proposal))

    def _measure(self, proposal: Proposal) -> None:
        number = proposal.number
        rung = self.reached[number] = self.reached[number] + 1
        value = self.curves[number][rung - 1]
        measurement = Measurement(rung, rung / NUM_RUNGS, rung, rung, 0.0, self.now, {"validation/loss": value}, {})
        self.study.report(number, measurement)
        if rung == NUM_RUNGS:
            self.study.tell(number, Outcome(OutcomeKind.COMPLETE, rung=rung))
            measured, truth = min(self.curves[number]), self.family.truth(proposal.params)
            self.state.complete.append((self.state.spent, measured, truth))
            return
        decision = self.study.decide(number)
        if isinstance(decision, Prune):
            self.study.tell(number, Outcome(OutcomeKind.PRUNED, decision.reason, rung=rung))
        elif isinstance(decision, Pause):
            self.paused.add(number)
            self.state.num_paused += 1
        else:
            self._train(proposal)
