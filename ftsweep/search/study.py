"""The study: what was asked, what was measured, what to ask next. The one door to Optuna."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from ftsweep.domain.database_use import DatabaseUse
from ftsweep.domain.decision import GO_ON, Decision, New, Next, Pause, Resume
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Outcome, Proposal, StoredPause
from ftsweep.errors import StudyError
from ftsweep.search.entries import PAUSE, VIOLATING, StudyTrial, read_trial, store_end
from ftsweep.search.importance import Computing, computing_importances
from ftsweep.search.planned import planned_settings
from ftsweep.search.proposer import Proposer
from ftsweep.search.pruners.base import Pruner
from ftsweep.search.pruners.curves import Curves
from ftsweep.search.samplers.base import Sampler
from ftsweep.search.storage.database import Database, optuna_name
from ftsweep.search.storage.extend import ORIGIN, SET_ASIDE
from ftsweep.search.storage.identity import IDENTITY, describe, load_or_make
from ftsweep.search.storage.owned import OwnedStorage
from ftsweep.search.storage.timing import Latencies, timed


class Study:
    """Ask and tell over Optuna, with every promise that the sweep's loop relies on.

    What is proposed depends on the stored trials and the seed only, never on restarts. One process at a time: the
    caller holds the study folder's lock.
    """

    def __init__(
        self,
        storage: OwnedStorage,
        study: optuna.Study,
        objective: Objective,
        sampler: Sampler,
        pruner: Pruner,
        proposer: Proposer,
        *,
        num_rungs: int,
    ) -> None:
        """Use `Study.open`."""
        self.objective = objective
        self._storage, self._study, self.latencies = storage, study, Latencies()
        self.database = storage.reaching
        """How its database is reached."""
        self._sampler, self._pruner, self._proposer = sampler, pruner, proposer
        self.plan = proposer.plan
        """What is asked for before the sampler proposes anything; more may be added at any time."""
        self._curves = Curves(objective, num_rungs, self._group)
        self._trials: dict[int, StudyTrial] = {}
        self._ids, self._running = dict[int, int](), list[int]()
        self._reached: dict[int, int] = {}  # the last rung that was reported, with the objective or without it
        self._num_set_aside = 0  # they keep their numbers
        self.pinned: set[int] = set()
        """Trials that always go on, whatever the pruner would say."""
        self._load()

    @classmethod
    def open(
        cls,
        database: Database,
        name: str,
        objective: Objective,
        branches: Sequence[Branch],
        sampler: Sampler,
        pruner: Pruner,
        *,
        seed: int,
        num_rungs: int,
        enqueue: Sequence[Mapping[str, Any]] = (),
        startup_per_branch: int = 3,
        generation: int = 1,
    ) -> Study:
        """Make the study in a database, or go on with it. `generation`: how often its space has changed, from 1 on.

        Raises:
            ConfigError: the sampler cannot search this space, an enqueued setting does not lie in it, or the stored
                study has another objective, space or number of rungs (each difference is named).
            StudyError, StudyLockedError: the database cannot be opened; on a server, another process owns the study.
        """
        sampler.check(branches)
        plan = planned_settings(branches, enqueue)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = OwnedStorage(database, name)
        try:
            identity = describe(objective, branches, num_rungs)
            study = load_or_make(storage, optuna_name(database, name, generation), objective.direction, identity)
            proposer = Proposer(study, branches, sampler, seed=seed, plan=plan, startup_per_branch=startup_per_branch)
            if IDENTITY not in study.user_attrs:  # not before the branches have proved that they can be searched
                study.set_user_attr(IDENTITY, identity)
            return cls(storage, study, objective, sampler, pruner, proposer, num_rungs=num_rungs)
        except BaseException:
            storage.close()
            raise

    def close(self) -> None:
        """Release the database and what the sampler started."""
        self._sampler.close()
        self._storage.close()

    @property
    def database_use(self) -> DatabaseUse | None:
        """What a database on a server has cost this process; None of a file."""
        ask, tell = self.latencies.of("ask"), self.latencies.of("tell")
        return replace(self.database.use, ask=ask, tell=tell) if self.database.use else None

    @property
    def num_asked(self) -> int:
        """How many trials there are, whatever became of them."""
        return len(self._trials)

    @property
    def next_number(self) -> int:
        """The number of the trial that is asked for next."""
        return len(self._trials) + self._num_set_aside

    def is_exhausted(self) -> str | None:
        """Why there is nothing left to ask, in a sentence; None while there is."""
        return self._proposer.exhausted()

    @timed
    def ask(self, avoid: Collection[str] = ()) -> Proposal | None:
        """The next trial, of none of the branches to `avoid`; None when every setting of the others has been tried.

        Any number may be under way.
        """
        if self._proposer.exhausted(avoid):
            return None
        self._proposer.avoid = frozenset(avoid)
        proposal = self._store(*self._proposer.propose(self.next_number))
        self._proposer.note_stored()
        return proposal

    def put_back(self, proposal: Proposal) -> None:
        """Store the next trial, which the database has lost; KeyError, ValueError where it is not in the space."""
        self._store(*self._proposer.again(proposal))

    def _store(self, proposal: Proposal, template: FrozenTrial) -> Proposal:
        self._note(self._storage.create_new_trial(self._study._study_id, template), StudyTrial(proposal))
        return proposal

    def records(self) -> list[StudyTrial]:
        """All trials by number."""
        return [self._trials[number] for number in sorted(self._trials)]

    def running(self) -> list[Proposal]:
        """Trials that were asked and not told, by number: under way, or left over from a killed process."""
        return [self._trials[number].proposal for number in self._running]

    def report(self, number: int, measurement: Measurement) -> None:
        """A running trial reached a rung. Rung 0 and values that are not finite are no result and are not kept.

        Raises:
            StudyError: no such trial, or the measurement does not have an objective that every rung has.
        """
        trial = self._trial(number)
        self._reached[number] = max(measurement.rung, self._reached.get(number, 0))
        value, rung = self.objective.reported(number, measurement), measurement.rung
        if trial.outcome is not None or rung < 1 or rung in trial.values or not math.isfinite(value):
            return
        if not measurement.is_feasible and rung not in trial.violating:
            trial.violating.append(rung)
            self._storage.set_trial_user_attr(self._ids[number], VIOLATING, trial.violating)
        self._storage.set_trial_intermediate_value(self._ids[number], rung, value)
        trial.values[rung] = value
        self._curves.add(number, rung, value, is_feasible=measurement.is_feasible)

    def decide(self, number: int) -> Decision:
        """What becomes of the trial at the rung it reached last. A pause is stored, so that a restart finds it.

        A default setting always goes on: the others are measured against it. So does a pinned one.
        """
        trial = self._trial(number)
        if trial.proposal.is_default or number in self.pinned or trial.outcome is not None or not trial.values:
            return GO_ON
        rung = max(trial.values)
        if rung < self._reached.get(number, rung):  # where it stands the objective was not measured
            return GO_ON
        if trial.pause is not None and trial.pause.rung == rung:  # decided before
            return GO_ON if trial.pause.is_over else Pause(trial.pause.reason)
        decision = self._pruner.decide(self._curves, number, rung)
        if isinstance(decision, Pause):
            self._store_pause(number, StoredPause(rung, decision.reason))
        return decision

    def pause_of(self, number: int) -> StoredPause | None:
        """Where and why the trial is paused now; None where it is not."""
        return self._trial(number).pause_now

    def release(self, number: int) -> None:
        """A paused trial goes on, whatever the pruner would say."""
        if (pause := self.pause_of(number)) is not None:
            self._store_pause(number, replace(pause, is_over=True))

    def take_up_pause(self, number: int, pause: StoredPause) -> None:
        """What the trial's folder tells of its pause, which a database that lost its last writes does not know."""
        known = self._trial(number).pause
        if known is None or (known.rung, known.is_over) < (pause.rung, pause.is_over):
            self._store_pause(number, pause)

    def resumed(self, paused: Collection[int]) -> int | None:
        """Which of the paused trials the pruner has go on now; None: none of them."""
        rungs = {number: max(self._trial(number).values) for number in sorted(paused)}
        number = self._pruner.resumed(self._curves, rungs) if rungs else None
        if number is not None and self.pause_of(number) is None:
            raise StudyError(f"the pruner resumes trial {number}, which is not paused", where="pruner")
        return number

    def is_at_rest(self) -> bool:
        """Whether every trial has ended or is paused, and the pruner leaves those as they are."""
        return all(map(self.pause_of, self._running)) and self.resumed(self._running) is None

    def next(self, paused: Collection[int] = (), avoid: Collection[str] = (), *, may_begin: bool = True) -> Next | None:
        """What a free lane does: one of the paused trials goes on, where the pruner says so, else a new one begins.

        `paused`: those that have given their lanes away. For `avoid` see `ask`; without `may_begin` none is asked for.
        """
        if (number := self.resumed(paused)) is not None:
            self.release(number)
            return Resume(self._trials[number].proposal)
        proposal = self.ask(avoid) if may_begin else None
        return None if proposal is None else New(proposal)

    @timed
    def tell(
        self,
        number: int,
        outcome: Outcome,
        measurements: Iterable[Measurement] = (),
        *,
        constraints: Mapping[str, float] | None = None,
    ) -> None:
        """A trial ended. Measurements not reported yet are reported first; a trial told before stays as it was.

        Out of memory and divergence are told as violated constraints, so that the sampler keeps away from there;
        a complete trial without any finite value counts as one of them. `constraints` hold where they are at most 0;
        a NaN counts as violated.
        """
        trial = self._trial(number)
        if trial.outcome is not None:
            return
        for measurement in measurements:
            self.report(number, measurement)
        value = trial.best_value(self.objective)
        trial.constraints = store_end(self._study, self._ids[number], outcome, value, constraints or {})
        trial.outcome = outcome
        self._running.remove(number)
        self._proposer.note_end(trial.proposal.branch, number)

    def computing_importances(self) -> Computing:
        """As `ftsweep.search.importance.computing_importances`, of this study."""
        return computing_importances(self._storage.place, self._study)

    def _group(self, number: int) -> tuple[str, int]:
        """Trials of one branch are compared: what starts slowly need not be the worse approach."""
        return self._trials[number].proposal.branch, self._pruner.group(number)

    def _trial(self, number: int) -> StudyTrial:
        if number not in self._trials:
            raise StudyError(f"there is no trial {number} in the study {self._study.study_name!r}")
        return self._trials[number]

    def _store_pause(self, number: int, pause: StoredPause) -> None:
        self._storage.set_trial_user_attr(self._ids[number], PAUSE, asdict(pause))
        self._trials[number].pause = pause
        self._proposer.note_pause(self._trials[number].proposal, is_over=pause.is_over)

    def _load(self) -> None:
        for frozen in self._storage.get_all_trials(self._study._study_id, deepcopy=False):
            if (origin := frozen.user_attrs[ORIGIN]) == SET_ASIDE:
                self._num_set_aside += 1
            else:
                proposal = Proposal(frozen.number, *self._proposer.read(frozen.params), origin == "default")
                self._note(frozen._trial_id, read_trial(frozen, proposal))

    def _note(self, trial_id: int, trial: StudyTrial) -> None:
        proposal = trial.proposal
        self._ids[proposal.number] = trial_id
        self._trials[proposal.number] = trial
        self._proposer.note(proposal.branch, proposal.params, self._storage.get_trial(trial_id))
        for rung, value in trial.values.items():
            self._curves.add(proposal.number, rung, value, is_feasible=rung not in trial.violating)
        if trial.outcome is None:
            insort(self._running, proposal.number)
            if trial.pause_now is not None:
                self._proposer.note_pause(proposal)
        else:
            self._proposer.note_end(proposal.branch, proposal.number)
