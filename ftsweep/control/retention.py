"""Whose weights lie on disk: while a study runs the best trials' so far, each branch's best, the default settings'; the
fresh runs' until the choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftsweep.analysis.comparison import kept_trials
from ftsweep.control.listeners import Listener
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.atomic import remove
from ftsweep.store.folders import StudyFolder


@dataclass
class Retention(Listener):
    """Removes the weights of trials as they lose. One whose weights are gone is not looked at again."""

    folder: StudyFolder
    objective: Objective
    top: int
    _held: dict[int, TrialRecord] = field(default_factory=dict)

    def recovered(self, records: Sequence[TrialRecord]) -> None:
        self._held = {record.number: record for record in records if record.outcome is not None}

    def ended(self, record: TrialRecord) -> None:
        """Whoever the trial pushes out loses its weights."""
        held = self._held | {record.number: record}
        needed = kept_trials(list(held.values()), self.objective, top=self.top)
        for number in held.keys() - needed:
            remove(self.folder.trial(number).best)
        self._held = {number: record for number, record in held.items() if number in needed}


def let_go(
    folder: StudyFolder, records: Sequence[TrialRecord], objective: Objective, top: int, result: StudyResult
) -> None:
    """Remove the weights that nobody needs after a choice that is written down: of trials that lost, and of fresh runs
    but the model's own. A kill leaves some; whoever opens the study again calls this again.
    """
    for weights in _not_needed(folder, records, objective, top, result):
        remove(weights)


def _not_needed(
    folder: StudyFolder, records: Sequence[TrialRecord], objective: Objective, top: int, result: StudyResult
) -> Iterator[Path]:
    needed = kept_trials(records, objective, top=top, chosen=result.number)
    for number in {record.number for record in records} - needed:
        yield folder.trial(number).best
    own = None if result.model is None else (result.model.number, result.model.seed)
    for key in folder.fresh_runs():
        if key != own:
            yield folder.run(*key).best
