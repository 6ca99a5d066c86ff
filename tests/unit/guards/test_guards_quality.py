from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ftsweep.data.cut_lengths import CutAt
from ftsweep.domain.finding import Severity
from ftsweep.guards.chat_turns import ChatTurns
from ftsweep.guards.labels import LabelErrors, TargetInInput
from ftsweep.guards.quality import ClassImbalance, ConflictingLabels, RareClasses, RepeatedRows, SmallData
from ftsweep.guards.rows import CutInputs, CutTargets, UnusableRows
from ftsweep.testing.guard import AnswerTask, WordTask, view_of
from ftsweep.testing.rows import answered, labelled

TRAIN, HELD_OUT = labelled(300), labelled(300, seed=1)


def judged(guard, view):
    return [guard.judge("mine", sighting) for sighting in guard.look(view)]


@pytest.mark.parametrize(("num_rows", "severity"), [(49, Severity.REFUSE), (50, Severity.WARN), (199, Severity.WARN)])
def test_few_validation_rows_warn_and_very_few_are_refused(num_rows, severity):
    (finding,) = judged(SmallData(), view_of({"train": TRAIN, "validation": HELD_OUT[:num_rows]}))
    assert (finding.count, finding.severity) == (num_rows, severity)
    assert finding.override == ("guards.mine=allow" if severity is Severity.REFUSE else "")


def test_enough_validation_rows_say_nothing():
    assert judged(SmallData(), view_of({"train": TRAIN, "validation": HELD_OUT[:200]})) == []


def test_a_larger_share_is_advised_when_ftsweep_made_the_split():
    (finding,) = judged(SmallData(), view_of({"train": TRAIN}))
    assert finding.override == "data.validation_fraction=0.2"


@pytest.mark.parametrize(("copies", "severity"), [(3, Severity.NOTE), (10, Severity.WARN), (90, Severity.REFUSE)])
def test_repeated_rows_are_judged_by_their_share(copies, severity):
    (finding,) = judged(RepeatedRows(), view_of({"train": [*TRAIN, *TRAIN[:copies]], "validation": HELD_OUT}))
    assert (finding.count, finding.severity) == (copies, severity)
    assert finding.examples[0] == "train.jsonl:301 = train.jsonl:1"


def test_one_input_with_two_labels_is_a_conflict_and_no_repeated_row():
    train = [*TRAIN, *({**row, "label": "c", "text": row["text"].upper()} for row in TRAIN[:2])]
    view = view_of({"train": train, "validation": HELD_OUT})
    (finding,) = judged(ConflictingLabels(), view)
    assert (finding.count, finding.severity) == (4, Severity.WARN)
    assert finding.examples[0] == "train.jsonl:1 ('a') = train.jsonl:301 ('c')"
    assert judged(RepeatedRows(), view) == []


def test_several_answers_to_one_question_are_no_conflict():
    train = answered(100)
    train[1]["prompt"] = train[0]["prompt"]
    assert (
        list(ConflictingLabels().look(view_of({"train": train, "validation": answered(50, seed=1)}, task=AnswerTask())))
        == []
    )


def test_a_lopsided_class_is_told_with_the_metric_and_the_weights():
    class Weighed(WordTask):
        class_weights = "none"

    view = view_of({"train": [*TRAIN[::2], *TRAIN[1:14:2]], "validation": HELD_OUT}, task=Weighed())
    (finding,) = judged(ClassImbalance(), view)
    assert "21 rows of 'a' (150) for every row of 'b' (7)" in finding.message
    assert finding.override == "objective.metric=macro_f1 task.class_weights=balanced"
    (rare,) = judged(RareClasses(), view)
    assert "'b' (7)" in rare.message


def test_labels_of_many_kinds_are_no_classes():
    class Numbers(WordTask):
        label_type = "float"

    view = view_of({"train": TRAIN, "validation": HELD_OUT}, task=Numbers())
    guards = (ClassImbalance(), RareClasses(), LabelErrors(), TargetInInput(), ConflictingLabels())
    assert [list(guard.look(view)) for guard in guards] == [[], [], [], [], []]


@pytest.mark.parametrize(("bad", "severity"), [(1, Severity.WARN), (2, Severity.WARN), (4, Severity.REFUSE)])
def test_a_few_unusable_rows_warn_and_more_than_one_percent_are_refused(bad, severity):
    (finding,) = judged(
        UnusableRows(), view_of({"train": [*TRAIN, *[{"text": " ", "label": "a"}] * bad], "validation": HELD_OUT})
    )
    assert (finding.count, finding.severity) == (bad, severity)
    assert finding.examples[0] == "train.jsonl:301"
    assert "no input" in finding.message


def test_conversations_out_of_order_are_told_apart_from_other_rows():
    train = [*TRAIN, {"text": "", "messages": [{"role": "user"}]}, {"text": "", "label": "a"}]
    view = view_of({"train": train, "validation": HELD_OUT})
    assert [sighting.examples for sighting in ChatTurns().look(view)] == [("train.jsonl:301",)]
    assert [sighting.examples for sighting in UnusableRows().look(view)] == [("train.jsonl:302",)]


@pytest.mark.parametrize(
    ("lengths", "override", "remedy"),
    [
        ([CutAt(40, 0.3, 0), CutAt(80, 0.04, 0), CutAt(160, 0, 0)], "task.max_length=80", r"\(4.0 % are cut even then"),
        ([CutAt(40, 0.0, 0)], "task.max_length=40", "^Allow more tokens$"),
        ([CutAt(40, 0.9, 0), CutAt(60, 0.5, 0)], "task.max_length=60", r"\(50.0 % are cut even then"),
        ([], "guards.mine=allow", "the model takes no more tokens"),
    ],
)
def test_cut_inputs_advise_a_length_that_the_data_needs_and_the_model_takes(lengths, override, remedy):
    class Short(WordTask):
        max_length = 20

    view = replace(view_of({"train": TRAIN, "validation": HELD_OUT}, task=Short()), lengths=lengths)
    (finding,) = judged(CutInputs(), view)
    assert finding.severity is Severity.REFUSE
    assert finding.override == override
    assert re.search(remedy, finding.remedy)


def test_cut_targets_advise_by_what_is_cut_of_targets():
    lengths = [CutAt(40, 0.9, 0.2), CutAt(80, 0.5, 0.0), CutAt(160, 0.0, 0.0)]
    assert CutTargets()._longer(SimpleNamespace(lengths=lengths)) == ("task.max_length=80", 0.0)


def test_a_label_that_stands_in_its_own_text_is_told_and_one_that_stands_anywhere_is_not():
    names = {"a": "happy", "b": "sad"}

    def rows(num: int, *, seed: int, own: bool) -> list[dict[str, Any]]:
        found = [(row["text"], names[row["label"]]) for row in labelled(num, seed=seed)]
        return [{"text": f"{text} {label if own else 'happy'}", "label": label} for text, label in found]

    given_away = view_of({"train": rows(200, seed=0, own=True), "validation": rows(100, seed=1, own=True)})
    by_chance = view_of({"train": rows(200, seed=0, own=False), "validation": rows(100, seed=1, own=False)})
    assert [sighting.rate for sighting in TargetInInput().look(given_away)] == [1.0, 1.0]
    assert list(TargetInInput().look(by_chance)) == []


def test_answers_that_differ_in_digits_repeat_nothing():
    rows = answered(120)
    train = [
        {**row, "prompt": f"Order {number} lamps", "completion": f'{{"qty": {number}}}'}
        for number, row in enumerate(rows)
    ]
    train += [{**train[0], "completion": '{"QTY":  0}'}]
    (finding,) = judged(
        RepeatedRows(), view_of({"train": train, "validation": answered(60, seed=1)}, task=AnswerTask())
    )
    assert finding.count == 1, "capitals and spaces alone make no other answer"


def test_rows_of_few_groups_are_fewer_than_they_look():
    held = [{**row, "user": f"u{number % 12}"} for number, row in enumerate(HELD_OUT[:240])]
    train = [{**row, "user": f"t{number}"} for number, row in enumerate(TRAIN)]
    (finding,) = judged(SmallData(), view_of({"train": train, "validation": held}, group="user"))
    assert (finding.count, finding.severity) == (12, Severity.WARN)
    assert "the 240 rows of validation have 12 different values of user" in finding.message
    held = [{**row, "user": f"u{number % 80}"} for number, row in enumerate(HELD_OUT[:240])]
    assert judged(SmallData(), view_of({"train": train, "validation": held}, group="user")) == []
