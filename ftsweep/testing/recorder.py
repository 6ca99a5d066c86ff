"""What every recorder must keep to. Subclass it in your own tests, name `make_recorder` and `stored`, and run pytest.

class TestLedgerBook(RecorderContract):
    def make_recorder(self) -> Recorder:
        return LedgerBook(path="book.db")

    def stored(self, folder: StudyFolder) -> object:
        return sorted(read_book("book.db", folder.name))
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, StoredPause
from ftsweep.recording.base import Recorder, StudyFacts
from ftsweep.store.atomic import append_line, write_json
from ftsweep.store.folders import Store, StudyFolder, TrialFolder

PARAMS = {"training.learning_rate": 1e-3, "task.labels": ["a", "b"], "training.patience": None}
COMPLETE = Outcome(OutcomeKind.COMPLETE, "all rungs", best_rung=3)
STARTED = 1_700_000_000.25  # seconds; a fraction, because records may round


def study_facts(folder: StudyFolder) -> StudyFacts:
    """A small study's facts."""
    folder.path.mkdir(parents=True, exist_ok=True)
    return StudyFacts(
        folder,
        Objective(),
        {"data": {"_target_": "ftsweep.data.PyDocs", "limit": 5}},
        "study: {name: example}\n",
        {"fingerprint": "5eed" * 16, "num_rows": {"train": 70, "validation": 15}},
        {"seed.data": "0", "git_commit": "c0ffee"},
    )


def proposal_of(number: int) -> Proposal:
    return Proposal(number, "", PARAMS, is_default=number == 0)


def measurement_of(rung: int) -> Measurement:
    values = {"validation/loss": 2.0 - rung / 7, "train/loss": 1.9 - rung / 5}
    return Measurement(rung, rung / 3, rung * 10, rung * 100, rung * 2.5, STARTED + rung, values)


def best_of(outcome: Outcome) -> Mapping[str, float]:
    return {} if outcome.best_rung is None else measurement_of(outcome.best_rung).values


def record_trial(recorder: Recorder, number: int, outcome: Outcome | None = COMPLETE, num_rungs: int = 4) -> None:
    """One trial's calls, from beginning to end (None: without the end)."""
    proposal = proposal_of(number)
    recorder.begin_trial(proposal, tags={"kind": "trial"}, params=PARAMS, timestamp=STARTED)
    for rung in range(num_rungs):
        recorder.measure(proposal, measurement_of(rung))
    if outcome is not None:
        recorder.end_trial(
            proposal, outcome, best=best_of(outcome), tags={"kind": "trial"}, timestamp=STARTED + num_rungs
        )


def write_trial(folder: TrialFolder, number: int, outcome: Outcome | None = COMPLETE, num_rungs: int = 4) -> None:
    """The same trial as a worker leaves it on disk."""
    spec = {"number": number, "branch": "", "is_default": number == 0, "params": PARAMS, "config": {}}
    write_json(folder.spec_file, spec)
    for rung in range(num_rungs):
        append_line(folder.measurements_file, measurement_of(rung).to_dict())
    if outcome is not None:
        folder.write_outcome(outcome)


class RecorderContract:
    """Promises of `ftsweep.recording.Recorder`, as tests."""

    @abstractmethod
    def make_recorder(self) -> Recorder:
        """A fresh recorder, as a new process would build it."""
        raise NotImplementedError

    @abstractmethod
    def stored(self, folder: StudyFolder) -> object:
        """All that is kept of a study, comparable; load curves and clocks of the machine left out."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> StudyFolder:
        return Store(tmp_path / "mlruns").study("example")

    def record(self, folder: StudyFolder, times: int) -> None:
        """A study with every call made this many times."""
        recorder = self.make_recorder()
        report = folder.path / "report.html"
        for _ in range(times):
            recorder.open(study_facts(folder))
            report.write_text("<p>the report</p>", encoding="utf-8")
            for _ in range(times):
                record_trial(recorder, 0)
                record_trial(recorder, 1, Outcome(OutcomeKind.PRUNED, "worse than its peers", rung=2), num_rungs=3)
                record_trial(recorder, 2, None, num_rungs=2)
                recorder.pause_trial(proposal_of(2), StoredPause(1, "It waits."), timestamp=STARTED + 2)
                recorder.tag({"winner": "0"}, metrics={"value/validation/loss": 1.5}, timestamp=STARTED)
                recorder.keep_artifacts([report])
        assert recorder.close(finished=True) == []

    def test_any_call_made_twice_changes_nothing(self, folder: StudyFolder, tmp_path: Path) -> None:
        once = Store(tmp_path / "once").study("example")
        self.record(once, times=1)
        self.record(folder, times=2)
        assert self.stored(folder) == self.stored(once)

    def test_getting_ready_beforehand_changes_nothing(self, folder: StudyFolder, tmp_path: Path) -> None:
        plain, early = Store(tmp_path / "whole").study("example"), folder
        for place in (plain, early):
            for outcome, num_rungs in ((None, 2), (COMPLETE, 4)):
                recorder = self.make_recorder()
                if place is early:
                    recorder.get_ready(place)
                recorder.open(study_facts(place))
                record_trial(recorder, 0, outcome, num_rungs)
                recorder.close(finished=outcome is not None)
        assert self.stored(early) == self.stored(plain)

    def test_another_process_continues_the_same_record(self, folder: StudyFolder, tmp_path: Path) -> None:
        whole, parts = Store(tmp_path / "whole").study("example"), folder
        recorder = self.make_recorder()
        recorder.open(study_facts(whole))
        record_trial(recorder, 0)
        recorder.close(finished=True)
        for outcome, num_rungs in ((None, 2), (COMPLETE, 4)):
            recorder = self.make_recorder()
            recorder.open(study_facts(parts))
            record_trial(recorder, 0, outcome, num_rungs)
            recorder.close(finished=outcome is not None)
        assert self.stored(parts) == self.stored(whole)

    def test_a_study_closed_as_finished_is_finished(self, folder: StudyFolder) -> None:
        recorder = self.make_recorder()
        recorder.open(study_facts(folder))
        recorder.close(finished=True)
        assert self.make_recorder().is_finished(folder)

    def test_closing_twice_and_closing_what_was_never_opened_is_harmless(self, folder: StudyFolder) -> None:
        assert self.make_recorder().close(finished=False) == []
        recorder = self.make_recorder()
        recorder.open(study_facts(folder))
        assert recorder.close(finished=True) == []
        assert recorder.close(finished=True) == []

    def test_links_are_texts(self, folder: StudyFolder) -> None:
        recorder = self.make_recorder()
        recorder.open(study_facts(folder))
        recorder.close(finished=True)
        assert all(isinstance(text, str) for link in recorder.links().items() for text in link)
