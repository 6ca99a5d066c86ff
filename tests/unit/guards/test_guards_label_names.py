from __future__ import annotations

import pytest

from ftsweep.domain.finding import Severity
from ftsweep.guards.label_names import AbsentClasses, LabelSpelling
from ftsweep.tasks.classification import Classification
from ftsweep.testing.guard import view_of
from ftsweep.testing.rows import labelled


class SpelledTask(Classification):
    """Classification that needs no tokenizer."""

    def encode(self, rows, tokenizer, schema):
        for values in rows:
            yield type("Encoded", (), {"input_ids": [1], "labels": [0], "text": values["text"]})()


TRAIN, HELD_OUT = labelled(40), labelled(20, seed=1)


def found_by(guard, train, held_out):
    view = view_of({"train": train, "validation": held_out}, task=SpelledTask())
    return [guard.judge("mine", sighting) for sighting in guard.look(view)]


def relabelled(rows, names):
    return [{**row, "label": names[row["label"]]} for row in rows]


def test_what_counts_as_one_label_is_a_note_with_the_writings():
    train, held_out = relabelled(TRAIN, {"a": 1.0, "b": 0.0}), relabelled(HELD_OUT, {"a": "1", "b": 0})
    (finding,) = found_by(LabelSpelling(), train, held_out)
    assert finding.severity is Severity.NOTE
    assert finding.message.endswith("'1': 1.0 (20), '1' (10); '0': 0.0 (20), 0 (10)")


def test_labels_that_differ_in_case_are_a_warning_with_an_override_that_unites_them():
    train = [*TRAIN, *relabelled(TRAIN[:4], {"a": "A", "b": "b"})]
    (finding,) = found_by(LabelSpelling(), train, HELD_OUT)
    assert (finding.severity, finding.override, finding.count) == (Severity.WARN, "task.fold_labels=true", 2)
    assert "'A' (2) and 'a' (30)" in finding.message


def test_other_labels_are_not_spoken_of():
    assert found_by(LabelSpelling(), TRAIN, HELD_OUT) == []
    assert found_by(AbsentClasses(), TRAIN, HELD_OUT) == []


def test_a_class_that_validation_lacks_is_named():
    (finding,) = found_by(AbsentClasses(), TRAIN, [row for row in HELD_OUT if row["label"] == "a"])
    assert (finding.severity, finding.count, finding.rate) == (Severity.WARN, 1, 0.5)
    assert "validation has no row of 1 of 2 labels of train: 'b'" in finding.message


@pytest.mark.parametrize(
    ("labels", "unlabelled"),
    [
        ((-1, 0, 1, 2), "-1"),
        (("-", "entailment", "neutral", "contradiction"), "-"),
        (("#REF!", "entailment", "neutral"), "#REF!"),
        (("null", "ham", "spam"), "null"),
        ((-1, 0, 1), ""),
        ((-2, -1, 0, 1, 2), ""),
        (("-", "+"), ""),
        (("-", "+", "neutral"), ""),
        (("none", "ham", "spam"), ""),
    ],
)
def test_a_label_that_nobody_gave_is_a_warning(labels, unlabelled):
    rows = [{"text": f"text {number}", "label": labels[number % len(labels)]} for number in range(60)]
    found = [finding for finding in found_by(LabelSpelling(), rows, rows) if finding.severity is Severity.WARN]
    assert [finding.message.split(" is a label of ")[0] for finding in found] == ([repr(unlabelled)] * bool(unlabelled))
    if found:
        assert (found[0].count, found[0].override) == (2 * 60 // len(labels), "")
