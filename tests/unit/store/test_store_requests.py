"""`ftsweep stop`: who is asked, who heeds, and what becomes of a trial of a study that nobody runs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftsweep.cli.main import main
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import DamagedFileError, StudyError, StudyLockedError, UsageError
from ftsweep.store.atomic import append_line, write_json, write_text
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.inbox import Inbox
from ftsweep.store.requests import Requests, ask_to_stop, ask_to_stop_trial, wait_until_stopped, wait_until_trial_ended


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    folder = Store(tmp_path).study("mine")
    for number in range(2):
        trial = folder.trial(number)
        write_json(trial.spec_file, {"number": number, "branch": "", "params": {}, "is_default": False})
        append_line(trial.measurements_file, Measurement(1, 0.5, 1, 1, 1.0, 1.0, {"validation/loss": 1.0}).to_dict())
    folder.trial(0).write_outcome(Outcome(OutcomeKind.COMPLETE, "trained to the end"))
    folder.trial(1).checkpoint.mkdir()
    write_text(folder.sweep_file, "study: {name: mine}\n")
    return folder


def stopped(study: StudyFolder, *options: str) -> list[str]:
    """What `ftsweep stop` says."""
    done = CliRunner().invoke(main, ["stop", "mine", "--store", str(study.store.root), *options])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_study_that_nobody_runs_is_told_to_be_so(study: StudyFolder) -> None:
    assert ask_to_stop(study) == ""
    assert stopped(study) == ["Study 'mine' is not running: nothing to stop."]
    assert not Requests(study).path.exists()


def test_request_is_for_the_process_that_runs_now_and_for_no_later_one(study: StudyFolder) -> None:
    requests = Requests(study)
    with study.locked():
        owner = study.owner
        requests.ask_to_stop(owner)
        assert requests.stop_of(owner)
    assert not requests.stop_of("process 1 on another machine")
    assert not requests.stop_of("")


def test_damaged_request_is_told_with_its_file(study: StudyFolder) -> None:
    requests = Requests(study)
    for name, read in (("stop.json", lambda: requests.stop_of("x")), ("trial-0001.json", lambda: requests.of_trial(1))):
        for content in ({"trial": 1}, {"at": "soon", "by": "me", "owner": "x"}, []):
            write_json(requests.path / name, content)
            with pytest.raises(DamagedFileError, match=name):
                read()


def test_stop_waits_for_the_end_and_says_what_is_left(study: StudyFolder) -> None:
    is_up = threading.Event()

    def control_process() -> None:
        with study.locked():
            is_up.set()
            requests, owner = Requests(study), study.owner
            while (asked := requests.stop_of(owner)) is None:
                is_up.wait(0.01)
            requests.heed_stop(asked)

    thread = threading.Thread(target=control_process)
    thread.start()
    is_up.wait(10)
    said = stopped(study)
    thread.join(10)
    assert not thread.is_alive()
    assert said[-1] == "Stopped, with 1 of 2 begun trials ended; the same `ftsweep run` goes on."
    assert not any(Requests(study).path.iterdir())
    (answer,) = Inbox(study).answers()
    assert answer.request.kind == "stop"
    assert answer.request.by.endswith("with ftsweep stop")


def test_process_that_does_not_heed_is_named(study: StudyFolder) -> None:
    with study.locked(), pytest.raises(StudyError, match=r"still runs 0.3 s after .* kill process \d+"):
        wait_until_stopped(study, ask_to_stop(study), patience_seconds=0.3)


def test_trial_of_a_stopped_study_ends_as_pruned(study: StudyFolder) -> None:
    said = stopped(study, "--trial", "1")
    outcome = wait_until_trial_ended(study, 1)
    assert (outcome.kind, outcome.reason, outcome.rung) == (OutcomeKind.PRUNED, "stopped by the user", 1)
    assert not study.trial(1).checkpoint.exists()
    assert said[-1] == "Trial 1 has ended: pruned, stopped by the user."
    assert Requests(study).trials() == []
    (answer,) = Inbox(study).answers()
    assert (answer.request.what, answer.text) == ("stop trial 1", "it has ended: pruned, stopped by the user")


@pytest.mark.parametrize(("number", "why"), [(7, "no trial 7"), (0, "has ended already: complete")])
def test_trial_that_cannot_be_stopped_is_refused(study: StudyFolder, number: int, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        ask_to_stop_trial(study, number)
    assert not Requests(study).path.exists()


def test_who_asks_whether_a_study_runs_keeps_nobody_from_running_it(study: StudyFolder) -> None:
    with study.locked():
        pass
    is_over = threading.Event()
    refused: list[str] = []

    def ask() -> None:
        while not is_over.is_set():
            assert study.is_running in (True, False)

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(50):
        try:
            with study.locked():
                pass
        except StudyLockedError as error:
            refused.append(str(error))
    is_over.set()
    thread.join(10)
    assert refused == []
