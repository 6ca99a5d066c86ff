"""A recorder that is slow, dead or broken never stops its caller, and nothing is lost."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, StoredPause
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.errors import StudyError
from ftsweep.recording import call_queue
from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.base import Recorder, RecorderAwayError, StudyFacts, run_name
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.recording.replay import sync_study
from ftsweep.recording.ui import tracking_uri
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.testing.recorder import measurement_of, proposal_of, record_trial, study_facts, write_trial


class Listening(Recorder):
    """Notes what it is told; `trouble` may wait or raise before each call."""

    def __init__(self, trouble: Callable[[str], None] = lambda verb: None) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self._trouble = trouble

    def get_ready(self, folder: StudyFolder) -> None:
        self._trouble("get ready")
        self.heard.append(("get ready",))

    def open(self, facts: StudyFacts) -> None:
        self._trouble("open")
        self.heard.append(("open",))

    def begin_trial(self, proposal: Proposal, **_: Any) -> None:
        self._trouble("begin")
        self.heard.append(("begin", run_name(proposal)))

    def measure_all(self, proposal: Proposal, measurements: Sequence[Measurement]) -> None:
        self._trouble("measure")
        self.heard.append(("measure", run_name(proposal), [measurement.rung for measurement in measurements]))

    def pause_trial(self, proposal: Proposal, pause: StoredPause, **_: Any) -> None:
        self._trouble("pause")
        self.heard.append(("pause", run_name(proposal), pause.sentence))

    def end_trial(self, proposal: Proposal, outcome: Outcome, *, best: Mapping[str, float], **_: Any) -> None:
        self._trouble("end")
        self.heard.append(("end", run_name(proposal), outcome.kind.value, dict(best)))

    def close(self, *, finished: bool) -> list[str]:
        self._trouble("close")
        self.heard.append(("close", finished))
        return []


def assert_set(event: Event) -> None:
    assert event.wait(60)


@pytest.fixture
def plain_folder(tmp_path: Path) -> StudyFolder:
    return Store(tmp_path / "mlruns").study("example")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_queue, "_FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(call_queue, "_LONGEST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(call_queue, "_BATCH_SHARE", 1.0)


def test_nobody_waits_while_a_recorder_gets_ready(plain_folder: StudyFolder) -> None:
    may_go_on = Event()
    listening = Listening(lambda verb: assert_set(may_go_on) if verb == "get ready" else None)
    recorder = BackgroundRecorder(listening)
    recorder.get_ready(plain_folder)
    assert listening.heard == []
    may_go_on.set()
    recorder.open(study_facts(plain_folder))
    assert listening.heard == [("get ready",), ("open",)]


@pytest.mark.parametrize("error", [RecorderAwayError("away"), StudyError("no"), OSError("disk")])
def test_what_goes_wrong_beforehand_is_left_to_open(plain_folder: StudyFolder, error: Exception) -> None:
    def trouble(verb: str) -> None:
        if verb in ("get ready", "open"):
            raise error

    recorder = BackgroundRecorder(Listening(trouble))
    recorder.get_ready(plain_folder)
    if isinstance(error, RecorderAwayError):
        recorder.open(study_facts(plain_folder))
    else:
        with pytest.raises(type(error)):
            recorder.open(study_facts(plain_folder))
    assert "get_ready" not in " ".join(recorder.close(finished=False))


def test_calls_arrive_in_order(plain_folder: StudyFolder) -> None:
    listening = Listening()
    recorder = BackgroundRecorder(listening)
    recorder.open(study_facts(plain_folder))
    for number in range(20):
        recorder.begin_trial(proposal_of(number), tags={}, params={})
        recorder.end_trial(proposal_of(number), Outcome(OutcomeKind.PRUNED), best={}, tags={})
    assert recorder.close(finished=True) == []
    expected = [(verb, f"trial-{number:04d}") for number in range(20) for verb in ("begin", "end")]
    assert [call[:2] for call in listening.heard] == [("open",), *expected, ("close", True)]


def test_a_slow_server_does_not_hold_the_caller_up_and_its_rungs_are_merged(plain_folder: StudyFolder) -> None:
    may_go_on, is_held = Event(), Event()

    def hold(verb: str) -> None:
        if verb == "begin":
            is_held.set()
            assert may_go_on.wait(30)

    listening = Listening(hold)
    recorder = BackgroundRecorder(listening)
    recorder.open(study_facts(plain_folder))
    recorder.begin_trial(proposal_of(0), tags={}, params={})
    assert is_held.wait(30)
    for rung in range(3):
        for number in (0, 1):
            recorder.measure(proposal_of(number), measurement_of(rung))
    recorder.end_trial(proposal_of(0), Outcome(OutcomeKind.PRUNED), best={}, tags={})
    recorder.measure(proposal_of(0), measurement_of(3))
    assert listening.heard == [("open",)]  # all of the above returned while the first call is under way
    may_go_on.set()
    assert recorder.close(finished=True) == []
    assert listening.heard[2:] == [
        ("measure", "trial-0000", [0, 1, 2]),
        ("measure", "trial-0001", [0, 1, 2]),
        ("end", "trial-0000", "pruned", {}),
        ("measure", "trial-0000", [3]),
        ("close", True),
    ]


def test_what_finds_the_server_away_is_tried_until_it_arrives_once(
    plain_folder: StudyFolder, caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter(range(25))

    def away(verb: str) -> None:
        if verb == "measure" and next(failures, None) is not None:
            raise RecorderAwayError("nobody is there")

    listening = Listening(away)
    recorder = BackgroundRecorder(listening)
    with caplog.at_level(logging.INFO, "ftsweep"):
        recorder.open(study_facts(plain_folder))
        recorder.measure(proposal_of(0), measurement_of(0))
        recorder._queue.wait_for(recorder._queue.put("mark", lambda: None), 30, num_tries=1000)
        assert recorder.close(finished=True) == []
    assert listening.heard == [("open",), ("measure", "trial-0000", [0]), ("close", True)]
    assert [record.message for record in caplog.records] == [
        "nobody is there. The study goes on; what is not recorded now is sent later."
    ]


def test_a_refused_call_is_told_at_the_end_and_the_others_arrive(plain_folder: StudyFolder) -> None:
    def refuse(verb: str) -> None:
        if verb == "begin":
            raise ValueError("not like this")

    listening = Listening(refuse)
    recorder = BackgroundRecorder(listening)
    recorder.open(study_facts(plain_folder))
    record_trial(recorder, 0, num_rungs=1)
    assert recorder.close(finished=True) == ["A part of the record (begin_trial) was refused: not like this"]
    assert [call[0] for call in listening.heard] == ["open", "measure", "end", "close"]


def test_a_study_that_cannot_be_recorded_is_refused_when_it_is_opened(plain_folder: StudyFolder) -> None:
    def deleted(verb: str) -> None:
        raise StudyError("the experiment was deleted")

    recorder = BackgroundRecorder(Listening(deleted))
    with pytest.raises(StudyError, match="deleted"):
        recorder.open(study_facts(plain_folder))
    recorder.measure(proposal_of(0), measurement_of(0))
    assert "deleted" in recorder.close(finished=False)[0]


def test_opening_waits_no_longer_than_it_may(plain_folder: StudyFolder) -> None:
    may_go_on = Event()
    listening = Listening(lambda verb: assert_set(may_go_on))
    recorder = BackgroundRecorder(listening, open_seconds=0.05)
    recorder.open(study_facts(plain_folder))
    assert listening.heard == []
    may_go_on.set()
    assert recorder.close(finished=True) == []
    assert listening.heard == [("open",), ("close", True)]


def test_the_end_comes_within_the_timeout_when_a_call_never_returns(plain_folder: StudyFolder) -> None:
    never = Event()
    listening = Listening(lambda verb: None if verb == "open" else assert_set(never))
    recorder = BackgroundRecorder(listening, close_seconds=0.1)
    recorder.open(study_facts(plain_folder))
    record_trial(recorder, 0)
    started = time.monotonic()
    sentences = recorder.close(finished=True)
    assert time.monotonic() - started < 10
    assert "not complete" in sentences[0]
    assert "next 'ftsweep run'" in sentences[0]
    never.set()


def test_replay_makes_the_calls_of_every_folder_and_passes_over_what_has_arrived(plain_folder: StudyFolder) -> None:
    write_trial(plain_folder.trial(0), 0)
    write_trial(plain_folder.trial(1), 1)
    write_trial(plain_folder.trial(2), 2, outcome=None, num_rungs=2)
    write_trial(plain_folder.trial(3), 3, outcome=None, num_rungs=0)
    for number, is_over in ((4, False), (5, True)):
        write_trial(plain_folder.trial(number), number, outcome=None, num_rungs=2)
        write_json(plain_folder.trial(number).pause_file, asdict(StoredPause(1, "It waits.", is_over)))
    baseline = plain_folder.baseline("main")
    write_json(baseline.spec_file, {"number": -1, "branch": "", "params": {}, "is_default": True, "config": {}})
    write_json(baseline.path / "baseline.json", {"loss": 2.5})
    listening = Listening()
    listening.has_arrived = lambda proposal: proposal.number == 0  # type: ignore[method-assign]
    assert sync_study(listening, plain_folder, Objective()) == 2
    assert listening.heard == [
        ("begin", "baseline-main"),
        ("measure", "baseline-main", []),
        ("end", "baseline-main", "complete", {"validation/loss": 2.5}),
        ("begin", "trial-0001"),
        ("measure", "trial-0001", [0, 1, 2, 3]),
        ("end", "trial-0001", "complete", dict(measurement_of(3).values)),
        ("begin", "trial-0002"),
        ("measure", "trial-0002", [0, 1]),
        ("begin", "trial-0004"),
        ("measure", "trial-0004", [0, 1]),
        ("pause", "trial-0004", "paused at rung 1: It waits."),
        ("begin", "trial-0005"),
        ("measure", "trial-0005", [0, 1]),
    ]


def test_replay_sends_the_verdict_that_lies_in_the_trials_folder(plain_folder: StudyFolder) -> None:
    write_trial(plain_folder.trial(0), 0)
    write_json(plain_folder.trial(0).fit_file, {"verdicts": [Verdict(VerdictKind.HEALTHY, "fine").to_dict()]})
    heard: list[dict[str, str]] = []
    listening = Listening()
    listening.end_trial = lambda *_, tags, **__: heard.append(tags)  # type: ignore[method-assign]
    sync_study(listening, plain_folder, Objective())
    assert [tags["verdict"] for tags in heard] == ["healthy"]


def closed_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


# SQLAlchemy tells MLflow 3.17 that a loader it uses is deprecated
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_a_study_on_a_dead_server_ends_in_time_and_arrives_once_when_it_is_resumed(folder: StudyFolder) -> None:
    dead = BackgroundRecorder(MlflowRecorder(tracking_uri=f"http://127.0.0.1:{closed_port()}"))
    dead.open(study_facts(folder))
    for number in range(3):
        write_trial(folder.trial(number), number)
        record_trial(dead, number)
    report = folder.path / "report.html"
    report.write_text("<p>")
    dead.keep_artifacts([report])
    dead.tag({"winner": "2"}, metrics={"value/validation/loss": 1.0})
    started = time.monotonic()
    sentences = dead.close(finished=True)
    assert time.monotonic() - started < 30
    assert "Connection refused" in sentences[0]

    for has_arrived in (False, True):
        alive = BackgroundRecorder(MlflowRecorder(system_metrics=False))
        assert alive.is_finished(folder) == has_arrived
        alive.resume(folder)
        assert alive.close(finished=True) == []
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri(folder.store))
    runs = client.search_runs([client.get_experiment_by_name("example").experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["sweep", "trial-0000", "trial-0001", "trial-0002"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    parent = next(run for run in runs if run.info.run_name == "sweep")
    for run in runs:
        if run is parent:
            continue
        history = client.get_metric_history(run.info.run_id, "validation/loss")
        assert [point.step for point in history] == [0, 1, 2, 3]
    assert parent.data.tags["winner"] == "2"
    assert "report.html" in {file.path for file in client.list_artifacts(parent.info.run_id)}
