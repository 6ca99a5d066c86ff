"""Models on the test split: each is measured once, and its answer kept in the trial's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.analysis.answers import model_words
from ftsweep.analysis.comparison import base_label, best_trials, distinct_bases
from ftsweep.control.choice import Choice
from ftsweep.control.jobs import Jobs
from ftsweep.domain.answers import model_name
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import StudyFolder, TrialFolder

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
        self, records: Sequence[TrialRecord], choice: Choice, baseline: Mapping[str, Mapping[str, float]]
    ) -> Answers:
        """The chosen model, the best trial of every other branch, default settings, and the untouched bases.

        Branches whose data has no test split are left out. baseline: validation metrics of the bases by branch label.
        """
        by_number, chosen = {record.number: record for record in records}, choice.model.number
        best = best_trials(records, self.objective, chosen)
        defaults = [record.number for record in records if record.proposal.is_default and record.is_complete]
        answers = {}
        if self._has_test(choice.record):
            answers[choice.model.name] = self._answer(choice.folder, is_base=False)
        others = [*(number for number in best.values() if number != chosen), *defaults]
        for number in others:
            if model_name(number) not in answers and self._has_test(by_number[number]):
                answers[model_name(number)] = self._answer(self.folder.trial(number), is_base=False)
        own = choice.record.proposal.branch or "main"
        for labels in distinct_bases(baseline, own):
            trials = [number for branch, number in best.items() if (branch or "main") in labels]  # best first
            if trials and self._has_test(by_number[trials[0]]):
                answers[base_label(labels, own)] = self._answer(self.folder.trial(trials[0]), is_base=True)
        return answers

    def _answer(self, place: TrialFolder, *, is_base: bool) -> dict[str, Any]:
        """About a run or its untouched base: from the run's folder, or measured now."""
        file = place.path / ("test-base.json" if is_base else "test.json")
        if not file.exists():
            which = "the untouched base" if is_base else model_words(*map(int, place.path.name.split("-")))
            write_json(file, self.jobs.call(self.jobs.make.test(place, is_base=is_base), f"measuring {which} on test"))
        answer: dict[str, Any] = read_json(file)
        return answer

    def _has_test(self, record: TrialRecord) -> bool:
        return bool(self.data[record.proposal.branch or "main"]["has_test"])
