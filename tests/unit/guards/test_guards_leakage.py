from __future__ import annotations

import pytest

from ftsweep.domain.finding import Severity
from ftsweep.errors import ConfigError
from ftsweep.guards.leakage import ExactCopies, NearDuplicates, NormalisedCopies, SharedGroups, SharedPassages
from ftsweep.testing.guard import AnswerTask, view_of
from ftsweep.testing.rows import answered, edited, labelled, sentences

TRAIN, HELD_OUT = labelled(400), labelled(400, seed=1)


def judged(guard, view):
    return [guard.judge("mine", sighting) for sighting in guard.look(view)]


@pytest.mark.parametrize(("count", "severity"), [(1, Severity.WARN), (4, Severity.REFUSE), (20, Severity.REFUSE)])
def test_one_exact_copy_may_be_chance_and_one_percent_is_refused(count, severity):
    (finding,) = judged(ExactCopies(), view_of({"train": [*TRAIN, *HELD_OUT[:count]], "validation": HELD_OUT}))
    assert (finding.count, finding.severity) == (count, severity)
    assert finding.examples[0] == "validation.jsonl:1 = train.jsonl:401"
    assert finding.override == "guards.mine=fix"


def test_every_held_out_split_is_judged_for_itself():
    view = view_of(
        {"train": [*TRAIN, *HELD_OUT[:9]], "validation": HELD_OUT, "test": [*labelled(300, seed=2), TRAIN[5]]}
    )
    found = judged(ExactCopies(), view)
    assert [(finding.count, finding.severity) for finding in found] == [(9, Severity.REFUSE), (1, Severity.WARN)]
    assert "of validation" in found[0].message
    assert "of test" in found[1].message


def test_a_stricter_level_counts_a_row_once():
    copies = [
        HELD_OUT[0],
        {**HELD_OUT[1], "text": HELD_OUT[1]["text"].title()},
        {**HELD_OUT[2], "text": edited(HELD_OUT[2]["text"])},
    ]
    view = view_of({"train": [*TRAIN, *copies], "validation": HELD_OUT})
    guards = (ExactCopies(), NormalisedCopies(), NearDuplicates(), SharedPassages())
    flagged = [[dict(sighting.flagged) for sighting in guard.look(view)] for guard in guards]
    assert flagged == [[{"validation": [0]}], [{"validation": [1]}], [{"validation": [2]}], []]


@pytest.mark.parametrize(("count", "severity"), [(1, Severity.NOTE), (4, Severity.WARN), (20, Severity.REFUSE)])
def test_near_duplicates_at_one_percent_warn_and_at_five_refuse(count, severity):
    near = [{**row, "text": edited(row["text"])} for row in HELD_OUT[:count]]
    (finding,) = judged(NearDuplicates(), view_of({"train": [*TRAIN, *near], "validation": HELD_OUT}))
    assert (finding.count, finding.severity) == (count, severity)


def test_a_prompt_template_makes_no_near_duplicates_and_no_passages():
    template = " ".join(sentences(1, seed=9, words=80))
    rows = [{**row, "text": f"{template} {row['text']}"} for row in labelled(300, words=12)]
    view = view_of({"train": rows[:200], "validation": rows[200:]})
    assert list(NearDuplicates().look(view)) == []
    assert list(SharedPassages().look(view)) == []


def test_near_duplicates_of_a_task_that_writes_are_judged_with_their_answers():
    asked, held = answered(200), answered(100, seed=1)
    same_question = {**asked[0], "prompt": held[0]["prompt"]}
    same_row = {"prompt": edited(held[1]["prompt"]), "completion": edited(held[1]["completion"])}
    view = view_of({"train": [*asked, same_question, same_row], "validation": held}, task=AnswerTask())
    (sighting,) = NearDuplicates().look(view)
    assert sighting.flagged == {"validation": [1]}


def test_any_shared_group_is_refused_and_rows_without_one_are_tied_to_nothing():
    train = [{**row, "user": f"t{place}"} for place, row in enumerate(TRAIN)] + [{**TRAIN[0], "user": None}]
    held = [{**row, "user": None} for row in HELD_OUT[:-1]] + [{**HELD_OUT[-1], "user": "t7"}]
    (finding,) = judged(SharedGroups(), view_of({"train": train, "validation": held}, group="user"))
    assert (finding.severity, finding.count) == (Severity.REFUSE, 1)
    assert finding.examples == ("validation.jsonl:400 = train.jsonl:8",)


def test_fix_names_every_row_of_train_that_gives_one_away():
    view = view_of({"train": [HELD_OUT[3], *TRAIN, HELD_OUT[3]], "validation": HELD_OUT})
    (sighting,) = ExactCopies(mode="fix").look(view)
    assert list(sighting.train_rows) == [0, 401]


@pytest.mark.parametrize(
    "settings",
    [
        {"similarity": 0.3},
        {"similarity": 1.5},
        {"shingle_words": 0},
        {"shingle_words": 40},
        {"warn_above": 1.5},
        {"refuse_above": True},
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(settings):
    with pytest.raises(ConfigError):
        NearDuplicates(**settings)
