"""Which trials a sampler is shown: all of a short study, of a long one those that still say something."""

from __future__ import annotations

import copy
import math
from bisect import insort
from heapq import nlargest, nsmallest

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

NUM_BEST = 100
NUM_LATEST = 400


class SeenTrials:
    """The trials that run, the best and the latest of those that ended, and of those that are paused; without failed
    ones, which say nothing.

    What a sampler does with n trials takes it time in proportion to n or more. TPE calls at most 25 trials good, and
    weighs others the less the older they are. The choice depends on the trials alone, not on when they were read.
    """

    def __init__(self, direction: StudyDirection) -> None:
        self._sign = 1.0 if direction == StudyDirection.MINIMIZE else -1.0
        self._trials: dict[int, FrozenTrial] = {}
        self._running: set[int] = set()
        self._paused: set[int] = set()
        self._latest: list[int] = []
        self._best: list[tuple[float, float, int]] = []

    def begin(self, trial: FrozenTrial) -> None:
        """A trial was asked; `end` follows when it has ended."""
        self._trials[trial.number] = trial
        self._running.add(trial.number)

    def pause(self, number: int, *, is_over: bool = False) -> None:
        """A trial waits at a rung, or goes on. One that waits is shown as pruned there: TPE takes one that runs for a
        bad one until it has ended, and it may wait for ever.
        """
        left, entered = (self._paused, self._running) if is_over else (self._running, self._paused)
        if number in left:
            left.discard(number)
            entered.add(number)

    def end(self, number: int) -> None:
        self._running.discard(number)
        self._paused.discard(number)
        trial = self._trials[number]
        if trial.state == TrialState.FAIL:
            del self._trials[number]
            return
        insort(self._best, (*self._rank(trial), number))
        insort(self._latest, number)
        # one that falls behind in both will never be seen again: later trials only push it further back
        del self._best[NUM_BEST:]
        del self._latest[:-NUM_LATEST]

    def trials(self) -> list[FrozenTrial]:
        """By number."""
        shown = self._running.union(self._paused_shown(), self._latest, (number for *_, number in self._best))
        if len(self._trials) > 2 * len(needed := shown | self._paused):
            self._trials = {number: self._trials[number] for number in needed}
        return [self._shown(number) for number in sorted(shown)]

    def _paused_shown(self) -> set[int]:
        if len(self._paused) <= NUM_LATEST:
            return self._paused
        best = nsmallest(NUM_BEST, self._paused, key=lambda number: (*self._rank(self._trials[number]), number))
        return {*best, *nlargest(NUM_LATEST, self._paused)}

    def _shown(self, number: int) -> FrozenTrial:
        trial = self._trials[number]
        if number in self._paused:
            trial = copy.copy(trial)
            trial.state = TrialState.PRUNED
        return trial

    def _rank(self, trial: FrozenTrial) -> tuple[float, float]:
        """As TPE ranks: feasible before infeasible, complete before pruned, those that got further first."""
        if any(value > 0 for value in trial.constraints.values()):
            return math.inf, 0.0
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            return -math.inf, self._sign * trial.value
        step = trial.last_step
        return (0.0, 0.0) if step is None else (-float(step), self._sign * trial.intermediate_values[step])
