"""Models on the test split: each is measured once, and its answer kept in the trial's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.analysis.comparison import base_label, best_trials, distinct_bases
from ftsweep.control.jobs import Jobs
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import model_name
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import StudyFolder

Answers = Mapping[str, Mapping[str, Any]]
"""Of `test` jobs by model: `test` (metric to value), `intervals`, `details` and, of a trial, `flagged`."""


@dataclass(frozen=True)
class TestSplit:
    """Measures the models that a study's result tells of."""

    __test__ = False  # pytest would collect it by its name

    folder: StudyFolder
    objective: Objective
    data: Mapping[str, Mapping[str, Any]]
    """Facts of the prepared set by branch label."""
    jobs: Jobs

    def measure(
        self, records: Sequence[TrialRecord], winner: TrialRecord, baseline: Mapping[str, Mapping[str, float]]
    ) -> Answers:
        """The winner, every branch's best, default settings, and the untouched bases.

        Branches whose data has no test split are left out. baseline: validation metrics of the bases by branch label.
        """
        by_number = {record.number: record for record in records}
        best = best_trials(records, self.objective, winner.number)
        defaults = [record.number for record in records if record.proposal.is_default and record.is_complete]
        answers = {
            model_name(number): self._answer(number, is_base=False)
            for number in dict.fromkeys([*best.values(), *defaults])
            if self._has_test(by_number[number])
        }
        own = winner.proposal.branch or "main"
        for labels in distinct_bases(baseline, own):
            trials = [number for branch, number in best.items() if (branch or "main") in labels]  # best first
            if trials and self._has_test(by_number[trials[0]]):
                answers[base_label(labels, own)] = self._answer(trials[0], is_base=True)
        return answers

    def _answer(self, number: int, *, is_base: bool) -> dict[str, Any]:
        """About a trial or its untouched base: from the trial's folder, or measured now."""
        file = self.folder.trial(number).path / ("test-base.json" if is_base else "test.json")
        if not file.exists():
            phase = f"measuring {'the untouched base' if is_base else f'trial {number}'} on test"
            write_json(file, self.jobs.call(self.jobs.make.test(number, is_base=is_base), phase))
        answer: dict[str, Any] = read_json(file)
        return answer

    def _has_test(self, record: TrialRecord) -> bool:
        return bool(self.data[record.proposal.branch or "main"]["has_test"])
