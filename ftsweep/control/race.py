"""The contenders of a search and their runs with fresh seeds, as the study's folder tells of them at any time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ftsweep.analysis.contenders import contenders, default_of, facts_of, limits_of, share_of_search
from ftsweep.analysis.racing import USED_UP, Limits, Round, is_hopeless, next_round
from ftsweep.analysis.seed_spread import ScoredRun
from ftsweep.analysis.two_answers import SettingFacts
from ftsweep.config.schema import SelectionSettings
from ftsweep.domain.answers import model_label
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.folders import StudyFolder, TrialFolder
from ftsweep.store.resampled import read_resampled

Key = tuple[int, int]
"""A run: the number of the trial whose setting it has, and 0 for the search's own or the number of its fresh seed."""


@dataclass(frozen=True)
class Race:
    """Who races, what was run, what is to be run next. It holds nothing that is not on disk: a later process, whatever
    ended the earlier one, is told the same.
    """

    folder: StudyFolder
    objective: Objective
    selection: SelectionSettings
    records: Sequence[TrialRecord]
    """All trials of the search."""
    num_rungs: int
    _found: dict[Key, TrialRecord] = field(default_factory=dict, compare=False)
    """Runs that have ended: they do not change any more."""

    @cached_property
    def contenders(self) -> list[TrialRecord]:
        """In the order of the search's ranking, the default setting and whoever has raced before among them.

        Who has is the same all through a race, which runs nobody but its contenders.
        """
        runs = self.folder.fresh_runs()
        raced = {key[0] for key in runs if key[1] <= self.selection.seeds and self.place(key).outcome() is not None}
        return contenders(self.records, self.objective, self.selection.top, raced)

    @cached_property
    def numbers(self) -> list[int]:
        return [record.number for record in self.contenders]

    @cached_property
    def default(self) -> int | None:
        return default_of(self.contenders)

    @cached_property
    def limits(self) -> Limits:
        settings = self.selection
        return limits_of(self.records, self.contenders, seeds=settings.seeds, budget=settings.budget)

    @property
    def sign(self) -> int:
        """1 minimises the objective, -1 maximises it."""
        return 1 if self.objective.direction == "minimize" else -1

    def facts(self) -> dict[int, SettingFacts]:
        """By trial, of all that may stand for a model."""
        known = self.limits.costs
        return {
            record.number: facts_of(
                record, self.objective, cost=known.get(record.number, math.inf), default=self.default
            )
            for record in self.records
        }

    # -- runs -----------------------------------------------------------------------------------------------------

    def place(self, key: Key) -> TrialFolder:
        """Where a run lies."""
        return self.folder.run(*key)

    def record(self, key: Key) -> TrialRecord:
        """A run as a record of the trial whose setting it has."""
        if key not in self._found:
            trial = next(each for each in self.records if each.number == key[0])
            folder = self.place(key)
            found = TrialRecord(trial.proposal, tuple(folder.measurements()), folder.outcome()) if key[1] else trial
            if found.outcome is None:
                return found
            self._found[key] = found
        return self._found[key]

    def best_rung(self, key: Key) -> Measurement | None:
        """What a run is judged by; None where it did not end well, or is above a limit at every rung."""
        record = self.record(key)
        best = self.objective.best(record.measurements) if record.is_complete else None
        is_sound = best is not None and best.is_feasible and math.isfinite(self.objective.value(best))
        return best if is_sound else None

    def value(self, key: Key) -> float | None:
        best = self.best_rung(key)
        return None if best is None else self.objective.value(best)

    @property
    def fresh(self) -> list[Key]:
        """Fresh runs of contenders that have ended."""
        keys = [(number, seed) for number in self.numbers for seed in range(1, self.selection.seeds + 1)]
        return [key for key in keys if self.record(key).outcome is not None]

    @property
    def failed(self) -> list[Key]:
        """Those of them that scored nothing."""
        return [key for key in self.fresh if self.best_rung(key) is None]

    @property
    def sound(self) -> list[Key]:
        """The others."""
        return [key for key in self.fresh if self.best_rung(key) is not None]

    @property
    def in_hand(self) -> list[Key]:
        """All models that may be handed over: of contenders the search's and every sound fresh run; and a fresh run
        that an earlier choice kept, though fewer seeds are asked for since.
        """
        kept = [key for key in self.folder.fresh_runs() if key[0] not in self.numbers and self._is_known(key)]
        own = [(number, 0) for number in self.numbers]
        return [*own, *self.sound, *(key for key in kept if self.place(key).best.is_dir() and self.best_rung(key))]

    def _is_known(self, key: Key) -> bool:
        return any(record.number == key[0] for record in self.records)

    # -- what was scored ------------------------------------------------------------------------------------------

    def unresampled(self, keys: Sequence[Key]) -> list[Key]:
        """Runs of which it was not asked yet what their score is on resampled rows."""
        return [key for key in keys if read_resampled(self.place(key)) is None]

    def tells_rows(self, keys: Sequence[Key]) -> bool:
        """Whether the rows tell how sure every one of these runs' values is."""
        found = [read_resampled(self.place(key)) for key in keys]
        return bool(found) and all(each is not None and len(each) for each in found)

    def scored(self, keys: Sequence[Key]) -> list[ScoredRun]:
        """Sound runs as the rules of the choice take them. Where the rows do not tell, seeds alone are known."""
        tells, runs = self.tells_rows(keys), []
        for key in keys:
            value, draws = self.value(key), read_resampled(self.place(key))
            assert value is not None
            if not tells or draws is None:
                draws = np.full(2, value)
            # a score such as macro F1 is lower on resamples than on the rows themselves, for every model
            runs.append(ScoredRun(*key, value, draws + (value - draws.mean())))
        return runs

    def next(self) -> Round:
        """What to run now; nothing is asked of runs whose rows were not resampled."""
        runs = self.scored(self.sound)
        return next_round(self.numbers, self.default, runs, self.failed, self.limits, self.sign)

    def why_nobody(self) -> str:
        """Why no setting has a mean over fresh seeds though it is asked for, in sentences that say what to set; ""
        where one has, or need not.
        """
        settings = self.selection
        if self.fresh and not {number for number, _ in self.fresh} - {number for number, _ in self.failed}:
            return self._why_none_counts()
        if not settings.seeds or not settings.budget or self.fresh or self.next().reason != USED_UP:
            return ""
        leader = self.contenders[0]
        rival = next(each for each in self.contenders[1:] if self.default in (None, leader.number, each.number))
        alone = share_of_search([leader], self.records, self.contenders)
        return (
            f"The choice was made without fresh seeds: a run of trial {leader.number}'s setting costs {alone:.0%} of "
            f"the search's training, and selection.budget allows {settings.budget:.0%}. "
            f"selection.budget={self._paying(leader.number, rival.number):g} has it race trial {rival.number}'s."
        )

    def _why_none_counts(self) -> str:
        """What became of fresh runs of which none, or none of a setting whose others count, has a value."""
        key, count = self.failed[0], len(self.fresh)
        record = self.record(key)
        reason = record.outcome.reason.rstrip(".") if record.outcome is not None else ""
        why = "above a limit at every rung" if record.is_complete else reason
        runs = "1 run with a fresh seed was" if count == 1 else f"{count} runs with fresh seeds were"
        return (
            f"{runs} made, and no setting kept a value through its own ({model_label(*key)}: {why}): the chosen model "
            "may be its seed's luck."
        )

    def _paying(self, *numbers: int) -> float:
        """The least `selection.budget`, in hundredths, that pays for a run of each of these contenders."""
        settings, costs = self.selection, self.limits.costs
        cost, hundredths = sum(costs[number] for number in numbers), 1
        while limits_of(self.records, self.contenders, seeds=settings.seeds, budget=hundredths / 100).budget < cost:
            hundredths += 1
        return hundredths / 100

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be run."""
        return not self.unresampled(self.sound) and not self.next().wanted

    def why_hopeless(self, key: Key, measurement: Measurement) -> str | None:
        """Why a fresh run need not end, as a sentence, once it is at half of its rungs; None: it shall go on.

        It is held against all complete trials of the search and the fresh runs of earlier rounds: contenders alone were
        chosen for doing well, and beside them an ordinary seed looks hopeless where seeds do much.
        """
        half = self.num_rungs // 2
        if measurement.rung != half or half == 0:
            return None
        own = measurement.values.get(self.objective.key, math.nan)
        earlier = [other for other in self.sound if other[1] < key[1]]
        complete = [(record.number, 0) for record in self.records if record.is_complete]
        peers = [self._at(other, half) for other in [*complete, *earlier]]
        known = [peer for peer in peers if math.isfinite(peer)]
        if not is_hopeless(own, known, self.sign):
            return None
        worst = max(known, key=lambda value: self.sign * value)
        return f"{self.objective.key} {number(own)} at rung {half} is far behind the worst run so far, {number(worst)}."

    def _at(self, key: Key, rung: int) -> float:
        found = next((each for each in self.record(key).measurements if each.rung == rung), None)
        return math.nan if found is None else found.values.get(self.objective.key, math.nan)
