"""Threads are chosen once per study, written down, and taken up again."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftsweep.control import threads
from ftsweep.control.threads import settle_sharing, sharing_text, take_up_sharing
from ftsweep.domain.space import Branch, Space
from ftsweep.errors import FtsweepError, StudyError
from ftsweep.executors.local import Local
from ftsweep.executors.sharing import Sharing
from ftsweep.store.folders import StudyFolder


class Offering(Local):
    """Offers 1, 2 and 4 threads until it is settled, and starts nothing."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.settled: Sharing | None = None

    @property
    def thread_counts(self) -> list[int]:
        return [1, 2, 4] if self.settled is None else []

    def settle(self, sharing: Sharing) -> None:
        self.settled = sharing


class Timed:
    """Jobs whose answers are known."""

    def __init__(self, *answers: dict[str, float] | FtsweepError) -> None:
        self._answers = list(answers)
        self.counts: list[list[int]] = []
        self.make: Any = SimpleNamespace(threads=lambda branch, counts: counts)

    def call(self, counts: list[int], phase: str) -> dict[str, Any]:
        self.counts.append(counts)
        answer = self._answers.pop(0)
        if isinstance(answer, FtsweepError):
            raise answer
        return {"step_seconds": answer, "memory_gib": 0.5}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.setattr(threads, "num_cores", lambda: 4)
    return StudyFolder(tmp_path)


BRANCHES = [Branch(name, {}, Space({})) for name in ("one", "other")]


def test_branches_are_added_up_and_the_choice_is_kept(folder: StudyFolder) -> None:
    executor, jobs = Offering(), Timed({"1": 1.0, "2": 0.5, "4": 0.4}, {"2": 0.2, "4": 0.4})
    settle_sharing(folder, BRANCHES, executor, jobs)  # type: ignore[arg-type]
    assert executor.settled == Sharing(1, 2)
    found = json.loads(folder.threads_file.read_text())
    assert found["step_seconds"] == {"2": 0.7, "4": 0.8}
    assert sharing_text(found) == "1 worker with 2 threads: a step takes 0.7 s with 2, 0.8 s with 4"

    again = Offering()
    assert take_up_sharing(folder, again) == ""
    assert again.settled == Sharing(1, 2)
    settle_sharing(folder, BRANCHES, again, Timed())  # type: ignore[arg-type]


def test_another_machine_is_told_and_the_number_stays(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    settle_sharing(folder, BRANCHES[:1], Offering(), Timed({"1": 0.5, "2": 0.6, "4": 0.4}))  # type: ignore[arg-type]
    monkeypatch.setattr(threads, "num_cores", lambda: 8)
    executor = Offering()
    told = take_up_sharing(folder, executor)
    assert executor.settled == Sharing(1, 4)
    assert "a machine with 4 cores, and this one has 8: 1 worker with 4 threads as before" in told


def test_numbers_that_were_given_pass_over_what_was_chosen(folder: StudyFolder) -> None:
    settle_sharing(folder, BRANCHES[:1], Offering(), Timed({"1": 0.5}))  # type: ignore[arg-type]
    executor = Local(workers=1, threads=3)
    assert take_up_sharing(folder, executor) == ""
    assert [place.threads for place in executor._cores.places()] == [3]


def test_infeasible_configuration_leaves_the_share_of_the_cores(folder: StudyFolder) -> None:
    executor = Offering()
    settle_sharing(folder, BRANCHES, executor, Timed({}, {}))  # type: ignore[arg-type]
    assert executor.settled is None
    assert not folder.threads_file.exists()


def test_what_cannot_be_timed_does_not_end_the_study(folder: StudyFolder) -> None:
    executor = Offering()
    settle_sharing(folder, BRANCHES, executor, Timed(StudyError("no memory is left"), {"1": 0.3, "2": 0.9, "4": 0.9}))  # type: ignore[arg-type]
    assert executor.settled == Sharing(1, 1)
    alone = Offering()
    settle_sharing(folder, BRANCHES[:1], alone, Timed(StudyError("no memory is left")))  # type: ignore[arg-type]
    assert alone.settled is None
