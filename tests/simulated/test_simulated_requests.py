"""What is asked of a study while it searches is done once, whoever is killed and when; a refusal has its reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from simulated_parts import branch, loss_curve

from ftsweep.control.continuity import manifest_of
from ftsweep.control.heeding import Heeding
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.decision import GO_ON, Decision, Pause, Prune
from ftsweep.domain.request import Answer, Request, RequestKind
from ftsweep.domain.trial import OutcomeKind
from ftsweep.search.asking import ask_to_enqueue, ask_to_pin
from ftsweep.search.pruners import NoPruner, Pruner
from ftsweep.search.pruners.curves import Curves
from ftsweep.store.inbox import Inbox

MakeSweep = Callable[..., LiveStudy]
SETTING = ["training.learning_rate=0.002", "strategy.rank=4"]
ME = "a test"


class Killed(BaseException):
    pass


class Hard(Pruner):
    """Ends every trial but the first at its second rung."""

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        return Prune("It is not the first.") if rung == 2 and number > 0 else GO_ON


class Pausing(Pruner):
    """Pauses every trial at its second rung, for good."""

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        return Pause("It waits.") if rung == 2 else GO_ON


def begin(sweep: LiveStudy) -> LiveStudy:
    if not sweep.folder.manifest_file.exists():
        manifest_of(sweep.config).write(sweep.folder.manifest_file)
    sweep.prepare()
    return sweep


def run(sweep: LiveStudy) -> LiveStudy:
    begin(sweep).search()
    return sweep


def at_each_poll(sweep: LiveStudy, do: Callable[[int], None]) -> LiveStudy:
    """Have something done before each look of the loop at its workers, counted from 0."""
    executor: Any = sweep.executor
    poll, count = executor.poll, [0]

    def watched(timeout: float) -> Any:
        do(count[0])
        count[0] += 1
        return poll(timeout)

    executor.poll = watched
    return sweep


def put(sweep: LiveStudy, kind: RequestKind, **body: Any) -> Request:
    return Inbox(sweep.folder).put(Request(kind, ME, 1.0, body))


def settings(sweep: LiveStudy) -> list[dict[str, Any]]:
    return [dict(record.proposal.params) for record in sweep.records]


def answers(sweep: LiveStudy) -> list[Answer]:
    return Inbox(sweep.folder).answers()


def facts(sweep: LiveStudy) -> dict[int, Any]:
    return {
        record.number: (record.proposal, record.outcome, [each.values for each in record.measurements])
        for record in sweep.records
    }


def test_enqueued_setting_is_the_next_trial_and_says_who_wanted_it(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=4)
    requests: list[Request] = []

    def ask(count: int) -> None:
        if count == 3:
            requests.append(ask_to_enqueue(sweep.folder, SETTING, by=ME))
            requests.append(ask_to_enqueue(sweep.folder, ["strategy.rank=4"], from_trial=0, by=ME))

    run(at_each_poll(sweep, ask))
    assert settings(sweep)[1:3] == [
        {"training.learning_rate": 0.002, "strategy.rank": 4},
        {"training.learning_rate": 0.001, "strategy.rank": 4},
    ]
    assert len(sweep.records) == 4, "they are trials of the budget"
    assert [(answer.request, answer.is_refused) for answer in answers(sweep)] == [(each, False) for each in requests]
    assert sweep.heeding.tags(sweep.records[2].proposal)["enqueued"].startswith(f"{ME}, 20")
    assert sweep.heeding.tags(sweep.records[2].proposal)["enqueued"].endswith("a copy of trial 0")
    assert sweep.heeding.tags(sweep.records[3].proposal) == {}
    assert Inbox(sweep.folder).pending() == []


def test_request_to_a_study_that_is_not_running_is_heeded_when_it_goes_on(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=2))
    ask_to_enqueue(sweep.folder, SETTING, by=ME)
    again = run(make_sweep(trials=4))
    assert settings(again)[2] == {"training.learning_rate": 0.002, "strategy.rank": 4}


def test_request_in_the_plan_is_taken_by_the_run_that_has_the_budget(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=3, wall_minutes=0.5)
    run(at_each_poll(sweep, lambda count: put_once(sweep, count)))
    assert len(sweep.records) == 1, "its time was up before the setting was tried"
    assert [answer.is_refused for answer in answers(sweep)] == [False]
    again = run(make_sweep(trials=3))
    assert settings(again)[1] == {"training.learning_rate": 0.002, "strategy.rank": 4}


def put_once(sweep: LiveStudy, count: int) -> None:
    if count == 2:
        ask_to_enqueue(sweep.folder, SETTING, by=ME)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"training.learning_rate": 1e-3, "strategy.rank": 8}, "trial 0 has this setting already"),
        ({"training.learning_rate": 2e-3, "strategy.rank": 16}, "lies outside the space"),
        ({"training.learning_rate": 2e-3, "strategy.depth": 1}, "not in the space"),
    ],
)
def test_setting_that_cannot_be_tried_is_refused_with_the_reason(
    make_sweep: MakeSweep, params: dict[str, Any], why: str
) -> None:
    sweep = make_sweep(trials=3)
    body = {"branch": "", "params": params, "given": [], "from_trial": None}
    run(at_each_poll(sweep, lambda count: put(sweep, RequestKind.ENQUEUE, **body) and None if count == 1 else None))
    (answer,) = answers(sweep)
    assert answer.is_refused
    assert why in answer.text
    assert len(sweep.records) == 3


def test_without_budget_for_one_more_it_is_refused_and_the_remedy_works(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=2)

    def ask(count: int) -> None:
        if count in (1, 3):  # both of the study's trials: the first runs, the second is planned by the first request
            params = {"training.learning_rate": 0.002 + count / 1000, "strategy.rank": 4}
            put(sweep, RequestKind.ENQUEUE, branch="", params=params, given=[], from_trial=None)
        if count == 4:
            put(sweep, RequestKind.EXTEND, budget={"trials": 3})
        if count == 5:
            params = {"training.learning_rate": 0.005, "strategy.rank": 4}
            put(sweep, RequestKind.ENQUEUE, branch="", params=params, given=[], from_trial=None)

    run(at_each_poll(sweep, ask))
    granted, refused, extended, retried = answers(sweep)
    assert not granted.is_refused
    assert refused.is_refused
    assert "of 2 trials 1 were begun and 1 are planned" in refused.text
    assert "ftsweep extend simulated budget.trials=3" in refused.text
    assert not extended.is_refused
    assert not retried.is_refused
    assert [each["training.learning_rate"] for each in settings(sweep)] == [0.001, 0.003, 0.005]


def test_raised_budget_holds_for_the_same_command_and_not_for_another(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=2)
    run(at_each_poll(sweep, lambda count: extend_once(sweep, count)))
    assert len(sweep.records) == 5
    assert sweep.snapshot("").num_planned == 5
    manifest = sweep.folder.manifest()
    assert (manifest.num_trials, manifest.budget["trials"]) == (5, 5)
    (answer,) = answers(sweep)
    assert answer.text == "now budget.trials=5 (was 2)"
    assert make_sweep(trials=2).config.budget.trials == 5
    assert make_sweep(trials=3).config.budget.trials == 3
    assert len(run(make_sweep(trials=7)).records) == 7


def extend_once(sweep: LiveStudy, count: int) -> None:
    if count == 2:
        put(sweep, RequestKind.EXTEND, budget={"trials": 5})


def test_time_that_is_up_goes_on_once_there_is_more_of_it(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=4, wall_minutes=1.5)

    def ask(count: int) -> None:
        if sweep.note and not answers(sweep):
            put(sweep, RequestKind.EXTEND, budget={"wall_minutes": 30})

    run(at_each_poll(sweep, ask))
    assert [record.outcome is not None for record in sweep.records] == [True] * 4
    assert sweep.note == "", "the time is not why it ended"


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        ({"trials": 2}, "it is 3 already"),
        ({"wall_minutes": 5}, "unlimited already"),
        ({"trials": "x"}, "budget.trials"),
    ],
)
def test_budget_that_is_not_more_is_refused(make_sweep: MakeSweep, budget: dict[str, Any], why: str) -> None:
    sweep = make_sweep(trials=3)
    run(
        at_each_poll(
            sweep, lambda count: put(sweep, RequestKind.EXTEND, budget=budget) and None if count == 1 else None
        )
    )
    (answer,) = answers(sweep)
    assert answer.is_refused
    assert why in answer.text
    assert len(sweep.records) == 3


def test_pinned_trial_is_not_pruned_until_it_is_let_go(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=4, pruner=Hard())

    def ask(count: int) -> None:
        begun = {record.number for record in sweep.records if record.outcome is None}
        for number in begun & {1, 2}:
            if not any(answer.request.trial == number for answer in answers(sweep)):
                ask_to_pin(sweep.folder, number, by=ME)
                if number == 2:
                    put(sweep, RequestKind.UNPIN, trial=2)

    run(at_each_poll(sweep, ask))
    kinds = [record.outcome.kind for record in sweep.records if record.outcome]
    assert kinds == [OutcomeKind.COMPLETE, OutcomeKind.COMPLETE, OutcomeKind.PRUNED, OutcomeKind.PRUNED]
    assert sweep.heeding.tags(sweep.records[1].proposal)["pinned"].startswith(f"{ME}, ")
    assert sweep.heeding.tags(sweep.records[2].proposal)["pinned"].startswith("no more: ")


def test_paused_trial_goes_on_once_it_is_pinned(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=3, pruner=Pausing())

    def ask(count: int) -> None:
        if 1 in sweep.trials.paused and not answers(sweep):
            ask_to_pin(sweep.folder, 1, by=ME)

    run(at_each_poll(sweep, ask))
    kinds = [record.outcome.kind for record in sweep.records if record.outcome]
    assert kinds == [OutcomeKind.COMPLETE, OutcomeKind.COMPLETE]
    assert sweep.records[2].pause is not None


@pytest.mark.parametrize(("trial", "why"), [(0, "a default setting"), (1, "has ended already"), (9, "no trial 9")])
def test_trial_that_cannot_be_pinned_is_refused(make_sweep: MakeSweep, trial: int, why: str) -> None:
    sweep = make_sweep(trials=3, pruner=Hard())

    def ask(count: int) -> None:
        when = 1 if trial == 0 else 16  # when trial 1 has ended
        if count == when:
            put(sweep, RequestKind.PIN, trial=trial)

    run(at_each_poll(sweep, ask))
    (answer,) = answers(sweep)
    assert answer.is_refused
    assert why in answer.text


def test_after_the_search_requests_are_refused_with_the_command_that_goes_on(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=2, seeds=1))
    at_each_poll(sweep, lambda count: ask_late(sweep, count))
    sweep.conclude()
    extended, enqueued, pinned = answers(sweep)
    assert all(answer.is_refused for answer in (extended, enqueued, pinned))
    assert "ftsweep run simulated budget.trials=50" in extended.text
    assert "ftsweep run simulated budget.trials=3" in enqueued.text
    assert pinned.text == "The search is over: nothing is pruned any more."


def ask_late(sweep: LiveStudy, count: int) -> None:
    if count == 0:
        put(sweep, RequestKind.EXTEND, budget={"trials": 50})
        params = {"training.learning_rate": 0.002, "strategy.rank": 4}
        put(sweep, RequestKind.ENQUEUE, branch="", params=params, given=[], from_trial=None)
        put(sweep, RequestKind.PIN, trial=1)


def asking(sweep: LiveStudy, asked: set[str]) -> None:
    """Everything at once when trial 1 is under way, by an asker that does it once."""
    if asked or not any(record.number == 1 and record.measurements for record in sweep.records):
        return
    asked.add("asked")
    ask_to_enqueue(sweep.folder, SETTING, by=ME)
    ask_to_pin(sweep.folder, 1, by=ME)
    put(sweep, RequestKind.EXTEND, budget={"trials": 5})


def test_kill_at_any_event_changes_nothing_of_what_was_asked(make_sweep: MakeSweep, tmp_path: Path) -> None:
    whole = make_sweep(trials=4, pruner=Hard(), place=tmp_path / "whole")
    asked: set[str] = set()
    number_of_polls = []

    def watch(count: int) -> None:
        number_of_polls.append(count)
        asking(whole, asked)

    run(at_each_poll(whole, watch))
    expected, said = facts(whole), [(answer.request.kind, answer.is_refused) for answer in answers(whole)]
    assert len(expected) == 5
    for stop_after in range(1, len(number_of_polls)):
        place = tmp_path / "killed"
        shutil.rmtree(place, ignore_errors=True)
        asked = set()
        sweep = make_sweep(trials=4, pruner=Hard(), place=place)
        with pytest.raises(Killed):
            run(at_each_poll(sweep, dying(sweep, stop_after, asked)))
        again = make_sweep(trials=4, pruner=Hard(), place=place)
        run(at_each_poll(again, lambda count, again=again, asked=asked: asking(again, asked)))  # type: ignore[misc]
        assert facts(again) == expected, stop_after
        assert [(answer.request.kind, answer.is_refused) for answer in answers(again)] == said


def dying(sweep: LiveStudy, stop_after: int, asked: set[str]) -> Callable[[int], None]:
    def do(count: int) -> None:
        if count == stop_after:
            raise Killed
        asking(sweep, asked)

    return do


@pytest.mark.parametrize("point", ["before the answer", "behind the answer", "before it is acted on"])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_kill_around_an_answer_has_it_given_once(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point: str, which: int
) -> None:
    whole = make_sweep(trials=4, pruner=Hard(), place=tmp_path / "whole")
    asked: set[str] = set()
    run(at_each_poll(whole, lambda count: asking(whole, asked)))
    asked = set()
    sweep = make_sweep(trials=4, pruner=Hard(), place=tmp_path / "killed")
    at_each_poll(sweep, lambda count: asking(sweep, asked))
    with monkeypatch.context() as patched:
        kill_around_answer(patched, point, which)
        with pytest.raises(Killed):
            run(sweep)
    again = run(make_sweep(trials=4, pruner=Hard(), place=tmp_path / "killed"))
    assert facts(again) == facts(whole)
    assert len(answers(again)) == len({answer.request.id for answer in answers(again)}) == 3
    assert Inbox(again.folder).pending() == []


def kill_around_answer(patched: pytest.MonkeyPatch, point: str, which: int) -> None:
    """Kill at the answer number `which`: before its line is written, before its file is removed, or behind both."""
    left = [which]

    def reached() -> bool:
        left[0] -= 1
        return left[0] == -1

    answer, settle, say = Inbox.answer, Inbox.settle, Heeding._say

    def answering(inbox: Inbox, given: Answer) -> None:
        if point == "before the answer" and reached():
            raise Killed
        answer(inbox, given)

    def settling(inbox: Inbox, request: Request) -> None:
        if point == "behind the answer" and reached():
            raise Killed
        settle(inbox, request)

    def saying(heeding: Heeding, given: Answer) -> None:
        say(heeding, given)
        if point == "before it is acted on" and reached():
            raise Killed

    patched.setattr(Inbox, "answer", answering)
    patched.setattr(Inbox, "settle", settling)
    patched.setattr(Heeding, "_say", saying)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"kind": "dance"}',
        '{"kind": "enqueue", "by": "x", "at": 1, "id": "1-x", "body": {"branch": ""}}',
        '{"kind": "pin", "by": "x", "at": 1, "id": "1-x", "body": {"trial": "1"}}',
    ],
)
def test_file_that_holds_no_request_is_passed_over_with_a_word(
    make_sweep: MakeSweep, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    sweep = make_sweep(trials=2)
    path = sweep.folder.path / "requests" / "ask-1-x.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with caplog.at_level("WARNING", "ftsweep"):
        run(sweep)
    assert [record.getMessage() for record in caplog.records if "holds no request" in record.getMessage()] == [
        f"{path} holds no request: it is passed over"
    ]
    assert len(sweep.records) == 2


def test_enqueued_setting_of_a_branch_is_tried_in_it(make_sweep: MakeSweep) -> None:
    branches = (branch("full", rate=1e-4), branch("lora", rate=1e-2))
    sweep = make_sweep(trials=5, branches=branches, pruner=NoPruner())

    def ask(count: int) -> None:
        if count == 3:
            ask_to_enqueue(sweep.folder, ["branch=lora", "training.learning_rate=0.002"], by=ME)

    run(at_each_poll(sweep, ask))
    third = sweep.records[2].proposal
    assert (third.branch, third.params) == (
        "lora",
        {"lora.training.learning_rate": 0.002, "lora.strategy.rank": 8},
    )
    assert asdict(sweep.config.budget)["trials"] == len(sweep.records)
    assert loss_curve(sweep.folder.trial(2).spec(), 0) == sweep.records[2].measurements[0].values
