"""`enqueue`, `extend` and `pin` on the command line: what is refused at once, what waits, what is answered."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_studies import StudyBuilder, falling

from ftsweep.cli.main import main
from ftsweep.domain.request import Answer, Request, RequestKind
from ftsweep.store.folders import StudyFolder
from ftsweep.store.inbox import Inbox

PARAMS = {
    "training.learning_rate": 1e-3,
    "training.batch_size": 16,
    "training.epochs": 2,
    "strategy.rank": 8,
}


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """Trial 0 is the default setting and complete, trial 1 is under way."""
    builder = StudyBuilder(tmp_path / "a store")
    builder.trial(0, falling(1e-3, 16), params=PARAMS, is_default=True)
    builder.trial(1, falling(2e-3, 16, num=3), None, params={**PARAMS, "training.learning_rate": 2e-3})
    return builder.folder


def said(study: StudyFolder, *words: str, code: int = 0) -> str:
    """What a command says of the study, on both streams."""
    verb, *rest = words
    done = CliRunner().invoke(main, [verb, "demo", *rest, "--store", str(study.store.root)])
    assert done.exit_code == code, done.output
    return done.output


@contextmanager
def answering(study: StudyFolder, answer: Answer) -> Iterator[None]:
    """A process that runs the study, and answers whatever is asked with this."""
    is_up, is_over = threading.Event(), threading.Event()

    def control_process() -> None:
        with study.locked():
            is_up.set()
            while not is_over.wait(0.01):
                for request in Inbox(study).pending():
                    Inbox(study).answer(replace(answer, request=request))

    thread = threading.Thread(target=control_process)
    thread.start()
    assert is_up.wait(20)
    try:
        yield
    finally:
        is_over.set()
        thread.join(20)


def answer(text: str, *, is_refused: bool = False) -> Answer:
    return Answer(Request(RequestKind.PIN, "", 0.0), text, is_refused)


def test_answer_of_a_running_study_is_said(study: StudyFolder) -> None:
    with answering(study, answer("it is tried next")):
        text = said(study, "enqueue", "--from", "0", "training.batch_size=8")
    assert text == "enqueue training.batch_size=8 (a copy of trial 0): it is tried next.\n"
    (kept,) = Inbox(study).answers()
    assert kept.request.body["params"] == {**PARAMS, "training.batch_size": 8}
    assert kept.request.by.endswith("with ftsweep enqueue")


def test_refusal_of_a_running_study_comes_back_with_its_reason(study: StudyFolder) -> None:
    with answering(study, answer("no budget is left", is_refused=True)):
        text = said(study, "extend", "budget.trials=50", code=2)
    assert "extend budget.trials=50 is refused: no budget is left" in text


def test_study_that_is_not_running_keeps_the_request_and_names_the_command(study: StudyFolder) -> None:
    text = said(study, "pin", "1")
    assert "is not running. It answers this when it goes on: pin trial 1." in text
    going_on = next(line for line in text.splitlines() if line.startswith("Go on: "))
    words = shlex.split(going_on.partition(": ")[2])
    assert words[:3] == ["ftsweep", "run", "demo"]
    assert words[3] == f"store.path='{study.store.root}'"
    see = next(line for line in text.splitlines() if line.startswith("Its answer stands in: "))
    assert shlex.split(see.partition(": ")[2])[-1] == str(study.store.root), "paths with spaces can be pasted"
    (request,) = Inbox(study).pending()
    assert (request.kind, request.trial) == (RequestKind.PIN, 1)
    assert "pin trial 1: waits for the study's answer (asked by " in said(study, "status")


def test_full_study_is_gone_on_with_by_a_budget_with_room_for_it(study: StudyFolder) -> None:
    manifest = replace(study.manifest(), num_trials=2, budget={"trials": 2})
    manifest.write(study.manifest_file)
    text = said(study, "enqueue", "--from", "0", "training.batch_size=8")
    assert "budget.trials=3" in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["training.batch_size=9"], "training.batch_size=9 lies outside the space {8, 16, 32}"),
        (["training.batch_sizes=8"], "Did you mean 'training.batch_size'"),
        (["training.batch_size=8,16"], "names several values"),
        (["~training.batch_size"], "removes a key"),
        ([], "trial 0 has this setting already (complete); none is tried twice"),
        (["training.learning_rate=0.002"], "trial 1 has this setting already (it has not ended yet)"),
        (["training.learning_rate=2e-3"], "trial 1 has this setting already"),
        (["training"], "cannot be read"),
        (["hydra.searchpath=[x]"], "search path"),
    ],
)
def test_setting_that_cannot_be_tried_is_refused_at_once(study: StudyFolder, words: list[str], why: str) -> None:
    assert why in said(study, "enqueue", "--from", "0", *words, code=2)
    assert Inbox(study).pending() == []


def test_setting_is_asked_for_once_and_a_copy_needs_a_trial(study: StudyFolder) -> None:
    said(study, "enqueue", "--from", "0", "training.batch_size=8")
    assert "was asked for already, by" in said(study, "enqueue", "--from", "1", "training.batch_size=8",
                                               "training.learning_rate=0.001", code=2)  # fmt: skip
    assert "has no trial 9" in said(study, "enqueue", "--from", "9", "training.batch_size=8", code=2)
    assert "no setting is named" in said(study, "enqueue", code=2)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["budget.trials=50"], "is not running, and a command that goes on with it says its budget"),
        (["budget.trials=14"], "it is 14 already: 14 is not more"),
        (["budget.trials=many"], "budget.trials"),
        (["training.epochs=5"], "is no part of the budget"),
        (["budget.wall_minutes=5"], "unlimited already"),
    ],
)
def test_budget_that_cannot_be_raised_is_refused_at_once(study: StudyFolder, words: list[str], why: str) -> None:
    text = said(study, "extend", *words, code=2)
    assert why in text
    if "not running" in why:
        words = shlex.split(text.split("`")[1])
        assert words[:4] == ["ftsweep", "run", "demo", "budget.trials=50"]
    assert Inbox(study).pending() == []


@pytest.mark.parametrize(
    ("trial", "options", "why"),
    [
        ("0", [], "trial 0 has ended already: complete"),
        ("7", [], "has no trial 7"),
        ("1", ["--off"], "trial 1 is not pinned"),
    ],
)
def test_trial_that_cannot_be_pinned_is_refused_at_once(
    study: StudyFolder, trial: str, options: list[str], why: str
) -> None:
    assert why in said(study, "pin", trial, *options, code=2)
    assert Inbox(study).pending() == []


@pytest.mark.parametrize(
    "words", [["enqueue", "a=1"], ["extend", "budget.trials=3"], ["pin", "1"], ["compare", "1", "2"]]
)
def test_study_that_is_not_there_is_named_with_the_near_ones(study: StudyFolder, words: list[str]) -> None:
    verb, *rest = words
    done = CliRunner().invoke(main, [verb, "demi", *rest, "--store", str(study.store.root)])
    assert done.exit_code == 2
    assert "there is no study 'demi'" in done.output
    assert "Did you mean 'demo'?" in done.output
